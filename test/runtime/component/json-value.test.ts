import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../../src/fault.ts";
import type { ComponentPlan } from "../../../src/runtime/component/component-plan.ts";
import { jsonFromResult, valuesFromJson } from "../../../src/runtime/component/json-value.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { typeTrees, valuesOf } from "./arbitrary-type.ts";
import { componentFromWat } from "./component-guest.ts";
import { echoWat } from "./echo-component.ts";

/** A plan in which function type 0 takes and gives \`type\`. */
async function planOf(type: string): Promise<ComponentPlan> {
  const bytes = await componentFromWat(`(component
    (import "h" (instance
      (export "r" (type $r (sub resource)))
      (type $point (record (field "x" f64) (field "note" (option string))))
      (type $shape (variant (case "empty") (case "dot" $point)))
      (type $color (enum "red" "green"))
      (type $rights (flags "read" "write"))
      (type $price (record (field "price" f64)))
      (type $order (record (field "items" (list $price))))
      (export "f" (func (param "x" ${type}) (result ${type}))))))`);
  return planFromBytes(bytes).plan;
}

async function through(type: string, json: unknown): Promise<unknown> {
  const plan = await planOf(type);
  const [value] = valuesFromJson({ plan, type: 0, name: "a:b/c#f" }, [json]);
  return jsonFromResult({ plan, type: 0 }, value)[0];
}

