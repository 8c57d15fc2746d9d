/** Part of the key-value contract: counting and batches. */
import { describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { allKeys, bytes, reason, text, type OpenEmptyKv } from "./kv-fixtures.ts";

/** What changes as one step. */
export function describeChanges(open: OpenEmptyKv): void {
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

    it.each(["", "x", "1.5", "+1", "01", "-0", " 1", "1\n", "0x10", "9223372036854775808", "１"])(
      "refuses the stored value %j and keeps it",
      async (value) => {
        const kv = await open();
        await kv.set("b", "n", bytes(value));
        await expect(kv.increment("b", "n", 1n)).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
        expect(text(await kv.get("b", "n"))).toBe(value);
      },
    );
  });

  describe("compareAndSwap", () => {
    it("writes if the value is the expected one, and otherwise says what it is and changes nothing", async () => {
      const kv = await open();
      expect(await kv.compareAndSwap("b", "k", undefined, bytes("one"))).toEqual({ isSwapped: true });
      expect(await kv.compareAndSwap("b", "k", undefined, bytes("two"))).toEqual({
        isSwapped: false,
        current: bytes("one"),
      });
      expect(await kv.compareAndSwap("b", "k", bytes("on"), bytes("two"))).toEqual({
        isSwapped: false,
        current: bytes("one"),
      });
      expect(text(await kv.get("b", "k"))).toBe("one");
      expect(await kv.compareAndSwap("b", "k", bytes("one"), bytes("two"))).toEqual({ isSwapped: true });
      expect(text(await kv.get("b", "k"))).toBe("two");
    });

    it("tells an empty value from none", async () => {
      const kv = await open();
      expect(await kv.compareAndSwap("b", "k", new Uint8Array(), bytes("v"))).toEqual({
        isSwapped: false,
        current: undefined,
      });
      await kv.set("b", "k", new Uint8Array());
      expect(await kv.compareAndSwap("b", "k", undefined, bytes("v"))).toEqual({
        isSwapped: false,
        current: new Uint8Array(),
      });
      expect(await kv.compareAndSwap("b", "k", new Uint8Array(), bytes("v"))).toEqual({ isSwapped: true });
    });

    it("lets exactly one of many win", async () => {
      const kv = await open();
      await kv.set("b", "k", bytes("start"));
      const swaps = await Promise.all(
        Array.from({ length: 50 }, (_, index) => kv.compareAndSwap("b", "k", bytes("start"), bytes(`winner ${index}`))),
      );
      expect(swaps.filter(({ isSwapped }) => isSwapped)).toHaveLength(1);
    });

    it("keeps to the limit of a value, and takes one that just fits", async () => {
      const kv = await open({ valueMaxBytes: 4 });
      await expect(kv.compareAndSwap("b", "k", undefined, bytes("12345"))).rejects.toEqual(
        reason(Reason.PROVIDER_LIMIT),
      );
      expect(await kv.exists("b", "k")).toBe(false);
      expect(await kv.compareAndSwap("b", "k", undefined, bytes("1234"))).toEqual({ isSwapped: true });
    });
  });

  describe("batches", () => {
    it("reads, writes and deletes many", async () => {
      const kv = await open();
      await kv.setMany("b", [
        ["1", bytes("one")],
        ["2", bytes("two")],
        ["1", bytes("uno")],
      ]);
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
      await expect(
        kv.setMany("b", [
          ["1", bytes("new")],
          ["2", bytes("12345")],
        ]),
      ).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      expect(text(await kv.get("b", "1"))).toBe("old");
      await kv.setMany("b", [
        ["1", bytes("new")],
        ["2", bytes("1234")],
      ]);
      expect(text(await kv.get("b", "1"))).toBe("new");
    });

    it("writes nothing of a batch that as a whole does not fit into the bucket", async () => {
      const kv = await open({ bucketMaxBytes: 10 });
      await expect(
        kv.setMany("b", [
          ["1", bytes("1234")],
          ["2", bytes("12345")],
        ]),
      ).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
      expect(await allKeys(kv, "b")).toEqual([]);
      await kv.setMany("b", [
        ["1", bytes("1234")],
        ["2", bytes("1234")],
      ]);
      expect(await allKeys(kv, "b")).toEqual(["1", "2"]);
    });

    it("deletes nothing of a batch of which one key is refused", async () => {
      const kv = await open();
      await kv.set("b", "1", bytes("v"));
      await expect(kv.deleteMany("b", ["1", ""])).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
      expect(await kv.exists("b", "1")).toBe(true);
    });
  });
}
