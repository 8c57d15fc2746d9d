import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../../../src/fault.ts";
import { kvReaderFromShared } from "../../../../src/providers/kv/shared/kv-reader.ts";
import { createSharedMemoryKv, type SharedMemoryKv } from "../../../../src/providers/kv/shared/shared-memory-kv.ts";
import { describeKvContract } from "../kv-contract.ts";
import type { HammerReport } from "./hammering-reader.ts";

const MIB = 1024 * 1024;

describeKvContract("shared memory", async (limits) =>
  createSharedMemoryKv({ memoryMaxBytes: 64 * MIB, ...(limits === undefined ? {} : { limits }) }),
);

const open = (memoryMaxBytes = MIB): SharedMemoryKv => createSharedMemoryKv({ memoryMaxBytes });
const bytes = (length: number, fill = 1): Uint8Array => new Uint8Array(length).fill(fill);
const isLimit = { asymmetricMatch: (error: unknown) => isFault(error, Reason.PROVIDER_LIMIT) };

describe("a reader of shared memory", () => {
  it("sees what the store holds after any history", async () => {
    const key = fc.constantFrom(
      "a",
      "b",
      "ä",
      "a\u0000",
      "long".repeat(50),
      ...Array.from({ length: 20 }, (_, index) => `k${index}`),
    );
    const change = fc.record({
      bucket: fc.constantFrom("one", "two"),
      keys: fc.uniqueArray(key, { minLength: 1, maxLength: 6 }),
      length: fc.option(fc.nat(3_000), { nil: undefined }),
      fill: fc.nat(255),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 60 }), async (history) => {
        const kv = open();
        const reader = kvReaderFromShared(kv.share());
        const model = new Map<string, Uint8Array>();
        for (const { bucket, keys, length, fill } of history) {
          if (length === undefined) await kv.deleteMany(bucket, keys);
          else
            await kv.setMany(
              bucket,
              keys.map((one) => [one, bytes(length, fill)]),
            );
          for (const one of keys) {
            if (length === undefined) model.delete(`${bucket} ${one}`);
            else model.set(`${bucket} ${one}`, bytes(length, fill));
          }
          for (const bucketRead of ["one", "two"]) {
            for (const one of keys) {
              const expected = model.get(`${bucketRead} ${one}`);
              const read = reader.get(bucketRead, one);
              expect(read).toEqual(expected === undefined ? { kind: "missing" } : { kind: "value", value: expected });
              expect(reader.exists(bucketRead, one)).toBe(expected !== undefined);
            }
          }
        }
        await kv.close();
      }),
      { numRuns: 200 },
    );
  });

  it("sees all of a table that has grown and shrunk", async () => {
    const kv = open(16 * MIB);
    const reader = kvReaderFromShared(kv.share());
    const keys = Array.from({ length: 10_000 }, (_, index) => `key-${index}`);
    for (let at = 0; at < keys.length; at += 250) {
      await kv.setMany(
        "b",
        keys.slice(at, at + 250).map((key) => [key, new TextEncoder().encode(key)]),
      );
    }
    for (const key of keys)
      expect(reader.get("b", key)).toEqual({ kind: "value", value: new TextEncoder().encode(key) });
    for (const key of keys.slice(100)) await kv.delete("b", key);
    for (let round = 0; round < 5_000; round += 1) {
      await kv.set("b", `other-${round}`, bytes(1));
      await kv.delete("b", `other-${round}`);
    }
    expect(keys.filter((key) => reader.exists("b", key) === true)).toEqual(keys.slice(0, 100));
    expect((await kv.listKeys("b")).keys).toHaveLength(100);
    await kv.close();
  });

  it("gets copies", async () => {
    const kv = open();
    await kv.set("b", "k", bytes(3, 7));
    const reader = kvReaderFromShared(kv.share());
    const read = reader.get("b", "k");
    if (read.kind === "value") read.value.fill(0);
    expect(read.kind === "value" && read.value.buffer instanceof SharedArrayBuffer).toBe(false);
    expect(reader.get("b", "k")).toEqual({ kind: "value", value: bytes(3, 7) });
    await kv.close();
  });

  it("leaves to the store what that refuses, and everything once it is closed", async () => {
    const kv = open();
    await kv.set("b", "k", bytes(1));
    const reader = kvReaderFromShared(kv.share());
    for (const [bucket, key] of [
      ["", "k"],
      ["b", ""],
      ["b\n", "k"],
      ["b", "\ud800"],
      ["b", "x".repeat(2_000)],
      ["b".repeat(64), "k"],
    ] as const) {
      expect(reader.get(bucket, key)).toEqual({ kind: "ask" });
      expect(reader.exists(bucket, key)).toBeUndefined();
    }
    expect(reader.exists("b", "k")).toBe(true);
    await kv.close();
    expect(reader.get("b", "k")).toEqual({ kind: "ask" });
    expect(reader.exists("b", "k")).toBeUndefined();
  });

  it("in another thread never gets a value that was not written as a whole", async () => {
    const kv = open(8 * MIB);
    const keys = ["a", "b", "c", "d"];
    const stop = new SharedArrayBuffer(4);
    const worker = new Worker(new URL("./hammering-reader.ts", import.meta.url), {
      workerData: { shared: kv.share(), keys, stop },
    });
    const report = new Promise<HammerReport>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await new Promise((resolve) => worker.once("online", resolve));
    // Every value tells its own length and fill; blocks are freed and taken again in all sizes, the table is made anew now and then.
    let random = 1;
    const next = (below: number): number => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((random / 2 ** 32) * below);
    };
    for (let turn = 0; turn < 400; turn += 1) {
      for (let count = 0; count < 100; count += 1) {
        const key = keys[next(keys.length)] ?? "a";
        if (next(10) === 0) await kv.delete("bucket", key);
        else {
          const value = bytes(4 + next(4_000), next(256));
          new DataView(value.buffer).setUint32(0, value.length);
          await kv.set("bucket", key, value);
        }
        await kv.set("filler", `f${next(3_000)}`, bytes(next(500)));
      }
      // Lets the reader find some quiet, too.
      await new Promise((resolve) => setImmediate(resolve));
    }
    Atomics.store(new Int32Array(stop), 0, 1);
    const { torn, values, missing } = await report;
    await worker.terminate();
    await kv.close();
    expect(torn).toEqual([]);
    expect(values).toBeGreaterThan(100);
    expect(missing).toBeGreaterThan(0);
  });
});

