import { describe, expect, it } from "vitest";
import { ownedBytes } from "../../../src/runtime/pool/owned-bytes.ts";
import { windowCost } from "../../../src/runtime/pool/protocol.ts";
import { MessageSink } from "../../../src/runtime/pool/thread/message-sink.ts";
import { fixedSource, MessageSource } from "../../../src/runtime/pool/thread/message-source.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("a source that messages fill", () => {
  it("asks once for each piece, and only when somebody wants it", async () => {
    let asked = 0;
    const source = new MessageSource({ ask: () => (asked += 1), onCancel: () => undefined });
    expect([source.isReady(), asked]).toEqual([false, 0]);
    expect(source.take(10)).toEqual({ kind: "bytes", bytes: bytes() });
    const ready = source.whenReady();
    void source.whenReady();
    expect(asked).toBe(1);
    source.give({ kind: "bytes", bytes: bytes(1, 2, 3) });
    await ready;
    expect(source.take(2)).toEqual({ kind: "bytes", bytes: bytes(1, 2) });
    expect(source.take(2)).toEqual({ kind: "bytes", bytes: bytes(3) });
    expect(asked).toBe(1);
    const end = source.whenReady();
    source.give({ kind: "end", trailers: [["a", "b"]] });
    await end;
    expect([source.take(1), source.take(1)]).toEqual([
      { kind: "end", trailers: [["a", "b"]] },
      { kind: "end", trailers: [["a", "b"]] },
    ]);
    expect(asked).toBe(2);
  });

  it("passes over empty pieces, and fails when it is told to, whether asked or not", async () => {
    let asked = 0;
    const source = new MessageSource({ ask: () => (asked += 1), onCancel: () => undefined });
    const ready = source.whenReady();
    source.give({ kind: "bytes", bytes: bytes() });
    expect([source.isReady(), asked]).toEqual([false, 2]);
    source.give({ kind: "failed", message: "gone" });
    await ready;
    source.give({ kind: "bytes", bytes: bytes(1) });
    expect(source.take(1)).toEqual({ kind: "failed", message: "gone" });
  });

  it("tells of a cancellation once, and not after the end", () => {
    let canceled = 0;
    const first = new MessageSource({ ask: () => undefined, onCancel: () => (canceled += 1) });
    first.cancel();
    first.cancel();
    const second = new MessageSource({ ask: () => undefined, onCancel: () => (canceled += 1) });
    second.give({ kind: "end", trailers: undefined });
    second.cancel();
    expect(canceled).toBe(1);
  });

  it("of fixed bytes gives them and the end, and nothing after a cancellation", () => {
    const source = fixedSource(bytes(1, 2, 3));
    expect(source.take(2)).toEqual({ kind: "bytes", bytes: bytes(1, 2) });
    source.cancel();
    expect(source.take(2)).toEqual({ kind: "end", trailers: undefined });
  });
});

describe("a sink that messages empty", () => {
  function sinkOf(windowBytes: number): MessageSink & { readonly told: string[] } {
    const told: string[] = [];
    const made = new MessageSink({
      windowBytes,
      onWrite: ({ length }) => told.push(`write ${length}`),
      onFinish: (trailers) => told.push(`finish ${trailers?.length ?? "none"}`),
      onAbort: (message) => told.push(`abort ${message}`),
      onWait: () => told.push("wait"),
    });
    return Object.assign(made, { told });
  }

  it("has room for a window, counts each write for more than its bytes, and tells once that it is waited for", async () => {
    const made = sinkOf(10_000);
    made.write(new Uint8Array(5_904));
    expect(made.room()).toBe(0);
    const waiting = [made.whenRoom(), made.whenRoom()];
    made.taken(windowCost(5_904));
    await Promise.all(waiting);
    expect(made.room()).toBe(10_000);
    expect(made.told).toEqual(["write 5904", "wait"]);
  });

  it("has no room after the end, and none when nobody takes any more", async () => {
    const finished = sinkOf(100);
    finished.finish([["a", "b"]]);
    finished.abort("late");
    finished.write(bytes(1));
    expect([finished.room(), finished.isOpen, finished.told]).toEqual([undefined, false, ["finish 1"]]);
    const failed = sinkOf(4_096);
    failed.write(bytes());
    const waiting = failed.whenRoom();
    failed.fail("reader gone");
    await waiting;
    expect([failed.room(), failed.failure]).toEqual([undefined, "reader gone"]);
    failed.finish();
    expect(failed.told).toEqual(["write 0", "wait"]);
  });
});

describe("bytes for another thread", () => {
  it("lie in a buffer of their own, copied only if they do not already", () => {
    const whole = bytes(1, 2, 3);
    expect(ownedBytes(whole)).toBe(whole);
    const part = ownedBytes(bytes(1, 2, 3, 4).subarray(1, 3));
    expect([part, part.buffer.byteLength]).toEqual([bytes(2, 3), 2]);
    const node = ownedBytes(Buffer.from("ab"));
    expect([node.constructor, node.buffer.byteLength]).toEqual([Uint8Array, 2]);
  });
});
