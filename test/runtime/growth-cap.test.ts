import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import {
  capGrowth,
  initialSizes,
  sharedMemoryPages,
  sharedTableEntries,
  TABLE_ENTRIES_MAX,
} from "../../src/runtime/growth-cap.ts";
import { lebFromUnsigned, WasmReader } from "../../src/runtime/wasm-reader.ts";
import { wasmFromWat } from "./wat.ts";

/** A module with one memory and one table, and functions that grow them. */
function growing(
  memory: { initial: number; maximum: number | undefined },
  table: { initial: number; maximum: number | undefined },
): Uint8Array {
  return wasmFromWat(`(module
    (memory (export "memory") ${memory.initial} ${memory.maximum ?? ""})
    (table (export "table") ${table.initial} ${table.maximum ?? ""} funcref)
    (data (i32.const 0) "kept")
    (func (export "pages") (result i32) memory.size))`);
}

const growable = (max: number): fc.Arbitrary<{ initial: number; maximum: number | undefined }> =>
  fc
    .tuple(fc.nat({ max }), fc.option(fc.nat({ max }), { nil: undefined }))
    .map(([initial, extra]) => ({ initial, maximum: extra === undefined ? undefined : initial + extra }));

describe("capping what a module may grow to", () => {
  it("lets memory and table grow exactly to the smaller of their own maximum and the cap, and changes nothing else", () => {
    fc.assert(
      fc.property(
        growable(40),
        growable(500),
        fc.nat({ max: 80 }),
        fc.nat({ max: 1_000 }),
        (memory, table, pages, entries) => {
          const memoryCap = Math.max(pages, memory.initial, 1);
          const tableCap = Math.max(entries, table.initial);
          const module = growing(
            {
              ...memory,
              initial: Math.max(memory.initial, 1),
              maximum: memory.maximum === undefined ? undefined : Math.max(memory.maximum, 1),
            },
            table,
          );
          const capped = capGrowth(module, { memoryPages: [BigInt(memoryCap)], tableEntries: [BigInt(tableCap)] });
          const { exports } = new WebAssembly.Instance(new WebAssembly.Module(capped));
          const grown = exports["memory"];
          const grownTable = exports["table"];
          if (!(grown instanceof WebAssembly.Memory) || !(grownTable instanceof WebAssembly.Table))
            throw new Error("exports are missing");
          expect(Buffer.from(grown.buffer, 0, 4).toString()).toBe("kept");
          const memoryMax = Math.min(memoryCap, Math.max(memory.maximum ?? memoryCap, 1));
          const tableMax = Math.min(tableCap, table.maximum ?? tableCap);
          const pagesNow = grown.buffer.byteLength / 65_536;
          expect(() => grown.grow(memoryMax - pagesNow + 1)).toThrow(RangeError);
          grown.grow(memoryMax - pagesNow);
          expect(grown.buffer.byteLength).toBe(memoryMax * 65_536);
          expect(() => grownTable.grow(tableMax - grownTable.length + 1)).toThrow(RangeError);
          grownTable.grow(tableMax - grownTable.length);
          expect(grownTable.length).toBe(tableMax);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("is done after once: a second time changes nothing", () => {
    const module = growing({ initial: 1, maximum: undefined }, { initial: 0, maximum: undefined });
    const caps = { memoryPages: [7n], tableEntries: [9n] };
    const once = capGrowth(module, caps);
    expect(capGrowth(once, caps)).toEqual(once);
    expect(initialSizes(once)).toEqual({ memoryPages: [1n], tableEntries: [0n] });
  });

  it("leaves a module without memory and table as it is", () => {
    const module = wasmFromWat('(module (func (export "f")))');
    expect(capGrowth(module, { memoryPages: [], tableEntries: [] })).toEqual(module);
  });

  it("shares a limit so that all together never exceed it, and one alone gets it all", () => {
    fc.assert(
      fc.property(
        fc.array(fc.bigInt({ min: 0n, max: 1_000n }), { maxLength: 8 }),
        fc.nat({ max: 30_000 }),
        (initial, max) => {
          const sum = initial.reduce((total, pages) => total + pages, 0n);
          if (sum > BigInt(max)) {
            expect(() => sharedMemoryPages(initial, max)).toThrow(/memoryMaxBytes allows/);
            return;
          }
          const shares = sharedMemoryPages(initial, max);
          expect(shares.reduce((total, pages) => total + pages, 0n) <= BigInt(max)).toBe(true);
          expect(shares.every((share, index) => share >= (initial[index] ?? 0n))).toBe(true);
          if (initial.length === 1) expect(shares).toEqual([BigInt(max)]);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("refuses tables that begin above the limit, and takes those at it", () => {
    expect(sharedTableEntries([TABLE_ENTRIES_MAX])).toEqual([TABLE_ENTRIES_MAX]);
    expect(() => sharedTableEntries([TABLE_ENTRIES_MAX, 1n])).toThrow(
      expect.objectContaining({ reason: Reason.MODULE_KIND_UNSUPPORTED }),
    );
  });
});

describe("numbers of the binary format", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const bytes = Uint8Array.from(lebFromUnsigned(value));
        expect(new WasmReader(bytes, 0, bytes.length).u64()).toBe(value);
      }),
      { numRuns: 1_000 },
    );
  });
});
