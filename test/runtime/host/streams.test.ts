import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGivingWay } from "../../../src/runtime/host/giving-way.ts";
import { InputStream } from "../../../src/runtime/host/input-stream.ts";
import type { IoError } from "../../../src/runtime/host/io-error.ts";
import { OutputStream } from "../../../src/runtime/host/output-stream.ts";
import { ioInterfaces } from "../../../src/runtime/host/wasi-io.ts";
import { callHost, okOf } from "./host-calls.ts";
import { MemorySink, MemorySource } from "./memory-bytes.ts";

const io = ioInterfaces(createGivingWay());
const call = (name: string, ...args: readonly unknown[]): unknown =>
  callHost(io, `wasi:io/streams#[method]${name}`, ...args);
const textOf = (result: unknown): string => Buffer.from(okOf(result) as Uint8Array).toString();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const CLOSED = { tag: "err", val: { tag: "closed", val: undefined } };

describe("an input stream", () => {
  it("gives what is there without a promise, as much as was asked for", () => {
    const stream = new InputStream(new MemorySource("hello"));
    expect(textOf(call("input-stream.read", stream, 3n))).toBe("hel");
    expect(textOf(call("input-stream.blocking-read", stream, 100n))).toBe("lo");
    expect(textOf(call("input-stream.read", stream, 100n))).toBe("");
  });

  it("makes a blocking read wait until there is at least one byte", async () => {
    const source = new MemorySource();
    const stream = new InputStream(source);
    const reading = call("input-stream.blocking-read", stream, 9n);
    source.put("");
    source.put("late");
    expect(textOf(await reading)).toBe("late");
  });

  it("does not wait for a read of nothing", () => {
    const stream = new InputStream(new MemorySource());
    expect(textOf(call("input-stream.blocking-read", stream, 0n))).toBe("");
  });

  it("is closed after the end, and says so any number of times", () => {
    const stream = new InputStream(new MemorySource("x").end());
    expect(call("input-stream.blocking-skip", stream, 9n)).toEqual({ tag: "ok", val: 1n });
    for (let count = 0; count < 3; count += 1) expect(call("input-stream.read", stream, 1n)).toEqual(CLOSED);
  });

  it("tells a failure once with its reason, and is closed then", () => {
    const stream = new InputStream(new MemorySource().fail("the client went away"));
    const failed = call("input-stream.blocking-read", stream, 1n) as { val: { tag: string; val: IoError } };
    expect(failed.val.tag).toBe("last-operation-failed");
    expect(callHost(io, "wasi:io/error#[method]error.to-debug-string", failed.val.val)).toBe("the client went away");
    expect(call("input-stream.skip", stream, 1n)).toEqual(CLOSED);
  });

  it("gives way to the event loop when a guest asks and asks for what is not there", async () => {
    const source = new MemorySource();
    const stream = new InputStream(source);
    setImmediate(() => source.put("came"));
    for (let asks = 0; asks < 1_000; asks += 1) {
      const text = textOf(await call("input-stream.read", stream, 9n));
      if (text === "came") return;
    }
    throw new Error("never came");
  });
});

