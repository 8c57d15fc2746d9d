import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Reason } from "../../src/fault.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import { runKvCall } from "../../src/providers/kv/kv-call.ts";
import type { Guest, GuestHost } from "../../src/runtime/runtime.ts";
import { exampleFile } from "./example-file.ts";
import { guestStart, recordingHost, temporaryFolder, testRuntime, type StartOptions } from "./guest-starts.ts";
import * as modules from "./misbehaving-modules.ts";
import { answersDuring, startNeighbour } from "./well-behaved-neighbour.ts";

const runtime = testRuntime({ poolThreadsMax: 1 });
let neighbour: Guest;
beforeAll(async () => {
  neighbour = await startNeighbour(runtime);
});

const SUBSCRIBER = new Uint8Array(readFileSync(new URL("./guests/subscriber.wasm", import.meta.url)));

const start = (module: Uint8Array<ArrayBuffer>, options: StartOptions = {}): Promise<Guest> =>
  runtime.start(guestStart(module, options));

describe("a command", () => {
  it("that computes past its time ends; one that is done before does not", async () => {
    const limits = { commandTimeoutMs: 500 };
    const bad = await start(modules.spinningCommand(), { limits });
    expect(await answersDuring(neighbour, bad.ended)).toMatchObject({ kind: "limit", limit: "commandTimeoutMs" });
    const twin = await start(modules.spinningCommand(1_000), { limits: { commandTimeoutMs: 30_000 } });
    expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
  });

  it("that uses more processor time than it may ends; one that sleeps for longer does not", async () => {
    const bad = await start(modules.spinningCommand(), { limits: { cpuTimeMaxMs: 300 } });
    expect(await answersDuring(neighbour, bad.ended)).toMatchObject({ kind: "limit", limit: "cpuTimeMaxMs" });
    const twin = await start(modules.sleepingCommand(600), { limits: { cpuTimeMaxMs: 300 } });
    expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
  });

  it("that sleeps past its time ends; one that sleeps less does not", async () => {
    const bad = await start(modules.sleepingCommand(600_000), { limits: { commandTimeoutMs: 300 } });
    expect(await answersDuring(neighbour, bad.ended)).toMatchObject({ kind: "limit", limit: "commandTimeoutMs" });
    const twin = await start(modules.sleepingCommand(1), { limits: { commandTimeoutMs: 30_000 } });
    expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
  });

  it.each([
    ["lines", 10, 1_000, { outputMaxLinesPerMinute: 1_000 }, "outputMaxLinesPerMinute"],
    ["bytes", 10_000, 100, { outputMaxBytesPerMinute: 1_000_000 }, "outputMaxBytesPerMinute"],
  ] as const)(
    "that floods its output with %s ends; one that writes just as much as it may does not",
    async (_, bytes, lines, limits, limit) => {
      const bad = await start(modules.writingCommand(bytes), { limits });
      expect(await answersDuring(neighbour, bad.ended)).toMatchObject({ kind: "limit", limit });
      const twin = await start(modules.writingCommand(bytes, lines), { limits });
      expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
    },
  );

  it("that opens files without end ends; one that opens a few does not", async () => {
    const hostPath = temporaryFolder();
    writeFileSync(join(hostPath, "f"), "content");
    const rights = {
      folders: [{ guestPath: "/data", hostPath, canRead: true, canWrite: false, deniedPaths: [] }],
      env: {},
    };
    const limits = { openHandlesMax: 100 };
    const bad = await start(modules.openingCommand(), { limits, rights });
    expect(await answersDuring(neighbour, bad.ended)).toMatchObject({ kind: "limit", limit: "openHandlesMax" });
    const twin = await start(modules.openingCommand(90), { limits, rights });
    expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
  });
});

describe("a guest that takes messages", () => {
  const message = (body: string) => ({ topic: "orders", body: Buffer.from(body), replyTo: undefined });

  it.each([
    ["traps", "trap", {}, Reason.GUEST_TRAPPED, { kind: "trapped" }],
    [
      "computes past its time",
      "spin",
      { callTimeoutMs: 500 },
      Reason.CALL_TIMED_OUT,
      { kind: "limit", limit: "callTimeoutMs" },
    ],
    [
      "sleeps past its time",
      "sleep 600000",
      { callTimeoutMs: 500 },
      Reason.CALL_TIMED_OUT,
      { kind: "limit", limit: "callTimeoutMs" },
    ],
  ] as const)("and %s ends; on another message it does not", async (_, order, limits, reason, ending) => {
    const guest = await start(SUBSCRIBER, { limits });
    await guest.deliver(message("sleep 1"));
    await answersDuring(neighbour, expect(guest.deliver(message(order))).rejects.toMatchObject({ reason }));
    expect(await guest.ended).toMatchObject(ending);
  });

  it("and fails is asked again with the next one", async () => {
    const host = recordingHost();
    const guest = await start(SUBSCRIBER, { host });
    await expect(guest.deliver(message("fail no reason"))).rejects.toThrow("no reason");
    await guest.deliver(message("fine"));
    await vi.waitFor(() => expect(host.written.stdout).toBe("orders fail no reason\norders fine\n"));
    await guest.kill();
  });
});

describe("a bare module on the core import ABI", () => {
  it("reaches what it was granted through the real runtime", async () => {
    const kv = createMemoryKv();
    const published: unknown[] = [];
    const logged: string[] = [];
    const host: GuestHost = {
      ...recordingHost(),
      kv: (call) => runKvCall(kv, call),
      async messaging(call) {
        published.push(call);
        return { kind: "done" };
      },
      log: (level, _context, text) => void logged.push(`${level} ${text}`),
    };
    const tally = await start(exampleFile("core-abi/tally.wasm"), { host, config: { topic: "sums" } });
    expect(await tally.invoke("add", ["40"])).toEqual(["40"]);
    expect(await tally.invoke("add", [2])).toEqual(["42"]);
    expect(await tally.invoke("announce", [])).toEqual([0]);
    expect(published).toEqual([
      { kind: "publish", message: { topic: "sums", body: new Uint8Array(Buffer.from("42")), replyTo: undefined } },
    ]);
    await tally.kill();
    const visits = await start(exampleFile("core-abi/visits.wasm"), { host });
    expect(await visits.invoke("visit", [1])).toEqual(["1"]);
    await vi.waitFor(() => expect(logged).toEqual(["info Page 1 has 1 visits"]));
    await visits.kill();
  });

  it("is told what it was not granted", async () => {
    const logged: string[] = [];
    const host: GuestHost = {
      ...recordingHost(),
      log: (level, _context, text) => void logged.push(`${level} ${text}`),
    };
    const tally = await start(exampleFile("core-abi/tally.wasm"), { host });
    expect(await tally.invoke("add", ["1"])).toEqual(["-1"]);
    await vi.waitFor(() => expect(logged).toEqual([expect.stringContaining("no assignment allows it")]));
    await tally.kill();
  });
});
