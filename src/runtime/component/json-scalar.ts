/** JSON to WIT values of types without parts. */
import type { PrimitiveKind } from "./component-plan.ts";

/** The value, or `undefined` if what was given is none; and what is expected, for a message. */
export type ScalarFromJson = { readonly value: unknown; readonly expected: string };

const SMALL: Readonly<Record<string, readonly [number, number]>> = {
  s8: [-128, 127],
  u8: [0, 255],
  s16: [-32_768, 32_767],
  u16: [0, 65_535],
  s32: [-2_147_483_648, 2_147_483_647],
  u32: [0, 4_294_967_295],
};
const LARGE: Readonly<Record<"s64" | "u64", readonly [bigint, bigint]>> = {
  s64: [-(2n ** 63n), 2n ** 63n - 1n],
  u64: [0n, 2n ** 64n - 1n],
};
const SPECIAL_FLOATS: ReadonlyMap<unknown, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);
const SHOWN_MAX_CHARACTERS = 60;

/** Turns one JSON value into one of type `kind`. An f32 is rounded to the nearest one. */
export function scalarFromJson(kind: PrimitiveKind, given: unknown): ScalarFromJson {
  switch (kind) {
    case "bool":
      return { value: typeof given === "boolean" ? given : undefined, expected: "a boolean" };
    case "string":
      return { value: typeof given === "string" ? given : undefined, expected: "a string" };
    case "char":
      return { value: isCharacter(given) ? given : undefined, expected: "char, a string of one character" };
    case "f32":
    case "f64":
      return { value: floatFromJson(kind, given), expected: `${kind}, a number or "NaN", "Infinity", "-Infinity"` };
    case "s64":
    case "u64": {
      const [min, max] = LARGE[kind];
      const value = largeFromJson(given);
      return {
        value: value !== undefined && value >= min && value <= max ? value : undefined,
        expected: `${kind}, a string of decimal digits (or a safe integer) from ${min} to ${max}`,
      };
    }
    default: {
      const [min, max] = SMALL[kind] ?? [0, 0];
      const isInRange = typeof given === "number" && Number.isInteger(given) && given >= min && given <= max;
      return { value: isInRange ? given + 0 : undefined, expected: `${kind}, a whole number from ${min} to ${max}` };
    }
  }
}

/** Text short enough for a message. */
export function shortened(text: string): string {
  return text.length > SHOWN_MAX_CHARACTERS ? `${text.slice(0, SHOWN_MAX_CHARACTERS)}…` : text;
}

function isCharacter(given: unknown): boolean {
  if (typeof given !== "string" || !given.isWellFormed()) return false;
  const code = given.codePointAt(0);
  return code !== undefined && given === String.fromCodePoint(code);
}

function floatFromJson(kind: "f32" | "f64", given: unknown): number | undefined {
  if (typeof given === "string") return SPECIAL_FLOATS.get(given);
  if (typeof given !== "number" || !Number.isFinite(given)) return undefined;
  const value = kind === "f32" ? Math.fround(given) : given;
  return Number.isFinite(value) ? value : undefined;
}

function largeFromJson(given: unknown): bigint | undefined {
  if (typeof given === "number") return Number.isSafeInteger(given) ? BigInt(given) : undefined;
  return typeof given === "string" && /^-?[0-9]{1,20}$/.test(given) ? BigInt(given) : undefined;
}
