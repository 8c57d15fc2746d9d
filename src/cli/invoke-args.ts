/** Words on the command line to the JSON arguments of a function. Pure. */
import { UsageError } from "./usage-error.ts";

/**
 * The JSON array for `words`: each a JSON value if it is one, else a string. Whole numbers beyond 2^53 become strings of digits,
 * which is how 64-bit integers travel; `+5` and `007` are numbers, too.
 */
export function argsJsonFromWords(words: readonly string[]): string {
  return JSON.stringify(words.map(valueFromWord));
}

/** Checks that `text` is one JSON array and answers it as it is, so that no digit of a long number gets lost. */
export function argsJsonFromText(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `Cannot read --args-json: ${error instanceof Error ? error.message : String(error)}`,
      "write it like --args-json '[1, \"2\"]'",
    );
  }
  if (!Array.isArray(value))
    throw new UsageError("Cannot read --args-json: it is not a JSON array", "write it like --args-json '[1, \"2\"]'");
  return text;
}

function valueFromWord(word: string): unknown {
  if (/^[+-]?\d+$/.test(word)) {
    const number = Number(word);
    if (Number.isSafeInteger(number)) return number === 0 ? 0 : number;
    return word.replace(/^\+/, "").replace(/^(-?)0+(?=\d)/, "$1");
  }
  try {
    const value: unknown = JSON.parse(word);
    // 1e999 is valid JSON, but reads as Infinity, which JSON.stringify would make null of.
    return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY ? String(value) : value;
  } catch {
    // Not JSON: it is meant as a string, and the function's types decide whether one fits.
    return word;
  }
}
