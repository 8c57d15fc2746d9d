import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import { systemClock, type Clock } from "../../src/clock.ts";
import type { Guest } from "../../src/runtime/runtime.ts";
import { digestOf, guestStart, testRuntime } from "./guest-starts.ts";
import { wasmFromWat } from "./wat.ts";

const PROBE = new Uint8Array(await readFile(new URL("./guests/probe.wasm", import.meta.url)));
const COUNTER = wasmFromWat(`(module (memory 1) (global $n (mut i32) (i32.const 0))
  (func (export "count") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))
  (func (export "spin") (loop br 0)))`);

const calls = {
  method: "GET",
  scheme: "http",
  authority: "x",
  pathWithQuery: "/calls",
  headers: [],
  body: undefined,
} as const;

/** Threads that this process has besides its own, as the system sees them. */
async function threadCount(): Promise<number> {
  const status = await readFile("/proc/self/status", "utf8");
  return Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]);
}

describe("a runtime", () => {
  it("says what it hosts", () => {
    expect(testRuntime().kinds).toEqual(["http", "command", "messaging", "functions"]);
  });

  it("runs twenty guests at once that know nothing of each other", async () => {
    const runtime = testRuntime();
    const http = await Promise.all(Array.from({ length: 10 }, () => runtime.start(guestStart(PROBE))));
    const functions = await Promise.all(Array.from({ length: 10 }, () => runtime.start(guestStart(COUNTER))));
    for (const round of ["1", "2"]) {
      const answers = await Promise.all(
        http.map(async (guest) => (await (await guest.fetch(calls)).body[Symbol.asyncIterator]().next()).value),
      );
      expect(answers.map((bytes) => Buffer.from(bytes ?? []).toString())).toEqual(http.map(() => round));
      expect(await Promise.all(functions.map((guest) => guest.invoke("count", [])))).toEqual(
        functions.map(() => [Number(round)]),
      );
    }
    const spinning = functions.slice(0, 2).map((guest) => guest.invoke("spin", []).catch(() => undefined));
    // Both threads are kept from the others: those that are called go on with fresh copies on other threads.
    expect(await functions[5]?.invoke("count", [])).toEqual([1]);
    await runtime.close();
    await Promise.all(spinning);
    expect(await Promise.all([...http, ...functions].map((guest) => guest.ended))).toEqual(
      [...http, ...functions].map(() => ({ kind: "stopped" })),
    );
  });

  it("leaves no thread behind when it is closed, in whatever state its guests are", async () => {
    const runtime = testRuntime();
    await runtime.start(guestStart(PROBE));
    const before = await threadCount();
    const guests = await Promise.all(
      Array.from({ length: 5 }, () => runtime.start(guestStart(COUNTER, { isolation: "dedicated" }))),
    );
    const spinning = guests.slice(0, 2).map((guest) => guest.invoke("spin", []).catch(() => undefined));
    const starting = runtime
      .start(guestStart(wasmFromWat(`(module (func $f (loop br 0)) (start $f) (func (export "f")))`)))
      .catch((error: unknown) => error);
    expect(await threadCount()).toBeGreaterThanOrEqual(before + 5);
    await runtime.close();
    await runtime.close();
    await Promise.all(spinning);
    expect(await starting).toMatchObject({ reason: Reason.SHUTTING_DOWN });
    expect(await threadCount()).toBeLessThan(before);
    await expect(runtime.start(guestStart(COUNTER))).rejects.toMatchObject({ reason: Reason.SHUTTING_DOWN });
  });

  it("ends a compilation when it is closed", async () => {
    const runtime = testRuntime();
    const starting = [
      runtime.start(guestStart(PROBE)),
      runtime.start(guestStart(PROBE, { limits: { memoryMaxBytes: 32 * 1024 * 1024 } })),
    ];
    const refused = Promise.all(
      starting.map((start) => expect(start).rejects.toMatchObject({ reason: Reason.SHUTTING_DOWN })),
    );
    await runtime.close();
    await refused;
  });

  it("starts as many guests as it may, one more when one has ended, and none beyond", async () => {
    const runtime = testRuntime({ guestsMax: 2 });
    const guests = await Promise.all([1, 2].map(() => runtime.start(guestStart(COUNTER))));
    await expect(runtime.start(guestStart(COUNTER))).rejects.toMatchObject({ reason: Reason.NODE_AT_CAPACITY });
    await guests[0]?.kill();
    const third = await runtime.start(guestStart(COUNTER));
    expect(await third.invoke("count", [])).toEqual([1]);
    await runtime.close();
  });

  it("compiles once for guests of one module and limit, and reads the module again after a failure", async () => {
    const runtime = testRuntime({ programsMax: 1 });
    let reads = 0;
    const start = (memoryMaxBytes: number, isBroken = false): Promise<Guest> =>
      runtime.start({
        ...guestStart(COUNTER, { limits: { memoryMaxBytes } }),
        readModule: async () => {
          reads += 1;
          if (isBroken) throw new Error("disk failed");
          return COUNTER;
        },
      });
    await expect(start(65_536, true)).rejects.toThrow("disk failed");
    await Promise.all([start(65_536), start(65_536), start(65_536 + 100)]);
    expect(reads).toBe(2);
    await start(131_072);
    expect(reads).toBe(3);
    await start(65_536);
    expect(reads).toBe(4);
    await runtime.close();
  });

  it("refuses bytes that are not those of the digest", async () => {
    const runtime = testRuntime();
    const digest = digestOf(PROBE);
    await expect(runtime.start({ ...guestStart(COUNTER), digest })).rejects.toMatchObject({
      reason: Reason.MODULE_DIGEST_MISMATCH,
      subject: digest,
    });
    await runtime.close();
  });

  it("refuses at start what inspect refuses, and a component that only the compiler finds broken", async () => {
    const runtime = testRuntime();
    const foreign = new Uint8Array(await readFile(new URL("./guests/foreign.wasm", import.meta.url)));
    await expect(runtime.start(guestStart(foreign))).rejects.toMatchObject({
      reason: Reason.MODULE_IMPORT_UNKNOWN,
      subject: "wasmatrix:foreign/telepathy",
    });
    await expect(runtime.start(guestStart(PROBE.slice(0, 5_000)))).rejects.toMatchObject({
      reason: Reason.MODULE_MALFORMED,
    });
    const broken = PROBE.slice();
    // A function type in the inner core module that no longer fits its body.
    const at = Buffer.from(broken).indexOf(Uint8Array.of(0x60, 0x02, 0x7f, 0x7f));
    broken[at + 2] = 0x7e;
    await expect(runtime.start(guestStart(broken))).rejects.toMatchObject({ reason: Reason.MODULE_MALFORMED });
    await runtime.close();
  });

  it("gives up a compilation that takes too long", async () => {
    const hasty: Clock = { ...systemClock, after: (_delayMs, action) => (queueMicrotask(action), () => {}) };
    const runtime = testRuntime({ clock: hasty });
    await expect(runtime.start(guestStart(PROBE))).rejects.toMatchObject({
      reason: Reason.START_TIMED_OUT,
      message: expect.stringContaining("60000 ms"),
    });
    await runtime.close();
  });

  it("survives a guest that fills the heap around it", async () => {
    const runtime = testRuntime();
    // Ten thousand tables of one entry each grow to their shared limit; then the guest goes on as before.
    const tables =
      wasmFromWat(`(module ${Array.from({ length: 50 }, (_, index) => `(table $t${index} 1 funcref)`).join("")}
      (func (export "grow") (result i32) ${Array.from({ length: 50 }, (_, index) => `(drop (table.grow $t${index} (ref.null func) (i32.const 5000)))`).join("")}
        (table.grow $t0 (ref.null func) (i32.const 10000000))))`);
    const guest = await runtime.start(guestStart(tables));
    expect(await guest.invoke("grow", [])).toEqual([-1]);
    expect(await guest.invoke("grow", [])).toEqual([-1]);
    await runtime.close();
  });
});

describe("a component with several memories", () => {
  it("is held to its limit all together", async () => {
    const { parse } = await import("@bytecodealliance/jco-transpile/wasm-tools");
    const runtime = testRuntime();
    const two = new Uint8Array(
      await parse(`(module (memory 1) (memory 1)
      (func (export "first") (param i32) (result i32) local.get 0 memory.grow 0)
      (func (export "second") (param i32) (result i32) local.get 0 memory.grow 1))`),
    );
    const guest = await runtime.start(guestStart(two, { limits: { memoryMaxBytes: 10 * 65_536 } }));
    expect(await guest.invoke("first", [5])).toEqual([-1]);
    expect(await guest.invoke("first", [4])).toEqual([1]);
    expect(await guest.invoke("second", [4])).toEqual([1]);
    expect(await guest.invoke("second", [1])).toEqual([-1]);
    await guest.kill();
  });
});
