import { describe, expect, it } from "vitest";
import { createGivingWay } from "../../../src/runtime/host/giving-way.ts";
import { InputStream } from "../../../src/runtime/host/input-stream.ts";
import type { Pollable } from "../../../src/runtime/host/pollable.ts";
import { cliInterfaces } from "../../../src/runtime/host/wasi-cli.ts";
import { clockInterfaces } from "../../../src/runtime/host/wasi-clocks.ts";
import { ioInterfaces } from "../../../src/runtime/host/wasi-io.ts";
import { callHost, dropResource } from "./host-calls.ts";
import { MemorySource } from "./memory-bytes.ts";
import { memoryLine } from "./memory-line.ts";

const line = memoryLine();
const host = { ...ioInterfaces(createGivingWay()), ...clockInterfaces(line) };
const poll = (...pollables: readonly unknown[]): unknown => callHost(host, "wasi:io/poll#poll", pollables);
const ready = (pollable: unknown): unknown => callHost(host, "wasi:io/poll#[method]pollable.ready", pollable);
const readable = (source: MemorySource): unknown =>
  callHost(host, "wasi:io/streams#[method]input-stream.subscribe", new InputStream(source));
const at = (instant: bigint): unknown => callHost(host, "wasi:clocks/monotonic-clock#subscribe-instant", instant);

describe("polling", () => {
  it("says at once which are ready, by index", async () => {
    const idle = readable(new MemorySource());
    expect(poll(readable(new MemorySource("x")))).toEqual([0]);
    expect(await poll(idle, readable(new MemorySource("x")), idle, at(0n))).toEqual([1, 3]);
  });

  it("waits for the first, whichever it is", async () => {
    const source = new MemorySource();
    const polled = poll(readable(source), at(5_000n));
    source.put("x");
    expect(await polled).toEqual([0]);
    const timed = poll(readable(new MemorySource()), at(5_000n));
    line.advanceTo(5_000n);
    expect(await timed).toEqual([1]);
  });

  it("traps on an empty list", () => {
    expect(() => poll()).toThrow("empty list");
  });

  it("leaves nothing behind in what it waited for in vain", async () => {
    const source = new MemorySource();
    const stdin = cliInterfaces({ ...line, stdin: source });
    for (let count = 1; count <= 100; count += 1) {
      const instant = 10_000n + BigInt(count);
      const timer = at(instant);
      const stream = callHost(stdin, "wasi:cli/stdin#get-stdin");
      const polled = poll(callHost(host, "wasi:io/streams#[method]input-stream.subscribe", stream), timer);
      line.advanceTo(instant);
      expect(await polled).toEqual([1]);
      dropResource(host, "wasi:io/poll", "pollable", timer);
    }
    // One wait for all, not one for each, though each asked for the stream and subscribed anew.
    expect(source.waits).toBe(1);
  });

  it("gives way to a guest that spins on one", async () => {
    const source = new MemorySource();
    setImmediate(() => source.put("x"));
    const pollable = readable(source);
    let asks = 0;
    while ((await ready(pollable)) !== true) asks += 1;
    expect(asks).toBeLessThan(100);
    expect(callHost(host, "wasi:io/poll#[method]pollable.block", pollable)).toBeUndefined();
  });

  it("gives way to a guest that polls one that is ready for the sake of another", async () => {
    const source = new MemorySource();
    setImmediate(() => source.put("x"));
    const pollable = readable(source);
    let asks = 0;
    while (((await poll(pollable, at(0n))) as number[]).length < 2) asks += 1;
    expect(asks).toBeLessThan(100);
  });
});

describe("the clocks", () => {
  it("tell the time", () => {
    line.advanceTo(77_000n);
    expect(callHost(host, "wasi:clocks/monotonic-clock#now")).toBe(77_000n);
    expect(callHost(host, "wasi:clocks/monotonic-clock#resolution")).toBe(1n);
    expect(callHost(host, "wasi:clocks/wall-clock#now")).toEqual({ seconds: 1_700_000_000n, nanoseconds: 123_456_789 });
    expect(callHost(host, "wasi:clocks/wall-clock#resolution")).toEqual({ seconds: 0n, nanoseconds: 1_000 });
    expect(callHost(host, "wasi:clocks/timezone#utc-offset", {})).toBe(0);
    expect(callHost(host, "wasi:clocks/timezone#display", {})).toMatchObject({ name: "UTC" });
  });

  it("wake a guest that sleeps", async () => {
    const sleep = callHost(host, "wasi:clocks/monotonic-clock#subscribe-duration", 1_000n);
    expect(await ready(sleep)).toBe(false);
    const slept = callHost(host, "wasi:io/poll#[method]pollable.block", sleep);
    line.advanceTo(78_000n);
    await slept;
    expect(ready(sleep)).toBe(true);
  });

  it("give a sleep up when its pollable is dropped, and only begin it when somebody waits", () => {
    const sleep = at(99_000n);
    expect(line.sleeping.has(99_000n)).toBe(false);
    void poll(sleep);
    expect(line.sleeping.has(99_000n)).toBe(true);
    (sleep as Pollable).drop();
    expect(line.sleeping.has(99_000n)).toBe(false);
  });

  it("sleep for ever without overflowing", () => {
    const sleep = callHost(host, "wasi:clocks/monotonic-clock#subscribe-duration", 2n ** 64n - 1n) as Pollable;
    void poll(sleep);
    expect(line.sleeping.has(2n ** 64n - 1n)).toBe(true);
    sleep.drop();
  });
});
