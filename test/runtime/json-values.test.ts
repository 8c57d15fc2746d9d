import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../src/fault.ts";
import type { FunctionType, ValueType } from "../../src/runtime/core-module.ts";
import { jsonFromWasm, wasmFromJson } from "../../src/runtime/json-values.ts";

const RUNS = { numRuns: 1_000 };
const taking = (...parameters: ValueType[]): FunctionType => ({ parameters, results: [] });
const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("JSON values and WebAssembly values", () => {
  it("come back as they were, of every type, also by way of JSON text", () => {
    const valueOf: Record<"i32" | "i64" | "f32" | "f64", fc.Arbitrary<number | bigint>> = {
      i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      f32: fc.float(),
      f64: fc.double(),
    };
    const typed = fc
      .constantFrom("i32", "i64", "f32", "f64")
      .chain((type) => valueOf[type].map((value) => ({ type, value })));
    fc.assert(
      fc.property(fc.array(typed, { maxLength: 6 }), (items) => {
        const json = overTheWire(jsonFromWasm(items.map(({ value }) => value)));
        if (!Array.isArray(json)) throw new Error("no array");
        const back = wasmFromJson("f", taking(...items.map(({ type }) => type)), json);
        // JSON has no negative zero.
        expect(back.map((value) => (value === 0 ? 0 : value))).toEqual(
          items.map(({ value }) => (value === 0 ? 0 : value)),
        );
      }),
      RUNS,
    );
  });

  it("take unsigned integers for what they are as bits", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(wasmFromJson("f", taking("i64"), [value.toString()])).toEqual([BigInt.asIntN(64, value)]);
        expect(wasmFromJson("f", taking("i32"), [Number(BigInt.asUintN(32, value))])).toEqual([
          Number(BigInt.asIntN(32, value)),
        ]);
      }),
      RUNS,
    );
  });

  it("refuse everything else with a fault that names the argument, and never by another error", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<ValueType>("i32", "i64", "f32", "f64", "v128", "reference"),
        fc.jsonValue(),
        (type, given) => {
          try {
            const [value] = wasmFromJson("f", taking("i32", type), [0, given]).slice(1);
            expect(typeof value).toBe(type === "i64" ? "bigint" : "number");
          } catch (error) {
            if (!isFault(error, Reason.ARGUMENT_INVALID)) throw error;
            expect(error.subject).toBe("args[1]");
          }
        },
      ),
      RUNS,
    );
  });

  it.each([
    ["i32", 1.5],
    ["i32", -(2 ** 31) - 1],
    ["i64", 2 ** 53],
    ["i64", "18446744073709551616"],
    ["i64", "-9223372036854775809"],
    ["i64", "1e3"],
    ["i64", ""],
    ["i64", 1n],
    ["f32", 1e39],
    ["f32", "1"],
    ["f64", "nan"],
    ["f64", "toString"],
    ["f64", { valueOf: 1 }],
    ["i32", undefined],
  ] as const)("refuse for %s: %s", (type, given) => {
    expect(() => wasmFromJson("f", taking(type), [given])).toThrow(/argument 1 must be/);
  });

  it("refuse a call whose result JSON cannot carry, and shorten what was given", () => {
    expect(() => wasmFromJson("f", { parameters: [], results: ["v128"] }, [])).toThrow(
      "it returns a v128, which JSON cannot carry",
    );
    expect(() => wasmFromJson("f", taking("i32"), ["x".repeat(1_000)])).toThrow(/\(got "x{59}…\)$/);
  });
});
