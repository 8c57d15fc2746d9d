import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { argsJsonFromText, argsJsonFromWords } from "../../src/cli/invoke-args.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

describe("the arguments of invoke", () => {
  test.each([
    [["2", "3"], "[2,3]"],
    [["-2", "+5", "007", "-0"], "[-2,5,7,0]"],
    [["1.5", "1e3"], "[1.5,1000]"],
    [["9007199254740993", "-0009007199254740993"], '["9007199254740993","-9007199254740993"]'],
    [["NaN", "Infinity", "1e999"], '["NaN","Infinity","Infinity"]'],
    [["hello", '"quoted"', "true", "null", "[1]", '{"a":1}'], '["hello","quoted",true,null,[1],{"a":1}]'],
    [[], "[]"],
  ])("%j become %s", (words, json) => {
    expect(argsJsonFromWords(words)).toBe(json);
  });

  test("every 64-bit integer keeps all its digits", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        const parsed: unknown = JSON.parse(argsJsonFromWords([String(value)]));
        return Array.isArray(parsed) && BigInt(parsed[0]) === value;
      }),
      { numRuns: 1000 },
    );
  });

  test("any JSON value comes out as it went in", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        // Longer ones become strings of digits, as the property above says.
        fc.pre(!/^-?\d+$/.test(json) || Number.isSafeInteger(Number(json)));
        expect(JSON.parse(argsJsonFromWords([json]))).toEqual([JSON.parse(JSON.stringify(JSON.parse(json)))]);
      }),
      { numRuns: 300 },
    );
  });

  test("--args-json is passed on letter by letter if it is an array", () => {
    expect(argsJsonFromText("[ 9007199254740993 ]")).toBe("[ 9007199254740993 ]");
    expect(() => argsJsonFromText("{}")).toThrow("not a JSON array");
    expect(() => argsJsonFromText("[1,")).toThrow(UsageError);
  });
});