describe("an output stream", () => {
  it("takes as much as it has said that it would", () => {
    const sink = new MemorySink(5);
    const stream = new OutputStream(sink);
    expect(call("output-stream.check-write", stream)).toEqual({ tag: "ok", val: 5n });
    expect(call("output-stream.write", stream, bytes("hello"))).toEqual({ tag: "ok", val: undefined });
    expect(call("output-stream.check-write", stream)).toEqual({ tag: "ok", val: 0n });
    expect(call("output-stream.flush", stream)).toEqual({ tag: "ok", val: undefined });
    expect(sink.text).toBe("hello");
  });

  it("traps on a write that there is no room for, also of zeroes, and takes one that just fits", () => {
    const stream = new OutputStream(new MemorySink(4));
    expect(() => call("output-stream.write", stream, bytes("hello"))).toThrow("room for 4");
    expect(() => call("output-stream.write-zeroes", stream, 2n ** 63n)).toThrow("room for 4");
    expect(call("output-stream.write-zeroes", stream, 4n)).toEqual({ tag: "ok", val: undefined });
  });

  it("writes a long text piece by piece as room comes", async () => {
    const sink = new MemorySink(3);
    const writing = call("output-stream.blocking-write-and-flush", new OutputStream(sink), bytes("hello world"));
    for (let turn = 0; turn < 10; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      sink.makeRoom(1);
    }
    expect(await writing).toEqual({ tag: "ok", val: undefined });
    expect(sink.text).toBe("hello world");
  });

  it("writes many zeroes", async () => {
    const sink = new MemorySink();
    await call("output-stream.blocking-write-zeroes-and-flush", new OutputStream(sink), 200_000n);
    expect(Buffer.concat(sink.pieces).equals(Buffer.alloc(200_000))).toBe(true);
  });

  it("tells a failure once, also to a writer that waits, and is closed then", async () => {
    const sink = new MemorySink(0);
    const stream = new OutputStream(sink);
    const writing = call("output-stream.blocking-write-and-flush", stream, bytes("x"));
    sink.fail("nobody reads");
    expect(await writing).toMatchObject({
      tag: "err",
      val: { tag: "last-operation-failed", val: { message: "nobody reads" } },
    });
    expect(call("output-stream.check-write", stream)).toEqual(CLOSED);
    expect(call("output-stream.write", stream, bytes("x"))).toEqual(CLOSED);
    expect(call("output-stream.blocking-flush", stream)).toEqual(CLOSED);
    expect(call("output-stream.write-zeroes", stream, 1n)).toEqual(CLOSED);
    expect(call("output-stream.blocking-write-and-flush", stream, bytes("x"))).toEqual(CLOSED);
  });

  it("splices what is there and fits", () => {
    const sink = new MemorySink(4);
    const stream = new OutputStream(sink);
    const source = new InputStream(new MemorySource("abcdef").end());
    expect(call("output-stream.splice", stream, source, 2n)).toEqual({ tag: "ok", val: 2n });
    expect(call("output-stream.splice", stream, source, 99n)).toEqual({ tag: "ok", val: 2n });
    expect(call("output-stream.splice", stream, source, 99n)).toEqual({ tag: "ok", val: 0n });
    sink.makeRoom(9);
    expect(call("output-stream.splice", stream, source, 99n)).toEqual({ tag: "ok", val: 2n });
    expect(call("output-stream.splice", stream, source, 99n)).toEqual(CLOSED);
    expect(sink.text).toBe("abcdef");
  });

  it("waits for both ends of a blocking splice", async () => {
    const sink = new MemorySink(0);
    const source = new MemorySource();
    const splicing = call("output-stream.blocking-splice", new OutputStream(sink), new InputStream(source), 99n);
    sink.makeRoom(9);
    await new Promise((resolve) => setImmediate(resolve));
    source.put("late");
    expect(await splicing).toEqual({ tag: "ok", val: 4n });
    expect(await call("output-stream.blocking-splice", new OutputStream(sink), new InputStream(source), 0n)).toEqual({
      tag: "ok",
      val: 0n,
    });
  });
});

describe("both together", () => {
  it("carry any bytes over in any pieces, in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 17 }),
        fc.integer({ min: 1, max: 17 }),
        async (pieces, asked, room) => {
          const sink = new MemorySink(room);
          const source = new InputStream(new MemorySource(...pieces).end());
          const target = new OutputStream(sink);
          for (;;) {
            const moving = call("output-stream.blocking-splice", target, source, BigInt(asked));
            sink.makeRoom(1);
            const moved = await moving;
            if ((moved as { tag: string }).tag === "err") break;
          }
          expect(Buffer.concat(sink.pieces)).toEqual(Buffer.concat(pieces));
        },
      ),
      { numRuns: 200 },
    );
  });
});
