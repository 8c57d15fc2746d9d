/** What every key-value backend must do; each backend's test file calls it once. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { KvLimits, KvProvider } from "../../../src/providers/kv/kv.ts";

/** Opens an empty store; the suite closes it. */
export type OpenEmptyKv = (limits?: Partial<KvLimits>) => Promise<KvProvider>;

const text = (value: Uint8Array | undefined): string | undefined => (value === undefined ? undefined : new TextDecoder().decode(value));
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const reason = (wanted: Reason): object => expect.objectContaining({ reason: wanted });

/** All keys of a bucket, page by page. */
export async function allKeys(kv: KvProvider, bucket: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await kv.listKeys(bucket, cursor);
    keys.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return keys;
}

/** Runs the contract against one backend. */
export function describeKvContract(backend: string, openEmpty: OpenEmptyKv): void {
  describe(`the key-value contract, on ${backend}`, () => {
    const opened: KvProvider[] = [];
    const open: OpenEmptyKv = async (limits) => {
      const kv = await openEmpty(limits);
      opened.push(kv);
      return kv;
    };
    afterEach(async () => {
      for (const kv of opened.splice(0)) await kv.close();
    });

    describe("single keys", () => {
      it("gives back what was set, and nothing for a key that was not", async () => {
        const kv = await open();
        await kv.open("default");
        await kv.set("default", "a", bytes("one"));
        expect(text(await kv.get("default", "a"))).toBe("one");
        expect(await kv.get("default", "b")).toBeUndefined();
        expect(await kv.exists("default", "a")).toBe(true);
        expect(await kv.exists("default", "b")).toBe(false);
      });

      it("replaces a value", async () => {
        const kv = await open();
        await kv.set("b", "k", bytes("long value"));
        await kv.set("b", "k", bytes("x"));
        expect(text(await kv.get("b", "k"))).toBe("x");
      });

      it("keeps an empty value apart from none, and any bytes as they are", async () => {
        const kv = await open();
        const every = Uint8Array.from({ length: 256 }, (_, index) => index);
        await kv.set("b", "empty", new Uint8Array());
        await kv.set("b", "every", every);
        expect(await kv.get("b", "empty")).toEqual(new Uint8Array());
        expect(await kv.exists("b", "empty")).toBe(true);
        expect(await kv.get("b", "every")).toEqual(every);
      });

      it("takes a view into a larger buffer and a shared buffer", async () => {
        const kv = await open();
        await kv.set("b", "view", bytes("--middle--").subarray(2, 8));
        const shared = new Uint8Array(new SharedArrayBuffer(3));
        shared.set(bytes("abc"));
        await kv.set("b", "shared", shared);
        expect(text(await kv.get("b", "view"))).toBe("middle");
        expect(text(await kv.get("b", "shared"))).toBe("abc");
      });

      it("copies values in and out", async () => {
        const kv = await open();
        const mine = Buffer.from("mine");
        await kv.set("b", "k", mine);
        mine.fill(0);
        const got = await kv.get("b", "k");
        expect(text(got)).toBe("mine");
        got?.fill(0);
        expect(text(await kv.get("b", "k"))).toBe("mine");
        expect(text((await kv.getMany("b", ["k"]))[0])).toBe("mine");
      });

      it("deletes a key, and does not mind a missing one", async () => {
        const kv = await open();
        await kv.set("b", "k", bytes("v"));
        await kv.delete("b", "k");
        await kv.delete("b", "k");
        await kv.delete("never used", "k");
        expect(await kv.exists("b", "k")).toBe(false);
        expect(await allKeys(kv, "b")).toEqual([]);
      });
    });

    describe("buckets", () => {
      it("keeps keys of one bucket out of sight of another in every operation", async () => {
        const kv = await open();
        await kv.set("one", "k", bytes("1"));
        expect(await kv.get("two", "k")).toBeUndefined();
        expect(await kv.exists("two", "k")).toBe(false);
        expect(await allKeys(kv, "two")).toEqual([]);
        expect(await kv.getMany("two", ["k"])).toEqual([undefined]);
        expect(await kv.increment("two", "k", 5n)).toBe(5n);
        await kv.delete("two", "k");
        await kv.deleteMany("two", ["k"]);
        expect(text(await kv.get("one", "k"))).toBe("1");
      });

      it("tells apart names and keys whose joined text is the same", async () => {
        const kv = await open();
        await kv.set("a", "bc", bytes("1"));
        await kv.set("ab", "c", bytes("2"));
        expect(text(await kv.get("a", "bc"))).toBe("1");
        expect(await allKeys(kv, "ab")).toEqual(["c"]);
      });

      it.each(["", "a\nb", "a\u0000", "\ud800"])("refuses the bucket name %j in every operation", async (name) => {
        const kv = await open();
        for (const operate of everyOperation(kv, name)) await expect(operate()).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
      });
    });

    describe("keys", () => {
      it.each(["", "\ud800", "a\udc00b"])("refuses the key %j", async (key) => {
        const kv = await open();
        await expect(kv.set("b", key, bytes("v"))).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        await expect(kv.get("b", key)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        await expect(kv.setMany("b", [["good", bytes("v")], [key, bytes("v")]])).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        expect(await kv.exists("b", "good")).toBe(false);
      });

      it("keeps unusual keys apart and lists them as they were set", async () => {
        const kv = await open();
        const keys = ["a", "a\u0000", "a\u0000b", "\ufeffbom", "bom", "é", "e\u0301", "ﬀ", "💥", "\uffff", "k v", "'\"%_;--", "A"];
        for (const key of keys) await kv.set("b", key, bytes(key));
        for (const key of keys) expect(text(await kv.get("b", key)), JSON.stringify(key)).toBe(key.replace(/^\ufeff/, ""));
        expect(await allKeys(kv, "b")).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      });

      it("lists any set of keys once each in UTF-8 byte order, on pages of any size", async () => {
        const byPageSize = [await open({ pageMaxKeys: 1 }), await open({ pageMaxKeys: 3 }), await open({ pageMaxKeys: 8 })];
        let buckets = 0;
        await fc.assert(
          fc.asyncProperty(fc.uniqueArray(fc.string({ unit: "binary", minLength: 1, maxLength: 6 }), { maxLength: 40 }), fc.constantFrom(...byPageSize), async (keys, kv) => {
            const bucket = `b${(buckets += 1)}`;
            await kv.setMany(bucket, keys.map((key) => [key, new Uint8Array()]));
            expect(await allKeys(kv, bucket)).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
          }),
          { numRuns: 100 },
        );
      });
    });

    describe("pages", () => {
      it("has no cursor when the last page is exactly full", async () => {
        const kv = await open({ pageMaxKeys: 2 });
        await kv.setMany("b", ["1", "2", "3", "4"].map((key) => [key, bytes("v")]));
        const first = await kv.listKeys("b");
        expect(first.keys).toEqual(["1", "2"]);
        expect(first.cursor).toBeTypeOf("string");
        expect(await kv.listKeys("b", first.cursor)).toEqual({ keys: ["3", "4"], cursor: undefined });
      });

      it("shows a key that stays exactly once while others come and go", async () => {
        const kv = await open({ pageMaxKeys: 3 });
        const staying = Array.from({ length: 20 }, (_, index) => `s${String(index).padStart(2, "0")}`);
        await kv.setMany("b", staying.map((key) => [key, bytes("v")]));
        await kv.set("b", "s02x", bytes("v"));
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page: { keys: readonly string[]; cursor: string | undefined } = await kv.listKeys("b", cursor);
          seen.push(...page.keys);
          cursor = page.cursor;
          // Also the key that the cursor stands after goes away.
          await kv.delete("b", "s02x");
          await kv.set("b", `a${seen.length}`, bytes("before the cursor"));
          await kv.set("b", "s19x", bytes("after the cursor"));
        } while (cursor !== undefined);
        expect(seen.filter((key) => staying.includes(key))).toEqual(staying);
        expect(seen).toContain("s19x");
      });

      it.each(["", "x", "!!!!", "WyJiIiwiayJd=", "WyJiIiwiayJd\n", Buffer.from('["b",1]').toString("base64url"), Buffer.from("{}").toString("base64url")])(
        "refuses the cursor %j",
        async (cursor) => {
          const kv = await open();
          await expect(kv.listKeys("b", cursor)).rejects.toEqual(reason(Reason.CURSOR_INVALID));
        },
      );

      it("refuses a cursor of another bucket, and takes it in its own", async () => {
        const kv = await open({ pageMaxKeys: 1 });
        await kv.setMany("b", [["1", bytes("v")], ["2", bytes("v")]]);
        const { cursor } = await kv.listKeys("b");
        await expect(kv.listKeys("c", cursor)).rejects.toEqual(reason(Reason.CURSOR_INVALID));
        expect((await kv.listKeys("b", cursor)).keys).toEqual(["2"]);
      });
    });

    describe("increment", () => {
      it("counts from nothing, up and down, and stores decimal digits", async () => {
        const kv = await open();
        expect(await kv.increment("b", "n", 5n)).toBe(5n);
        expect(await kv.increment("b", "n", -7n)).toBe(-2n);
        expect(await kv.increment("b", "n", 0n)).toBe(-2n);
        expect(text(await kv.get("b", "n"))).toBe("-2");
        await kv.set("b", "n", bytes("41"));
        expect(await kv.increment("b", "n", 1n)).toBe(42n);
      });

      it("loses no increment when many run at once", async () => {
        const kv = await open();
        const sums = await Promise.all(Array.from({ length: 200 }, () => kv.increment("b", "n", 1n)));
        expect(new Set(sums).size).toBe(200);
        expect(text(await kv.get("b", "n"))).toBe("200");
      });

      it("reaches both ends of 64 bits and refuses the step beyond, without a change", async () => {
        const kv = await open();
        const max = 2n ** 63n - 1n;
        expect(await kv.increment("b", "max", max)).toBe(max);
        await expect(kv.increment("b", "max", 1n)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        expect(text(await kv.get("b", "max"))).toBe(String(max));
        expect(await kv.increment("b", "min", -(2n ** 63n))).toBe(-(2n ** 63n));
        await expect(kv.increment("b", "min", -1n)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        await expect(kv.increment("b", "new", 2n ** 63n)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        expect(await kv.exists("b", "new")).toBe(false);
      });

      it.each(["", "x", "1.5", "+1", "01", "-0", " 1", "1\n", "0x10", "9223372036854775808", "１"])("refuses the stored value %j and keeps it", async (value) => {
        const kv = await open();
        await kv.set("b", "n", bytes(value));
        await expect(kv.increment("b", "n", 1n)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        expect(text(await kv.get("b", "n"))).toBe(value);
      });
    });

    describe("batches", () => {
      it("reads, writes and deletes many", async () => {
        const kv = await open();
        await kv.setMany("b", [["1", bytes("one")], ["2", bytes("two")], ["1", bytes("uno")]]);
        expect((await kv.getMany("b", ["2", "nothing", "1", "2"])).map(text)).toEqual(["two", undefined, "uno", "two"]);
        await kv.deleteMany("b", ["1", "nothing", "1"]);
        expect(await allKeys(kv, "b")).toEqual(["2"]);
      });

      it("takes empty batches", async () => {
        const kv = await open();
        await kv.setMany("b", []);
        await kv.deleteMany("b", []);
        expect(await kv.getMany("b", [])).toEqual([]);
      });

      it("writes nothing of a batch of which one entry is refused, and all of it otherwise", async () => {
        const kv = await open({ valueMaxBytes: 4 });
        await kv.set("b", "1", bytes("old"));
        await expect(kv.setMany("b", [["1", bytes("new")], ["2", bytes("12345")]])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
        expect(text(await kv.get("b", "1"))).toBe("old");
        await kv.setMany("b", [["1", bytes("new")], ["2", bytes("1234")]]);
        expect(text(await kv.get("b", "1"))).toBe("new");
      });

      it("writes nothing of a batch that as a whole does not fit into the bucket", async () => {
        const kv = await open({ bucketMaxBytes: 10 });
        await expect(kv.setMany("b", [["1", bytes("1234")], ["2", bytes("12345")]])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
        expect(await allKeys(kv, "b")).toEqual([]);
        await kv.setMany("b", [["1", bytes("1234")], ["2", bytes("1234")]]);
        expect(await allKeys(kv, "b")).toEqual(["1", "2"]);
      });

      it("deletes nothing of a batch of which one key is refused", async () => {
        const kv = await open();
        await kv.set("b", "1", bytes("v"));
        await expect(kv.deleteMany("b", ["1", ""])).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        expect(await kv.exists("b", "1")).toBe(true);
      });
    });

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
        await expect(kv.setMany("b", [entry("1"), entry("2"), entry("3")])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
        await expect(kv.getMany("b", ["1", "2", "3"])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
        await expect(kv.deleteMany("b", ["1", "2", "3"])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      });

      it("moves at most so many bytes in one batch, in and out", async () => {
        const kv = await open({ batchMaxBytes: 4 });
        await kv.setMany("b", [["1", bytes("12")], ["2", bytes("34")]]);
        await expect(kv.setMany("b", [["1", bytes("12")], ["2", bytes("345")]])).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
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
        await kv.setMany("b", [["1", bytes("v")], ["2", bytes("v")]]);
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
              const size = (map: Map<string, number>): number => [...map].reduce((sum, [name, length]) => sum + name.length + length, 0);
              const fits = size(next) <= bucketMaxBytes;
              const done = await (one.kind === "delete" ? kv.deleteMany(bucket, one.keys) : kv.setMany(bucket, one.entries)).then(
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

      it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("cannot be opened with a limit of %d", async (keyMaxBytes) => {
        await expect(openEmpty({ keyMaxBytes })).rejects.toEqual(reason(Reason.LIMIT_INVALID));
      });
    });

    it("refuses every operation once it is closed, and may be closed twice", async () => {
      const kv = await openEmpty();
      await kv.set("b", "k", bytes("v"));
      await kv.close();
      await kv.close();
      for (const operate of everyOperation(kv, "b")) await expect(operate()).rejects.toEqual(reason(Reason.PROVIDER_STOPPED));
    });
  });
}

function everyOperation(kv: KvProvider, bucket: string): (() => Promise<unknown>)[] {
  return [
    () => kv.open(bucket),
    () => kv.get(bucket, "k"),
    () => kv.set(bucket, "k", new Uint8Array(1)),
    () => kv.delete(bucket, "k"),
    () => kv.exists(bucket, "k"),
    () => kv.listKeys(bucket),
    () => kv.increment(bucket, "k", 1n),
    () => kv.getMany(bucket, ["k"]),
    () => kv.setMany(bucket, [["k", new Uint8Array(1)]]),
    () => kv.deleteMany(bucket, ["k"]),
  ];
}
