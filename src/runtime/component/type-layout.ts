/** How values of a type lie in a guest's memory and in core parameters: the arithmetic of the canonical ABI. */
import type { CoreType, TypeIndex, WitType } from "./component-plan.ts";

/** Parameters that a core function takes before they are passed in memory. */
export const FLAT_PARAMS_MAX = 16;

/** The layout of one type. */
export type TypeLayout = {
  readonly sizeBytes: number;
  readonly alignBytes: number;
  /** As core values; `undefined` if there are more than `FLAT_PARAMS_MAX`, which are passed in memory. */
  readonly flat: readonly CoreType[] | undefined;
};

/** Where a part begins, relative to the whole. */
export type Placed = { readonly offsets: readonly number[]; readonly layout: TypeLayout };

const SCALARS: Readonly<Record<string, TypeLayout>> = {
  bool: { sizeBytes: 1, alignBytes: 1, flat: ["i32"] },
  s8: { sizeBytes: 1, alignBytes: 1, flat: ["i32"] },
  u8: { sizeBytes: 1, alignBytes: 1, flat: ["i32"] },
  s16: { sizeBytes: 2, alignBytes: 2, flat: ["i32"] },
  u16: { sizeBytes: 2, alignBytes: 2, flat: ["i32"] },
  s32: { sizeBytes: 4, alignBytes: 4, flat: ["i32"] },
  u32: { sizeBytes: 4, alignBytes: 4, flat: ["i32"] },
  s64: { sizeBytes: 8, alignBytes: 8, flat: ["i64"] },
  u64: { sizeBytes: 8, alignBytes: 8, flat: ["i64"] },
  f32: { sizeBytes: 4, alignBytes: 4, flat: ["f32"] },
  f64: { sizeBytes: 8, alignBytes: 8, flat: ["f64"] },
  char: { sizeBytes: 4, alignBytes: 4, flat: ["i32"] },
  string: { sizeBytes: 8, alignBytes: 4, flat: ["i32", "i32"] },
  own: { sizeBytes: 4, alignBytes: 4, flat: ["i32"] },
  borrow: { sizeBytes: 4, alignBytes: 4, flat: ["i32"] },
};
const RANGE: TypeLayout = { sizeBytes: 8, alignBytes: 4, flat: ["i32", "i32"] };

/** The layout of `type`, whose parts have the layouts that `of` gives. */
export function layoutFromType(type: WitType, of: (index: TypeIndex) => TypeLayout): TypeLayout {
  switch (type.kind) {
    case "list":
      return type.length === undefined ? RANGE : repeated(of(type.element), type.length);
    case "record":
      return sequence(type.fields.map((field) => of(field.type))).layout;
    case "tuple":
      return sequence(type.items.map(of)).layout;
    case "flags": {
      const sizeBytes = flagsBytes(type.names.length);
      return { sizeBytes, alignBytes: sizeBytes, flat: ["i32"] };
    }
    case "variant":
    case "enum":
    case "option":
    case "result": {
      const payloads = payloadTypes(type).map((payload) => (payload === undefined ? undefined : of(payload)));
      return variantLayout(payloads).layout;
    }
    default: {
      const layout = SCALARS[type.kind];
      if (layout === undefined) throw new Error(`there is no layout for ${type.kind}`);
      return layout;
    }
  }
}

/** The payloads of anything with cases, in their order. */
export function payloadTypes(
  type: Extract<WitType, { kind: "variant" | "enum" | "option" | "result" }>,
): readonly (TypeIndex | undefined)[] {
  switch (type.kind) {
    case "variant":
      return type.cases.map((item) => item.type);
    case "enum":
      return type.names.map(() => undefined);
    case "option":
      return [undefined, type.some];
    case "result":
      return [type.ok, type.err];
  }
}

/** Parts one after the other, as in records, tuples and parameter lists. */
export function sequence(parts: readonly TypeLayout[]): Placed {
  const offsets: number[] = [];
  let sizeBytes = 0;
  let alignBytes = 1;
  for (const part of parts) {
    sizeBytes = aligned(sizeBytes, part.alignBytes);
    offsets.push(sizeBytes);
    sizeBytes += part.sizeBytes;
    alignBytes = Math.max(alignBytes, part.alignBytes);
  }
  return { offsets, layout: { sizeBytes: aligned(sizeBytes, alignBytes), alignBytes, flat: flatSequence(parts) } };
}

/** A discriminant and the largest of the payloads. */
export function variantLayout(payloads: readonly (TypeLayout | undefined)[]): {
  readonly discriminantBytes: number;
  readonly payloadOffset: number;
  readonly layout: TypeLayout;
} {
  const discriminantBytes = payloads.length <= 256 ? 1 : payloads.length <= 65_536 ? 2 : 4;
  const payloadAlign = payloads.reduce((align, payload) => Math.max(align, payload?.alignBytes ?? 1), 1);
  const payloadOffset = aligned(discriminantBytes, payloadAlign);
  const alignBytes = Math.max(discriminantBytes, payloadAlign);
  const largest = payloads.reduce((size, payload) => Math.max(size, payload?.sizeBytes ?? 0), 0);
  const sizeBytes = aligned(payloadOffset + largest, alignBytes);
  return { discriminantBytes, payloadOffset, layout: { sizeBytes, alignBytes, flat: flatVariant(payloads) } };
}

/** Bytes that a set of so many flags takes. */
export function flagsBytes(count: number): number {
  return count <= 8 ? 1 : count <= 16 ? 2 : 4;
}

function repeated(element: TypeLayout, length: number): TypeLayout {
  const { flat } = element;
  return {
    sizeBytes: element.sizeBytes * length,
    alignBytes: element.alignBytes,
    flat:
      flat === undefined || flat.length * length > FLAT_PARAMS_MAX
        ? undefined
        : Array.from({ length }, () => flat).flat(),
  };
}

function flatSequence(parts: readonly TypeLayout[]): readonly CoreType[] | undefined {
  const flat: CoreType[] = [];
  for (const part of parts) {
    if (part.flat === undefined || flat.length + part.flat.length > FLAT_PARAMS_MAX) return undefined;
    flat.push(...part.flat);
  }
  return flat;
}

function flatVariant(payloads: readonly (TypeLayout | undefined)[]): readonly CoreType[] | undefined {
  const joined: CoreType[] = [];
  for (const payload of payloads) {
    if (payload === undefined) continue;
    if (payload.flat === undefined || payload.flat.length >= FLAT_PARAMS_MAX) return undefined;
    for (const [index, type] of payload.flat.entries()) {
      const before = joined[index];
      joined[index] = before === undefined ? type : join(before, type);
    }
  }
  return ["i32", ...joined];
}

function join(a: CoreType, b: CoreType): CoreType {
  if (a === b) return a;
  return (a === "i32" && b === "f32") || (a === "f32" && b === "i32") ? "i32" : "i64";
}

function aligned(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}
