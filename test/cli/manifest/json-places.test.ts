import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JsonMistake, placedJsonFromText } from "../../../src/cli/manifest/json-places.ts";

function mistakeOf(text: string): JsonMistake {
  try {
    placedJsonFromText(text);
  } catch (error) {
    if (error instanceof JsonMistake) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe("JSON with places", () => {
  test("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        expect(placedJsonFromText(text).value).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });

  test("takes and refuses what JSON.parse does, keys that stand twice aside", () => {
    const piece = fc.constantFrom(
      ..."{}[]:,\"\\ \n\t\u00a0.-+eE019/a'".split(""),
      "true",
      "null",
      '"a"',
      '"b":',
      "1.5",
      "//",
      "\\u0041",
      "\u0001",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(() => placedJsonFromText(text)).toThrow(JsonMistake);
          return;
        }
        try {
          expect(placedJsonFromText(text).value).toEqual(expected);
        } catch (error) {
          expect(error instanceof JsonMistake && error.message.endsWith("stands there twice")).toBe(true);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test("tells the line of every value, and of the nearest one around what is not there", () => {
    const placed = placedJsonFromText('\n{\n  "a": [\n    1,\n    {"b": 2}\n  ],\n  "c":\n    "d"\n}');
    const lines = [[], ["a"], ["a", 0], ["a", 1, "b"], ["c"], ["a", 7], ["none", "x"]].map((path) =>
      placed.lineOf(path),
    );
    expect(lines).toEqual([2, 3, 4, 5, 8, 3, 2]);
  });

  test.each([
    ['{\n "a": }', 2, '"}" stands where a value should'],
    ['{\n"a": 1,\n}', 3, "a comma behind the last entry"],
    ["[1,\n]", 2, "a comma behind the last entry"],
    ['{\n"a": hello\n}', 2, '"hello" stands where a value should'],
    ['{\n"a": 1\n"b": 2}', 3, 'a text that is not well-formed stands where "," or "}" should'],
    ["{\n // c\n}", 2, "JSON has no comments"],
    ['{"a": 1', 1, '"," or "}" is missing at the end'],
    ["", 1, "a value is missing at the end"],
    ["{}\n{}", 2, '"{" stands where the end should'],
    ['{"a": 1,\n"a": 2}', 2, 'the key "a" stands there twice'],
    ["[".repeat(100), 1, "nested more than 64 deep"],
    ['{"a": "secret}', 1, "a text that is not well-formed"],
  ])("tells line and mistake of %j", (text, line, problem) => {
    const mistake = mistakeOf(text);
    expect(mistake.message).toContain(problem);
    expect(mistake.message).not.toContain("secret");
    expect(mistake.line).toBe(line);
  });

  test("takes a key named __proto__ for a key like others, and a byte order mark for none", () => {
    expect(Object.keys(Object(placedJsonFromText('\uFEFF{"__proto__": 1}').value))).toEqual(["__proto__"]);
  });
});