describe("JSON to WIT values and back", () => {
  it("keeps values of any type", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        typeTrees.chain((type) =>
          fc.tuple(fc.constant(type), fc.array(valuesOf(type), { minLength: 5, maxLength: 5 })),
        ),
        async ([type, values]) => {
          const { plan } = planFromBytes(await componentFromWat(echoWat(type)));
          for (const value of values) {
            const json = JSON.stringify(jsonFromResult({ plan, type: 0 }, value)[0]);
            // -0 has no JSON form of its own.
            expect(valuesFromJson({ plan, type: 0, name: "f" }, [JSON.parse(json)])).toEqual(
              withoutNegativeZero([value]),
            );
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([
    ["u8", 255, 255],
    ["s64", "-9223372036854775808", "-9223372036854775808"],
    ["u64", 9_007_199_254_740_991, "9007199254740991"],
    ["f64", "NaN", "NaN"],
    ["f32", 0.1, Math.fround(0.1)],
    ["f64", "-Infinity", "-Infinity"],
    ["char", "😀", "😀"],
    ["string", "toString", "toString"],
    ["(list u8)", "base64:AQID", [1, 2, 3]],
    ["(list u8)", [1, 2, 3], [1, 2, 3]],
    ["(list bool)", [true], [true]],
    ["(tuple u8 string)", [1, "a"], [1, "a"]],
    ["$point", { x: 1 }, { x: 1, note: null }],
    ["$shape", "empty", "empty"],
    ["$shape", { empty: null }, "empty"],
    ["$shape", { dot: { x: 1, note: "n" } }, { dot: { x: 1, note: "n" } }],
    ["$color", "green", "green"],
    ["$rights", ["write"], ["write"]],
    ["(option u8)", null, null],
    ["(option u8)", 3, 3],
    ["(option (option u8))", null, null],
    ["(option (option u8))", { some: null }, { some: null }],
    ["(option (option u8))", { some: 3 }, { some: 3 }],
    ["(result u8 (error string))", { ok: 1 }, { ok: 1 }],
    ["(result u8 (error string))", { error: "no" }, { error: "no" }],
    ["(result)", { ok: null }, { ok: null }],
  ])("takes for %s %j", async (type, given, expected) => {
    expect(await through(type, given)).toEqual(expected);
  });

  it.each([
    ["u8", 256, "argument 1: expected u8, a whole number from 0 to 255, got number 256"],
    ["u8", 1.5, "argument 1: expected u8, a whole number from 0 to 255, got number 1.5"],
    [
      "u64",
      "-1",
      'argument 1: expected u64, a string of decimal digits (or a safe integer) from 0 to 18446744073709551615, got string "-1"',
    ],
    ["u64", 2 ** 60, "got number 1152921504606847000"],
    ["f64", "x", 'argument 1: expected f64, a number or "NaN", "Infinity", "-Infinity", got string "x"'],
    ["f32", 1e300, "got number 1e+300"],
    ["char", "ab", 'argument 1: expected char, a string of one character, got string "ab"'],
    ["bool", 1, "argument 1: expected a boolean, got number 1"],
    ["string", null, "argument 1: expected a string, got null"],
    ["(list u8)", [1, 300], "argument 1 [1]: expected u8, a whole number from 0 to 255, got number 300"],
    ["(list u8)", "AQID", 'argument 1: expected an array of numbers, or "base64:...", got string "AQID"'],
    ["(list bool)", {}, "argument 1: expected an array, got an object"],
    ["(tuple u8 u8)", [1], "argument 1: expected an array of 2, got an array of 1"],
    [
      "$order",
      { items: [{ price: 1 }, { price: "x" }] },
      'argument 1 .items[1].price: expected f64, a number or "NaN", "Infinity", "-Infinity", got string "x"',
    ],
    ["$point", { note: "a" }, "argument 1 .x: expected f64"],
    ["$point", { x: 1, y: 2 }, "argument 1 .y: expected no such field (an object with x, note), got number 2"],
    ["$point", [], "argument 1: expected an object with x, note, got an array of 0"],
    ["$shape", "dot", 'argument 1: expected one of "empty", {"dot": ...}, got string "dot"'],
    ["$shape", { empty: 1 }, "argument 1 .empty: expected null, as it has no payload, got number 1"],
    ["$shape", { dot: 1 }, "argument 1 .dot: expected an object with x, note, got number 1"],
    ["$shape", { constructor: 1 }, 'argument 1: expected one of "empty", {"dot": ...}, got an object'],
    ["$color", "blue", 'argument 1: expected one of red, green, got string "blue"'],
    ["$rights", ["read", "run"], 'argument 1 [1]: expected one of read, write, got string "run"'],
    ["(option (option u8))", 3, 'argument 1: expected null or {"some": ...}, got number 3'],
    ["(result u8)", { err: 1 }, 'argument 1: expected {"ok": ...} or {"error": ...}, got an object'],
  ])("refuses for %s %j, and says where and why", async (type, given, problem) => {
    await expect(through(type, given)).rejects.toThrow(problem);
    await expect(through(type, given)).rejects.toSatisfy(
      (error) => isFault(error, Reason.ARGUMENT_INVALID) && error.subject.startsWith("args[0]"),
    );
  });

  it("refuses a wrong number of arguments", async () => {
    const plan = await planOf("u8");
    expect(() => valuesFromJson({ plan, type: 0, name: "a:b/c#f" }, [])).toThrow(
      'Cannot call "a:b/c#f": it takes 1 argument (x), 0 given',
    );
  });

  it("refuses functions that take or give resources", async () => {
    const plan = await planOf("(list (own $r))");
    expect(() => valuesFromJson({ plan, type: 0, name: "f" }, [[]])).toThrow(
      'Cannot call "f": it returns a resource, which JSON cannot carry',
    );
    const { plan: taking } = planFromBytes(
      await componentFromWat(
        `(component (import "r" (type $r (sub resource))) (import "f" (func (param "x" (borrow $r)))))`,
      ),
    );
    expect(() => valuesFromJson({ plan: taking, type: 0, name: "f" }, [1])).toThrow(
      "argument 1: expected a resource, which JSON cannot carry",
    );
  });

  it("gives nothing for a function without a result", async () => {
    const { plan } = planFromBytes(await componentFromWat(`(component (import "f" (func)))`));
    expect(jsonFromResult({ plan, type: 0 }, undefined)).toEqual([]);
  });
});

function withoutNegativeZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(withoutNegativeZero);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutNegativeZero(item)]));
}
