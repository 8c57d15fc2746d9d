/** JSON values to WebAssembly values and back, for functions that are called from outside. */
import { fault, Reason } from "../fault.ts";
import type { FunctionType } from "./core-module.ts";

/** A value as the WebAssembly JavaScript interface takes and gives it. */
export type WasmValue = number | bigint;

const SPECIAL_FLOATS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};
const I32_MIN = -(2 ** 31);
const U32_MAX = 2 ** 32 - 1;
const I64_MIN = -(2n ** 63n);
const U64_MAX = 2n ** 64n - 1n;
const GIVEN_MAX_CHARACTERS = 60;

const EXPECTED: Readonly<Record<"i32" | "i64" | "f32" | "f64", string>> = {
  i32: `i32, a whole number from ${I32_MIN} to ${U32_MAX}`,
  i64: `i64, a string of decimal digits (or a safe integer) from ${I64_MIN} to ${U64_MAX}`,
  f32: 'f32, a number, or "NaN", "Infinity", "-Infinity"',
  f64: 'f64, a number, or "NaN", "Infinity", "-Infinity"',
};

/**
 * Turns JSON arguments into what function `name` takes; throws `ARGUMENT_INVALID` that names the argument, counted from 1, the type
 * expected and what was given. Integers may be written signed or unsigned. An f32 is rounded to the nearest one.
 */
export function wasmFromJson(name: string, type: FunctionType, args: readonly unknown[]): WasmValue[] {
  const { parameters } = type;
  if (args.length !== parameters.length) {
    throw refused(name, "", `it takes ${counted(parameters.length)} (${parameters.join(", ")}), ${args.length} given`);
  }
  for (const result of type.results) {
    if (result === "v128" || result === "reference")
      throw refused(name, "", `it returns a ${result}, which JSON cannot carry`);
  }
  return parameters.map((parameter, index) => {
    const field = `args[${index}]`;
    if (parameter === "v128" || parameter === "reference") {
      throw refused(name, field, `argument ${index + 1} is a ${parameter}, which JSON cannot carry`);
    }
    const value = valueFromJson(parameter, args[index]);
    if (value === undefined)
      throw refused(
        name,
        field,
        `argument ${index + 1} must be ${EXPECTED[parameter]} (got ${described(args[index])})`,
      );
    return value;
  });
}

/** Turns a function's results into JSON values: i64 as decimal strings, NaN and infinities as strings. */
export function jsonFromWasm(values: readonly WasmValue[]): (number | string)[] {
  return values.map((value) => (typeof value === "number" && Number.isFinite(value) ? value : String(value)));
}

function valueFromJson(type: "i32" | "i64" | "f32" | "f64", given: unknown): WasmValue | undefined {
  switch (type) {
    case "i32":
      return typeof given === "number" && Number.isInteger(given) && given >= I32_MIN && given <= U32_MAX
        ? given | 0
        : undefined;
    case "i64":
      return i64FromJson(given);
    case "f32":
    case "f64": {
      if (typeof given === "string") return Object.hasOwn(SPECIAL_FLOATS, given) ? SPECIAL_FLOATS[given] : undefined;
      if (typeof given !== "number" || !Number.isFinite(given)) return undefined;
      const value = type === "f32" ? Math.fround(given) : given;
      return Number.isFinite(value) ? value : undefined;
    }
  }
}

function i64FromJson(given: unknown): bigint | undefined {
  const isWritten = typeof given === "string" && /^-?[0-9]{1,20}$/.test(given);
  if (!isWritten && !Number.isSafeInteger(given)) return undefined;
  const value = BigInt(given as string | number);
  return value >= I64_MIN && value <= U64_MAX ? BigInt.asIntN(64, value) : undefined;
}

function refused(name: string, subject: string, problem: string): Error {
  return fault(Reason.ARGUMENT_INVALID, `Cannot call function "${name}": ${problem}`, { subject });
}

function counted(count: number): string {
  return count === 1 ? "1 argument" : `${count} arguments`;
}

/** What was given, short enough for an error message. */
function described(given: unknown): string {
  if (typeof given === "bigint") return `the bigint ${given}`;
  const text = JSON.stringify(given) ?? String(given);
  return text.length > GIVEN_MAX_CHARACTERS ? `${text.slice(0, GIVEN_MAX_CHARACTERS)}…` : text;
}
