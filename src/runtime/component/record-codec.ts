/** Records, tuples and flags. */
import { type Codec, type CoreValue, notOfType } from "./codec.ts";
import { integer } from "./scalar-codec.ts";
import { flagsBytes, type Placed } from "./type-layout.ts";

const OBJECT_HEAP_BYTES = 32;

type Part = { readonly codec: Codec; readonly offset: number; readonly flatOffset: number };

/** The codec of a record with `names`, whose fields are carried by `codecs`. */
export function recordCodec(names: readonly string[], codecs: readonly Codec[], placed: Placed): Codec {
  const fields = partsFrom(codecs, placed).map((part, index) => ({ ...part, name: names[index] ?? "" }));
  return {
    ...placed.layout,
    heapBytes: heapOf(codecs),
    load(cx, ptr) {
      const record: Record<string, unknown> = {};
      for (const { name, codec, offset } of fields) record[name] = codec.load(cx, ptr + offset);
      return record;
    },
    store(cx, ptr, value) {
      const record = object("record", value);
      for (const { name, codec, offset } of fields) codec.store(cx, ptr + offset, record[name]);
    },
    lift(cx, flat, at) {
      const record: Record<string, unknown> = {};
      for (const { name, codec, flatOffset } of fields) record[name] = codec.lift(cx, flat, at + flatOffset);
      return record;
    },
    lower(cx, flat, at, value) {
      const record = object("record", value);
      for (const { name, codec, flatOffset } of fields) codec.lower(cx, flat, at + flatOffset, record[name]);
    },
  };
}

/** The codec of a tuple. */
export function tupleCodec(codecs: readonly Codec[], placed: Placed): Codec {
  const items = partsFrom(codecs, placed);
  return {
    ...placed.layout,
    heapBytes: heapOf(codecs),
    load: (cx, ptr) => items.map(({ codec, offset }) => codec.load(cx, ptr + offset)),
    store(cx, ptr, value) {
      const tuple = array(items.length, value);
      for (const [index, { codec, offset }] of items.entries()) codec.store(cx, ptr + offset, tuple[index]);
    },
    lift: (cx, flat, at) => items.map(({ codec, flatOffset }) => codec.lift(cx, flat, at + flatOffset)),
    lower(cx, flat, at, value) {
      const tuple = array(items.length, value);
      for (const [index, { codec, flatOffset }] of items.entries())
        codec.lower(cx, flat, at + flatOffset, tuple[index]);
    },
  };
}

/** The codec of flags. Bits that have no name are ignored. */
export function flagsCodec(names: readonly string[]): Codec {
  const sizeBytes = flagsBytes(names.length);
  const bits = new Map(names.map((name, index) => [name, 1 << index]));
  const lifted = (set: number): string[] => names.filter((_, index) => (set & (1 << index)) !== 0);

  function lowered(value: unknown): number {
    let set = 0;
    for (const name of array(undefined, value)) {
      const bit = typeof name === "string" ? bits.get(name) : undefined;
      if (bit === undefined) throw notOfType(`flags (${names.join(", ")})`, name);
      set |= bit;
    }
    return set;
  }

  return {
    sizeBytes,
    alignBytes: sizeBytes,
    flat: ["i32"],
    heapBytes: OBJECT_HEAP_BYTES + names.length * 8,
    load(cx, ptr) {
      const { view } = cx.memory;
      return lifted(
        sizeBytes === 1 ? view.getUint8(ptr) : sizeBytes === 2 ? view.getUint16(ptr, true) : view.getInt32(ptr, true),
      );
    },
    store(cx, ptr, value) {
      const { view } = cx.memory;
      const set = lowered(value);
      if (sizeBytes === 1) view.setUint8(ptr, set);
      else if (sizeBytes === 2) view.setUint16(ptr, set, true);
      else view.setInt32(ptr, set, true);
    },
    lift: (_, flat: readonly CoreValue[], at) => lifted(integer(flat[at])),
    lower: (_, flat, at, value) => (flat[at] = lowered(value)),
  };
}

function partsFrom(codecs: readonly Codec[], { offsets }: Placed): readonly Part[] {
  let flatOffset = 0;
  return codecs.map((codec, index) => {
    const part = { codec, offset: offsets[index] ?? 0, flatOffset };
    flatOffset += codec.flat?.length ?? 0;
    return part;
  });
}

function heapOf(codecs: readonly Codec[]): number {
  return codecs.reduce((sum, codec) => sum + 8 + codec.heapBytes, OBJECT_HEAP_BYTES);
}

function object(type: string, value: unknown): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw notOfType(type, value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function array(length: number | undefined, value: unknown): readonly unknown[] {
  if (Array.isArray(value) && (length === undefined || value.length === length)) return value;
  throw notOfType(length === undefined ? "flags" : `a tuple of ${length}`, value);
}
