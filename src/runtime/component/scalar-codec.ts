/** Numbers, booleans and characters. */
import { type Codec, type CoreValue, notOfType } from "./codec.ts";
import type { CoreType, PrimitiveKind } from "./component-plan.ts";
import { Trap } from "./trap.ts";

const NUMBER_HEAP_BYTES = 16;
const BIGINT_HEAP_BYTES = 32;

/** Codecs of all types whose values are one core value. */
export const SCALAR_CODECS: Readonly<Record<Exclude<PrimitiveKind, "string">, Codec>> = {
  bool: {
    ...shape("i32", 1),
    load: (cx, ptr) => cx.memory.view.getUint8(ptr) !== 0,
    store: (cx, ptr, value) => cx.memory.view.setUint8(ptr, bool(value)),
    lift: (_, flat, at) => flat[at] !== 0,
    lower: (_, flat, at, value) => (flat[at] = bool(value)),
  },
  s8: {
    ...shape("i32", 1),
    load: (cx, ptr) => cx.memory.view.getInt8(ptr),
    store: (cx, ptr, value) => cx.memory.view.setInt8(ptr, number("s8", value)),
    lift: (_, flat, at) => (integer(flat[at]) << 24) >> 24,
    lower: (_, flat, at, value) => (flat[at] = number("s8", value)),
  },
  u8: {
    ...shape("i32", 1),
    load: (cx, ptr) => cx.memory.view.getUint8(ptr),
    store: (cx, ptr, value) => cx.memory.view.setUint8(ptr, number("u8", value)),
    lift: (_, flat, at) => integer(flat[at]) & 0xff,
    lower: (_, flat, at, value) => (flat[at] = number("u8", value)),
  },
  s16: {
    ...shape("i32", 2),
    load: (cx, ptr) => cx.memory.view.getInt16(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setInt16(ptr, number("s16", value), true),
    lift: (_, flat, at) => (integer(flat[at]) << 16) >> 16,
    lower: (_, flat, at, value) => (flat[at] = number("s16", value)),
  },
  u16: {
    ...shape("i32", 2),
    load: (cx, ptr) => cx.memory.view.getUint16(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setUint16(ptr, number("u16", value), true),
    lift: (_, flat, at) => integer(flat[at]) & 0xffff,
    lower: (_, flat, at, value) => (flat[at] = number("u16", value)),
  },
  s32: {
    ...shape("i32", 4),
    load: (cx, ptr) => cx.memory.view.getInt32(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setInt32(ptr, number("s32", value), true),
    lift: (_, flat, at) => integer(flat[at]) | 0,
    lower: (_, flat, at, value) => (flat[at] = number("s32", value)),
  },
  u32: {
    ...shape("i32", 4),
    load: (cx, ptr) => cx.memory.view.getUint32(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setUint32(ptr, number("u32", value), true),
    lift: (_, flat, at) => integer(flat[at]) >>> 0,
    lower: (_, flat, at, value) => (flat[at] = number("u32", value)),
  },
  s64: {
    ...shape("i64", 8, BIGINT_HEAP_BYTES),
    load: (cx, ptr) => cx.memory.view.getBigInt64(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setBigInt64(ptr, bigint("s64", value), true),
    lift: (_, flat, at) => BigInt.asIntN(64, long(flat[at])),
    lower: (_, flat, at, value) => (flat[at] = bigint("s64", value)),
  },
  u64: {
    ...shape("i64", 8, BIGINT_HEAP_BYTES),
    load: (cx, ptr) => cx.memory.view.getBigUint64(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setBigUint64(ptr, bigint("u64", value), true),
    lift: (_, flat, at) => BigInt.asUintN(64, long(flat[at])),
    lower: (_, flat, at, value) => (flat[at] = bigint("u64", value)),
  },
  f32: {
    ...shape("f32", 4),
    load: (cx, ptr) => cx.memory.view.getFloat32(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setFloat32(ptr, number("f32", value), true),
    lift: (_, flat, at) => integer(flat[at]),
    lower: (_, flat, at, value) => (flat[at] = number("f32", value)),
  },
  f64: {
    ...shape("f64", 8),
    load: (cx, ptr) => cx.memory.view.getFloat64(ptr, true),
    store: (cx, ptr, value) => cx.memory.view.setFloat64(ptr, number("f64", value), true),
    lift: (_, flat, at) => integer(flat[at]),
    lower: (_, flat, at, value) => (flat[at] = number("f64", value)),
  },
  char: {
    ...shape("i32", 4, 32),
    load: (cx, ptr) => char(cx.memory.view.getUint32(ptr, true)),
    store: (cx, ptr, value) => cx.memory.view.setUint32(ptr, codePoint(value), true),
    lift: (_, flat, at) => char(integer(flat[at]) >>> 0),
    lower: (_, flat, at, value) => (flat[at] = codePoint(value)),
  },
};

function shape(
  flat: CoreType,
  bytes: number,
  heapBytes = NUMBER_HEAP_BYTES,
): Pick<Codec, "sizeBytes" | "alignBytes" | "flat" | "heapBytes"> {
  return { sizeBytes: bytes, alignBytes: bytes, flat: [flat], heapBytes };
}

/** A core value that is no i64. Only a core module that was linked against another type passes one. */
export function integer(value: CoreValue | undefined): number {
  if (typeof value === "number") return value;
  throw new Trap("it passed a 64-bit number for another");
}

function long(value: CoreValue | undefined): bigint {
  if (typeof value === "bigint") return value;
  throw new Trap("it passed another number for one of 64 bits");
}

function number(type: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw notOfType(type, value);
}

function bigint(type: string, value: unknown): bigint {
  if (typeof value === "bigint") return value;
  throw notOfType(type, value);
}

function bool(value: unknown): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  throw notOfType("bool", value);
}

function char(code: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new Trap(`${code} is no character`);
  return String.fromCodePoint(code);
}

function codePoint(value: unknown): number {
  const code = typeof value === "string" ? value.codePointAt(0) : undefined;
  if (code === undefined || value !== String.fromCodePoint(code) || (code >= 0xd800 && code <= 0xdfff))
    throw notOfType("char", value);
  return code;
}
