import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { Guest } from "../../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime, type StartOptions } from "../guest-starts.ts";
import { get, request, startProbe } from "../probe-guest.ts";
import { wasmFromWat } from "../wat.ts";
import { patientHost, startToy } from "./toy-guest.ts";

const runtime = testRuntime();

/** Writes so many lines of so many bytes, all in one call. */
const WRITER = wasmFromWat(`(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "write") (param $lines i32) (param $bytes i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (local.get $bytes))
    (i32.store8 (i32.add (i32.const 1023) (local.get $bytes)) (i32.const 10))
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $lines (i32.sub (local.get $lines) (i32.const 1)))
      (br_if $again (local.get $lines)))))`);

const startWriter = (options: StartOptions): Promise<Guest> => runtime.start(guestStart(WRITER, options));

describe("a limit", () => {
  it("of processor time ends a guest that computes for longer, in one stretch, and none that waits as long", async () => {
    const limits = { cpuTimeMaxMs: 150 };
    const spinning = await startToy(runtime, { limits });
    await expect(spinning.invoke("spin", [])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await spinning.ended).toMatchObject({ kind: "limit", limit: "cpuTimeMaxMs" });

    const host = patientHost();
    const waiting = await startToy(runtime, { limits, host });
    const call = waiting.invoke("wait", []);
    setTimeout(() => host.letGo(), 300);
    expect(await call).toEqual([1]);
    // Each call has the whole of it.
    for (const count of [2, 3, 4]) expect(await waiting.invoke("turns", ["1000000"])).toEqual([count]);
    await waiting.kill();
  });

  it("of processor time counts the stretches of a call together", async () => {
    const host = { ...recordingHost(), kv: async () => ({ kind: "exists", exists: true }) as const };
    const guest = await startToy(runtime, { host, limits: { cpuTimeMaxMs: 100 } });
    await expect(guest.invoke("alternate", [1_000_000])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "cpuTimeMaxMs" });
    const twin = await startToy(runtime, { host, limits: { cpuTimeMaxMs: 20_000 } });
    expect(await twin.invoke("alternate", [10])).toEqual([1]);
    await twin.kill();
  });

  it("of output bytes a minute ends a guest that writes one more, and none that writes as many", async () => {
    const limits = { outputMaxBytesPerMinute: 10_000 };
    const host = recordingHost();
    const within = await startWriter({ limits, host });
    expect(await within.invoke("write", [10, 1_000])).toEqual([]);
    expect(host.written.stdout).toHaveLength(10_000);
    void within.invoke("write", [1, 1]).catch(() => undefined);
    expect(await within.ended).toMatchObject({ kind: "limit", limit: "outputMaxBytesPerMinute" });
  });

  it("of output lines a minute ends a guest that writes one more, and none that writes as many", async () => {
    const limits = { outputMaxLinesPerMinute: 100 };
    const within = await startWriter({ limits });
    expect(await within.invoke("write", [100, 10])).toEqual([]);
    const beyond = await startWriter({ limits });
    void beyond.invoke("write", [101, 10]).catch(() => undefined);
    expect(await beyond.ended).toMatchObject({ kind: "limit", limit: "outputMaxLinesPerMinute" });
    await within.kill();
  });

  it("of the time to start holds for a guest whose thread others keep", async () => {
    const looping = wasmFromWat(`(module (func $f (loop br 0)) (start $f) (func (export "f")))`);
    const start = runtime.start(guestStart(looping, { limits: { startTimeoutMs: 100 } }));
    await expect(start).rejects.toMatchObject({ reason: Reason.START_TIMED_OUT });
    const next = await startToy(runtime, { limits: { startTimeoutMs: 20_000 } });
    expect(await next.invoke("count", [])).toEqual([1]);
    await next.kill();
  });

  it("of handles ends a guest that takes one more, and lets it have as many", async () => {
    const guest = await startProbe(runtime, { limits: { openHandlesMax: 50 } });
    expect(await get(guest, "/calls")).toBe("1");
    await expect(guest.fetch(request("/hoard/timers"))).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "openHandlesMax" });
  });
});
