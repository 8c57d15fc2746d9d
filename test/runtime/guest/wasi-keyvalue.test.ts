import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { KvAnswer, KvCall } from "../../../src/providers/kv/kv.ts";
import { createMessagePump } from "../../../src/runtime/guest/message-pump.ts";
import { keyvalueInterfaces } from "../../../src/runtime/guest/wasi-keyvalue.ts";
import { openGuestLine, type GuestLine } from "./guest-line.ts";

type Interfaces = ReturnType<typeof keyvalueInterfaces>;

let line: GuestLine;
let kv: Interfaces;
beforeEach(() => {
  line = openGuestLine();
  kv = keyvalueInterfaces(createMessagePump(line.channel));
});
afterEach(() => line.close());

const answer = (given: KvAnswer): void => line.post({ kind: "kvAnswer", answer: given });
const calls = (): KvCall[] => line.said().flatMap((message) => (message.kind === "kv" ? [message.call] : []));

function call(target: unknown, name: string, ...args: unknown[]): unknown {
  const found: unknown = Reflect.get(Object(target), name);
  if (typeof found !== "function") throw new Error(`${name} is missing`);
  return Reflect.apply(found, target, args);
}

function openBucket(): unknown {
  answer({ kind: "done" });
  return call(kv["wasi:keyvalue/store"], "open", "default");
}

const thrownBy = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};

describe("wasi:keyvalue", () => {
  it("makes one call to the agent of each operation on a bucket", () => {
    const bucket = openBucket();
    answer({ kind: "value", value: Uint8Array.of(1) });
    expect(call(bucket, "get", "a")).toEqual(Uint8Array.of(1));
    answer({ kind: "done" });
    call(bucket, "set", "a", Uint8Array.of(2));
    answer({ kind: "exists", exists: true });
    expect(call(bucket, "exists", "a")).toBe(true);
    answer({ kind: "done" });
    call(bucket, "delete", "a");
    expect(calls()).toEqual([
      { kind: "open", bucket: "default" },
      { kind: "get", bucket: "default", key: "a" },
      { kind: "set", bucket: "default", key: "a", value: Uint8Array.of(2) },
      { kind: "exists", bucket: "default", key: "a" },
      { kind: "delete", bucket: "default", key: "a" },
    ]);
  });

  it("turns the provider's cursors into numbers and back, and forgets the oldest", () => {
    const bucket = openBucket();
    answer({ kind: "page", page: { keys: ["a"], cursor: "c1" } });
    expect(call(bucket, "listKeys", undefined)).toEqual({ keys: ["a"], cursor: 1n });
    answer({ kind: "page", page: { keys: [], cursor: undefined } });
    expect(call(bucket, "listKeys", 1n)).toEqual({ keys: [], cursor: undefined });
    expect(calls().at(-1)).toEqual({ kind: "listKeys", bucket: "default", cursor: "c1" });
    for (let count = 0; count < 1024; count++) {
      answer({ kind: "page", page: { keys: [], cursor: `more ${count}` } });
      call(bucket, "listKeys", undefined);
    }
    expect(thrownBy(() => call(bucket, "listKeys", 1n))).toEqual({ tag: "other", val: "cursor 1 is unknown" });
    answer({ kind: "page", page: { keys: [], cursor: undefined } });
    call(bucket, "listKeys", 2n);
    expect(calls().at(-1)).toEqual({ kind: "listKeys", bucket: "default", cursor: "more 0" });
  });

  it("counts, and refuses what a u64 or the provider cannot hold", () => {
    const bucket = openBucket();
    const increment = (delta: bigint): unknown => call(kv["wasi:keyvalue/atomics"], "increment", bucket, "n", delta);
    answer({ kind: "sum", sum: 3n });
    expect(increment(3n)).toBe(3n);
    expect(thrownBy(() => increment(1n << 63n))).toMatchObject({
      tag: "other",
      val: expect.stringContaining("more than 63 bits"),
    });
    answer({ kind: "sum", sum: -1n });
    expect(thrownBy(() => increment(0n))).toEqual({ tag: "other", val: "the sum is -1, which is no u64" });
  });

  it("reads, writes and removes many keys at once", () => {
    const bucket = openBucket();
    answer({ kind: "values", values: [Uint8Array.of(1), undefined] });
    expect(call(kv["wasi:keyvalue/batch"], "getMany", bucket, ["a", "b"])).toEqual([
      ["a", Uint8Array.of(1)],
      undefined,
    ]);
    answer({ kind: "done" });
    call(kv["wasi:keyvalue/batch"], "setMany", bucket, [["a", Uint8Array.of(9)]]);
    answer({ kind: "done" });
    call(kv["wasi:keyvalue/batch"], "deleteMany", bucket, ["a"]);
    expect(calls().slice(2)).toEqual([
      { kind: "setMany", bucket: "default", entries: [["a", Uint8Array.of(9)]] },
      { kind: "deleteMany", bucket: "default", keys: ["a"] },
    ]);
  });

  it("passes refusals on as the variants of the standard", () => {
    line.post({ kind: "kvFailed", isDenied: true, message: "no" });
    expect(thrownBy(() => call(kv["wasi:keyvalue/store"], "open", "default"))).toEqual({ tag: "access-denied" });
    line.post({ kind: "kvFailed", isDenied: false, message: "disk full" });
    expect(thrownBy(() => call(kv["wasi:keyvalue/store"], "open", "default"))).toEqual({
      tag: "other",
      val: "disk full",
    });
    answer({ kind: "sum", sum: 1n });
    expect(thrownBy(() => call(kv["wasi:keyvalue/store"], "open", "default"))).toEqual({
      tag: "other",
      val: "the agent answered open with something else",
    });
    expect(thrownBy(() => call(kv["wasi:keyvalue/store"], "open", "x".repeat(2_000)))).toMatchObject({ tag: "other" });
  });

  it("keeps news of the exchange that come while it waits", () => {
    const bucket = openBucket();
    line.post({ kind: "responseTaken", bytes: 1 });
    answer({ kind: "exists", exists: false });
    expect(call(bucket, "exists", "a")).toBe(false);
  });
});
