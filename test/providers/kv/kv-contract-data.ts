/** Part of the key-value contract: values, buckets, keys, pages. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { allKeys, bytes, everyOperation, reason, text, type OpenEmptyKv } from "./kv-fixtures.ts";

/** What goes in comes out, and where it may be seen. */
export function describeData(open: OpenEmptyKv): void {
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
      for (const operate of everyOperation(kv, name))
        await expect(operate()).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
    });
  });

  describe("keys", () => {
    it.each(["", "\ud800", "a\udc00b"])("refuses the key %j", async (key) => {
      const kv = await open();
      await expect(kv.set("b", key, bytes("v"))).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
      await expect(kv.get("b", key)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
      await expect(
        kv.setMany("b", [
          ["good", bytes("v")],
          [key, bytes("v")],
        ]),
      ).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
      expect(await kv.exists("b", "good")).toBe(false);
    });

    it("keeps unusual keys apart and lists them as they were set", async () => {
      const kv = await open();
      const keys = [
        "a",
        "a\u0000",
        "a\u0000b",
        "\ufeffbom",
        "bom",
        "é",
        "e\u0301",
        "ﬀ",
        "💥",
        "\uffff",
        "k v",
        "'\"%_;--",
        "A",
      ];
      for (const key of keys) await kv.set("b", key, bytes(key));
      for (const key of keys)
        expect(text(await kv.get("b", key)), JSON.stringify(key)).toBe(key.replace(/^\ufeff/, ""));
      expect(await allKeys(kv, "b")).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    });

    it("lists any set of keys once each in UTF-8 byte order, on pages of any size", async () => {
      const byPageSize = [
        await open({ pageMaxKeys: 1 }),
        await open({ pageMaxKeys: 3 }),
        await open({ pageMaxKeys: 8 }),
      ];
      let buckets = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(fc.string({ unit: "binary", minLength: 1, maxLength: 6 }), { maxLength: 40 }),
          fc.constantFrom(...byPageSize),
          async (keys, kv) => {
            const bucket = `b${(buckets += 1)}`;
            await kv.setMany(
              bucket,
              keys.map((key) => [key, new Uint8Array()]),
            );
            expect(await allKeys(kv, bucket)).toEqual(
              keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
            );
          },
        ),
        { numRuns: 100 },
      );
    });
  });

  describe("pages", () => {
    it("has no cursor when the last page is exactly full", async () => {
      const kv = await open({ pageMaxKeys: 2 });
      await kv.setMany(
        "b",
        ["1", "2", "3", "4"].map((key) => [key, bytes("v")]),
      );
      const first = await kv.listKeys("b");
      expect(first.keys).toEqual(["1", "2"]);
      expect(first.cursor).toBeTypeOf("string");
      expect(await kv.listKeys("b", first.cursor)).toEqual({ keys: ["3", "4"], cursor: undefined });
    });

    it("shows a key that stays exactly once while others come and go", async () => {
      const kv = await open({ pageMaxKeys: 3 });
      const staying = Array.from({ length: 20 }, (_, index) => `s${String(index).padStart(2, "0")}`);
      await kv.setMany(
        "b",
        staying.map((key) => [key, bytes("v")]),
      );
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

    it.each([
      "",
      "x",
      "!!!!",
      "WyJiIiwiayJd=",
      "WyJiIiwiayJd\n",
      Buffer.from('["b",1]').toString("base64url"),
      Buffer.from("{}").toString("base64url"),
    ])("refuses the cursor %j", async (cursor) => {
      const kv = await open();
      await expect(kv.listKeys("b", cursor)).rejects.toEqual(reason(Reason.CURSOR_INVALID));
    });

    it("refuses a cursor of another bucket, and takes it in its own", async () => {
      const kv = await open({ pageMaxKeys: 1 });
      await kv.setMany("b", [
        ["1", bytes("v")],
        ["2", bytes("v")],
      ]);
      const { cursor } = await kv.listKeys("b");
      await expect(kv.listKeys("c", cursor)).rejects.toEqual(reason(Reason.CURSOR_INVALID));
      expect((await kv.listKeys("b", cursor)).keys).toEqual(["2"]);
    });
  });
}
