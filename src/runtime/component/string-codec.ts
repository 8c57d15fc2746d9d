/** Text, in the three encodings that guests choose from. */
import { type Codec, notOfType } from "./codec.ts";
import type { Crossing } from "./crossing.ts";
import { integer } from "./scalar-codec.ts";
import { Trap } from "./trap.ts";

/** Text lies on the thread's heap, where room is scarcer, and may take two bytes a character. */
const HEAP_BYTES_PER_BYTE = 4;
const STRING_HEAP_BYTES = 32;

/** Up to here a loop that finds only ASCII is faster than a decoder. */
const SHORT_BYTES = 64;

/** The component model's bound on the bytes of a string. */
const STRING_MAX_BYTES = 2 ** 28 - 1;

/** Marks a length in units of UTF-16 where the encoding is `latin1+utf16`. */
const UTF16_TAG = 0x80000000;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The codec of `string`. */
export const STRING_CODEC: Codec = {
  sizeBytes: 8,
  alignBytes: 4,
  flat: ["i32", "i32"],
  heapBytes: STRING_HEAP_BYTES,
  load: (cx, ptr) => loadString(cx, cx.memory.view.getUint32(ptr, true), cx.memory.view.getUint32(ptr + 4, true)),
  lift: (cx, flat, at) => loadString(cx, integer(flat[at]) >>> 0, integer(flat[at + 1]) >>> 0),
  store(cx, ptr, value) {
    const stored = storeString(cx, value);
    cx.memory.view.setUint32(ptr, stored.ptr, true);
    cx.memory.view.setUint32(ptr + 4, stored.length, true);
  },
  lower(cx, flat, at, value) {
    const stored = storeString(cx, value);
    flat[at] = stored.ptr;
    flat[at + 1] = stored.length;
  },
};

function loadString(cx: Crossing, ptr: number, length: number): string {
  switch (cx.encoding) {
    case "utf8":
      assertText(cx, ptr, 1, length);
      return utf8(cx, ptr, length);
    case "utf16":
      assertText(cx, ptr, 2, length * 2);
      return utf16(cx, ptr, length);
    case "latin1+utf16": {
      const units = (length & ~UTF16_TAG) >>> 0;
      if (units !== length) {
        assertText(cx, ptr, 2, units * 2);
        return utf16(cx, ptr, units);
      }
      assertText(cx, ptr, 2, length);
      return cx.memory.text.toString("latin1", ptr, ptr + length);
    }
  }
}

function assertText(cx: Crossing, ptr: number, align: number, bytes: number): void {
  if (bytes > STRING_MAX_BYTES) throw new Trap(`a string has ${bytes} bytes`);
  cx.assertRange(ptr, align, bytes);
  cx.component.charge(STRING_HEAP_BYTES + bytes * HEAP_BYTES_PER_BYTE);
}

function utf8(cx: Crossing, ptr: number, length: number): string {
  const { bytes, text } = cx.memory;
  const end = ptr + length;
  if (length <= SHORT_BYTES) {
    let at = ptr;
    while (at < end && (bytes[at] ?? 0x80) < 0x80) at++;
    if (at === end) return text.toString("latin1", ptr, end);
  }
  try {
    return UTF8.decode(bytes.subarray(ptr, end));
  } catch (cause) {
    throw new Trap("a string is not UTF-8", { cause });
  }
}

function utf16(cx: Crossing, ptr: number, units: number): string {
  const value = cx.memory.text.toString("utf16le", ptr, ptr + units * 2);
  if (!value.isWellFormed()) throw new Trap("a string is not UTF-16");
  return value;
}

/** Code points that are none (half of a surrogate pair, which JavaScript strings may hold) become U+FFFD. */
function storeString(cx: Crossing, value: unknown): { readonly ptr: number; readonly length: number } {
  if (typeof value !== "string") throw notOfType("string", value);
  switch (cx.encoding) {
    case "utf8": {
      const bytes = Buffer.byteLength(value, "utf8");
      const ptr = cx.allocate(1, bytes);
      if (bytes > 0) cx.memory.text.write(value, ptr, bytes, "utf8");
      return { ptr, length: bytes };
    }
    case "utf16":
      return { ptr: storeUtf16(cx, value), length: value.length };
    case "latin1+utf16": {
      if (!isLatin1(value)) return { ptr: storeUtf16(cx, value), length: (value.length | UTF16_TAG) >>> 0 };
      const ptr = cx.allocate(2, value.length);
      if (value.length > 0) cx.memory.text.write(value, ptr, value.length, "latin1");
      return { ptr, length: value.length };
    }
  }
}

function storeUtf16(cx: Crossing, value: string): number {
  const bytes = value.length * 2;
  const ptr = cx.allocate(2, bytes);
  if (bytes > 0) cx.memory.text.write(value.toWellFormed(), ptr, bytes, "utf16le");
  return ptr;
}

function isLatin1(value: string): boolean {
  for (let index = 0; index < value.length; index++) if (value.charCodeAt(index) > 0xff) return false;
  return true;
}
