/** Lists, of any length or of a fixed one. Lists of bytes are copied as a whole. */
import { type Codec, notOfType } from "./codec.ts";
import type { Crossing } from "./crossing.ts";
import { integer } from "./scalar-codec.ts";
import { Trap } from "./trap.ts";

const LIST_HEAP_BYTES = 64;

/** The component model's bound on the bytes of a list. */
const LIST_MAX_BYTES = 2 ** 28 - 1;

/** Arrays of so few bytes lie on the JavaScript heap, which makes them cheap to make. */
const SMALL_BYTES = 64;

/** What a list is in JavaScript. */
type Items = {
  readonly heapBytes: (count: number) => number;
  readonly load: (cx: Crossing, ptr: number, count: number) => unknown;
  /** Throws a `TypeError` if it is no list. */
  readonly count: (value: unknown) => number;
  readonly store: (cx: Crossing, ptr: number, value: unknown) => void;
};

/** The codec of `list<element>`; `isBytes`: the element is `u8`. */
export function listCodec(element: Codec, isBytes: boolean): Codec {
  const items = isBytes ? BYTES : arrayItems(element);
  const { sizeBytes, alignBytes } = element;

  function load(cx: Crossing, ptr: number, count: number): unknown {
    const bytes = count * sizeBytes;
    if (bytes > LIST_MAX_BYTES) throw new Trap(`a list has ${bytes} bytes`);
    cx.assertRange(ptr, alignBytes, bytes);
    cx.component.charge(items.heapBytes(count));
    return items.load(cx, ptr, count);
  }

  function store(cx: Crossing, count: number, value: unknown): number {
    const ptr = cx.allocate(alignBytes, count * sizeBytes);
    items.store(cx, ptr, value);
    return ptr;
  }

  return {
    sizeBytes: 8,
    alignBytes: 4,
    flat: ["i32", "i32"],
    heapBytes: 16,
    load: (cx, ptr) => load(cx, cx.memory.view.getUint32(ptr, true), cx.memory.view.getUint32(ptr + 4, true)),
    lift: (cx, flat, at) => load(cx, integer(flat[at]) >>> 0, integer(flat[at + 1]) >>> 0),
    store(cx, ptr, value) {
      const count = items.count(value);
      const stored = store(cx, count, value);
      cx.memory.view.setUint32(ptr, stored, true);
      cx.memory.view.setUint32(ptr + 4, count, true);
    },
    lower(cx, flat, at, value) {
      const count = items.count(value);
      flat[at] = store(cx, count, value);
      flat[at + 1] = count;
    },
  };
}

/** The codec of `list<element, length>`, which lies in place. */
export function fixedListCodec(
  element: Codec,
  isBytes: boolean,
  length: number,
  layout: Pick<Codec, "sizeBytes" | "alignBytes" | "flat">,
): Codec {
  const items = isBytes ? BYTES : arrayItems(element);
  const width = element.flat?.length ?? 0;

  function assertLength(value: unknown): void {
    const count = items.count(value);
    if (count !== length) throw new TypeError(`a list of ${length} elements has ${count}`);
  }

  return {
    sizeBytes: layout.sizeBytes,
    alignBytes: layout.alignBytes,
    flat: layout.flat,
    heapBytes: items.heapBytes(length),
    load: (cx, ptr) => items.load(cx, ptr, length),
    store(cx, ptr, value) {
      assertLength(value);
      items.store(cx, ptr, value);
    },
    lift(cx, flat, at) {
      const values = Array.from({ length }, (_, index) => element.lift(cx, flat, at + index * width));
      return isBytes ? Uint8Array.from(values, Number) : values;
    },
    lower(cx, flat, at, value) {
      assertLength(value);
      const values: ArrayLike<unknown> = value instanceof Uint8Array ? value : array(value);
      for (let index = 0; index < length; index++) element.lower(cx, flat, at + index * width, values[index]);
    },
  };
}

const BYTES: Items = {
  heapBytes: (count) => LIST_HEAP_BYTES + count,
  load(cx, ptr, count) {
    const source = cx.memory.bytes;
    if (count > SMALL_BYTES) return source.slice(ptr, ptr + count);
    const copy = new Uint8Array(count);
    for (let index = 0; index < count; index++) copy[index] = source[ptr + index] ?? 0;
    return copy;
  },
  count: (value) => bytes(value).length,
  store: (cx, ptr, value) => cx.memory.bytes.set(bytes(value), ptr),
};

function arrayItems(element: Codec): Items {
  const { sizeBytes, heapBytes, load, store } = element;
  return {
    heapBytes: (count) => LIST_HEAP_BYTES + count * heapBytes,
    load(cx, ptr, count) {
      const values: unknown[] = [];
      for (let index = 0; index < count; index++) values.push(load(cx, ptr + index * sizeBytes));
      return values;
    },
    count: (value) => array(value).length,
    store(cx, ptr, value) {
      let at = ptr;
      for (const item of array(value)) {
        store(cx, at, item);
        at += sizeBytes;
      }
    },
  };
}

function bytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw notOfType("list<u8>", value);
}

function array(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw notOfType("list", value);
}
