/** Whatever has cases: variants, enums, options and results. */
import { type Codec, type CoreValue, notOfType } from "./codec.ts";
import type { CoreType } from "./component-plan.ts";
import { integer } from "./scalar-codec.ts";
import { Trap } from "./trap.ts";
import { variantLayout } from "./type-layout.ts";

const CASE_HEAP_BYTES = 48;

/** How cases look in JavaScript. */
type CaseForm = {
  /** The value of case `index`; `payload` is `undefined` where it has none. */
  readonly make: (index: number, payload: unknown) => unknown;
  /** Which case a value is. Throws a `TypeError` if it is none. */
  readonly indexOf: (value: unknown) => number;
  readonly payloadOf: (value: unknown) => unknown;
};

/** `variant`, and `result` with the names `ok` and `err`. */
export function variantCodec(names: readonly string[], payloads: readonly (Codec | undefined)[]): Codec {
  const indices = new Map(names.map((name, index) => [name, index]));
  return casesCodec(payloads, {
    make: (index, payload) => ({ tag: names[index], val: payload }),
    indexOf(value) {
      const tag = isTagged(value) ? value.tag : undefined;
      const index = typeof tag === "string" ? indices.get(tag) : undefined;
      if (index === undefined) throw notOfType(`a variant of ${names.slice(0, 20).join(", ")}`, tag ?? value);
      return index;
    },
    payloadOf: (value) => (isTagged(value) ? value.val : undefined),
  });
}

/** `enum`. */
export function enumCodec(names: readonly string[]): Codec {
  const indices = new Map(names.map((name, index) => [name, index]));
  return casesCodec(
    names.map(() => undefined),
    {
      make: (index) => names[index],
      indexOf(value) {
        const index = typeof value === "string" ? indices.get(value) : undefined;
        if (index === undefined) throw notOfType(`an enum of ${names.slice(0, 20).join(", ")}`, value);
        return index;
      },
      payloadOf: () => undefined,
    },
  );
}

/** `option`; `isNested`: what it holds is itself an option. */
export function optionCodec(some: Codec, isNested: boolean): Codec {
  return casesCodec([undefined, some], {
    make: (index, payload) => (index === 0 ? undefined : isNested ? { some: payload } : payload),
    indexOf: (value) => (value === undefined ? 0 : 1),
    payloadOf(value) {
      if (!isNested) return value;
      if (typeof value === "object" && value !== null && "some" in value) return value.some;
      throw notOfType("an option of an option", value);
    },
  });
}

function casesCodec(payloads: readonly (Codec | undefined)[], form: CaseForm): Codec {
  const { discriminantBytes, payloadOffset, layout } = variantLayout(payloads);
  const { flat: joined } = layout;
  const count = payloads.length;
  // Where a case's core values are of the very types that all cases share, nothing needs to be converted.
  const isPlain = payloads.map(
    (payload) => payload?.flat?.every((type, index) => type === joined?.[index + 1]) ?? true,
  );

  function known(index: number): number {
    if (index >= count) throw new Trap(`case ${index} of a type that has ${count}`);
    return index;
  }

  return {
    ...layout,
    heapBytes: payloads.reduce((most, payload) => Math.max(most, payload?.heapBytes ?? 0), 0) + CASE_HEAP_BYTES,
    load(cx, ptr) {
      const { view } = cx.memory;
      const index = known(
        discriminantBytes === 1
          ? view.getUint8(ptr)
          : discriminantBytes === 2
            ? view.getUint16(ptr, true)
            : view.getUint32(ptr, true),
      );
      return form.make(index, payloads[index]?.load(cx, ptr + payloadOffset));
    },
    store(cx, ptr, value) {
      const { view } = cx.memory;
      const index = form.indexOf(value);
      if (discriminantBytes === 1) view.setUint8(ptr, index);
      else if (discriminantBytes === 2) view.setUint16(ptr, index, true);
      else view.setUint32(ptr, index, true);
      payloads[index]?.store(cx, ptr + payloadOffset, form.payloadOf(value));
    },
    lift(cx, flat, at) {
      const index = known(integer(flat[at]) >>> 0);
      const payload = payloads[index];
      if (payload === undefined) return form.make(index, undefined);
      if (isPlain[index] === true) return form.make(index, payload.lift(cx, flat, at + 1));
      const own = (payload.flat ?? []).map((type, position) =>
        split(flat[at + 1 + position], joined?.[position + 1] ?? type, type),
      );
      return form.make(index, payload.lift(cx, own, 0));
    },
    lower(cx, flat, at, value) {
      const index = form.indexOf(value);
      const payload = payloads[index];
      flat[at] = index;
      payload?.lower(cx, flat, at + 1, form.payloadOf(value));
      const types = payload?.flat ?? [];
      const shared = joined ?? [];
      for (let position = 1; position < shared.length; position++) {
        const want = shared[position];
        const have = types[position - 1];
        if (have === undefined) flat[at + position] = want === "i64" ? 0n : 0;
        else if (have !== want) flat[at + position] = joinValue(flat[at + position], have, want);
      }
    },
  };
}

const BITS = new DataView(new ArrayBuffer(8));

/** A core value as one of the wider type that cases share. */
function joinValue(value: CoreValue | undefined, have: CoreType, want: CoreType | undefined): CoreValue {
  if (value === undefined) throw new Error("a payload was not lowered as a whole");
  if (have === "f32") BITS.setFloat32(0, Number(value), true);
  if (have === "f64") BITS.setFloat64(0, Number(value), true);
  if (have === "f64") return BITS.getBigUint64(0, true);
  const low = have === "f32" ? BITS.getUint32(0, true) : Number(value) >>> 0;
  return want === "i64" ? BigInt(low) : low;
}

/** The other way. */
function split(value: CoreValue | undefined, have: CoreType, want: CoreType): CoreValue {
  if (value === undefined) throw new Trap("it passed fewer values than its type has");
  if (have === want) return value;
  if (want === "f64") {
    BITS.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
    return BITS.getFloat64(0, true);
  }
  const low = typeof value === "bigint" ? Number(BigInt.asUintN(32, value)) : value >>> 0;
  if (want === "i32") return low;
  BITS.setUint32(0, low, true);
  return BITS.getFloat32(0, true);
}

function isTagged(value: unknown): value is { readonly tag?: unknown; readonly val?: unknown } {
  return typeof value === "object" && value !== null;
}
