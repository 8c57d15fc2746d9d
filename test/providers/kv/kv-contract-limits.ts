/** Part of the key-value contract: limits, each with the case that is just within. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { allKeys, bytes, reason, text, type OpenEmptyKv } from "./kv-fixtures.ts";

/** What is refused for its size. */
export function describeLimits(open: OpenEmptyKv): void {
  describe("limits", () => {
    it("takes a bucket name of the longest length and refuses one byte more", async () => {
      const kv = await open({ bucketNameMaxBytes: 4 });
      await kv.open("éé");
      await expect(kv.open("ééx")).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
    });

    it("takes a key of the longest length and refuses one byte more", async () => {
      const kv = await open({ keyMaxBytes: 4 });
      await kv.set("b", "éé", bytes("v"));
      await expect(kv.set("b", "ééx", bytes("v"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      await expect(kv.increment("b", "ééx", 1n)).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
    });

    it("takes a value of the longest length and refuses one byte more", async () => {
      const kv = await open({ valueMaxBytes: 3 });
      await kv.set("b", "k", bytes("123"));
      await expect(kv.set("b", "k", bytes("1234"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      expect(text(await kv.get("b", "k"))).toBe("123");
      expect(await kv.increment("b", "k", 800n)).toBe(923n);
      await expect(kv.increment("b", "k", 800n)).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      expect(text(await kv.get("b", "k"))).toBe("923");
    });

    it("takes a batch of the most keys and refuses one more, in every batch operation", async () => {
      const kv = await open({ batchMaxKeys: 2 });
      const entry = (key: string): [string, Uint8Array] => [key, bytes("v")];
      await kv.setMany("b", [entry("1"), entry("2")]);
      expect(await kv.getMany("b", ["1", "2"])).toHaveLength(2);
      await kv.deleteMany("b", ["1", "2"]);
      await expect(kv.setMany("b", [entry("1"), entry("2"), entry("3")])).rejects.toEqual(
        reason(Reason.PROVIDER_LIMIT),
      );
      await expect(kv.getMany("b", ["1", "2", "3"])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      await expect(kv.deleteMany("b", ["1", "2", "3"])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
    });

    it("moves at most so many bytes in one batch, in and out", async () => {
      const kv = await open({ batchMaxBytes: 4 });
      await kv.setMany("b", [
        ["1", bytes("12")],
        ["2", bytes("34")],
      ]);
      await expect(
        kv.setMany("b", [
          ["1", bytes("12")],
          ["2", bytes("345")],
        ]),
      ).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      expect(await kv.getMany("b", ["1", "2"])).toHaveLength(2);
      await expect(kv.getMany("b", ["1", "2", "1"])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
    });

    it("fills a bucket to its last byte, refuses more, and has room again after a delete", async () => {
      const kv = await open({ bucketMaxBytes: 10 });
      await kv.set("b", "12345", bytes("12345"));
      await expect(kv.set("b", "k", bytes(""))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      await expect(kv.set("b", "12345", bytes("123456"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      await expect(kv.increment("b", "k", 1n)).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      await kv.set("b", "12345", bytes("54321"));
      await kv.set("other bucket", "12345", bytes("12345"));
      await kv.set("b", "12345", bytes("1"));
      await kv.set("b", "k", bytes("123"));
      await kv.delete("b", "12345");
      await kv.set("b", "x", bytes("12345"));
      await expect(kv.set("b", "x", bytes("123456"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
    });

    it("holds at most so many keys in a bucket, and has room again after a delete", async () => {
      const kv = await open({ bucketMaxKeys: 2 });
      await kv.setMany("b", [
        ["1", bytes("v")],
        ["2", bytes("v")],
      ]);
      await expect(kv.set("b", "3", bytes("v"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      await kv.set("b", "2", bytes("w"));
      await kv.deleteMany("b", ["1", "not there"]);
      await kv.set("b", "3", bytes("v"));
      expect(await allKeys(kv, "b")).toEqual(["2", "3"]);
    });

    it("never counts wrong, whatever is written, deleted and refused", async () => {
      const key = fc.constantFrom("a", "bb", "ccc", "dddd");
      const value = fc.integer({ min: 0, max: 9 }).map((length) => new Uint8Array(length));
      const step = fc.oneof(
        fc.record({ kind: fc.constant("set" as const), entries: fc.array(fc.tuple(key, value), { maxLength: 4 }) }),
        fc.record({ kind: fc.constant("delete" as const), keys: fc.array(key, { maxLength: 4 }) }),
      );
      const bucketMaxBytes = 24;
      const kv = await open({ bucketMaxBytes });
      let buckets = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const bucket = `b${(buckets += 1)}`;
          let model = new Map<string, number>();
          for (const one of steps) {
            const next = new Map(model);
            if (one.kind === "delete") for (const gone of one.keys) next.delete(gone);
            else for (const [name, content] of one.entries) next.set(name, content.byteLength);
            const size = (map: Map<string, number>): number =>
              [...map].reduce((sum, [name, length]) => sum + name.length + length, 0);
            const fits = size(next) <= bucketMaxBytes;
            const done = await (
              one.kind === "delete" ? kv.deleteMany(bucket, one.keys) : kv.setMany(bucket, one.entries)
            ).then(
              () => true,
              () => false,
            );
            expect(done).toBe(fits);
            if (fits) model = next;
            expect(await allKeys(kv, bucket)).toEqual([...model.keys()].toSorted());
          }
        }),
        { numRuns: 100 },
      );
    });

    it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
      "cannot be opened with a limit of %d",
      async (keyMaxBytes) => {
        await expect(open({ keyMaxBytes })).rejects.toEqual(reason(Reason.LIMIT_INVALID));
      },
    );
  });
}