describe("memory of a shared store", () => {
  it("is bounded: a write that finds no room changes nothing, and what is deleted makes room again", async () => {
    const kv = open();
    const reader = kvReaderFromShared(kv.share());
    const half = 400 * 1024;
    await kv.set("b", "one", bytes(half));
    await expect(
      kv.setMany("b", [
        ["two", bytes(1)],
        ["three", bytes(half)],
      ]),
    ).rejects.toEqual(isLimit);
    expect(await kv.listKeys("b")).toMatchObject({ keys: ["one"] });
    expect(reader.exists("b", "two")).toBe(false);
    await kv.delete("b", "one");
    await kv.setMany("b", [
      ["two", bytes(1)],
      ["three", bytes(half)],
    ]);
    expect(reader.get("b", "three")).toEqual({ kind: "value", value: bytes(half) });
    await kv.close();
  });

  it("is not used up by any number of overwrites of any size", async () => {
    const kv = open();
    for (let count = 0; count < 3_000; count += 1) await kv.set("b", `k${count % 7}`, bytes((count * 7_919) % 30_000));
    for (let count = 0; count < 7; count += 1) await kv.delete("b", `k${count}`);
    await kv.set("b", "large", bytes(400 * 1024));
    await kv.close();
  });

  it("grows with what is written", async () => {
    const kv = open(64 * MIB);
    const { buffer } = kv.share();
    expect(buffer.byteLength).toBeLessThan(MIB);
    await kv.set("b", "k", bytes(MIB));
    expect(buffer.byteLength).toBeGreaterThan(MIB);
    expect(kvReaderFromShared(kv.share()).get("b", "k")).toEqual({ kind: "value", value: bytes(MIB) });
    await kv.close();
  });

  it.each([0, 1_000, 1.5 * MIB + 0.5, Number.NaN])("cannot be %s bytes", (memoryMaxBytes) => {
    expect(() => createSharedMemoryKv({ memoryMaxBytes })).toThrow(
      /memoryMaxBytes is not a whole number of at least 1048576/,
    );
  });
});
