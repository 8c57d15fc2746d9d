/**
 * How key-value pairs lie in shared memory, and how one is found there.
 *
 * The memory begins with a header of 64 bytes; then come blocks, whose places are counted in units of 64 bytes. One block is the table:
 * two words for each entry, the key's hash and its block (`EMPTY`, `GONE` or a unit), with open addressing. The others hold one pair each:
 * length of the key, length of the value, key, value. A key is the bucket's name, a line break (which no name has) and the key.
 *
 * One thread writes. It fills blocks that nothing leads to yet, then makes the sequence odd, changes the header and the table,
 * makes it even again, and only then uses freed blocks anew. Readers take what they found only if the sequence was even before and
 * is the same after. Every access to header and table is atomic, and so in one order for all threads; the blocks' contents need not be,
 * because what leads to them is. The second look at the sequence is a read-modify-write: a plain load might be done before the reads that it
 * is to confirm.
 */
import { halfSipHash } from "./half-sip-hash.ts";

/** Words of the header. */
export const SEQUENCE = 0;
/** Unit of the table's block. */
export const TABLE_UNIT = 1;
/** Entries of the table, a power of two. */
export const TABLE_ENTRIES = 2;
/** 1 when the store is closed. */
export const CLOSED = 3;
/** The hash's key, two words. */
export const HASH_KEY = 4;

/** Bytes of a unit and of the header. */
export const UNIT_BYTES = 64;
/** Bytes of a pair before its key. */
export const PAIR_HEAD_BYTES = 8;
/** An entry's second word where there has never been a pair. */
export const EMPTY = 0;
/** The same where one was removed: a search goes on. */
export const GONE = -1;

/** The memory through two views. */
export type SharedViews = {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
};

/** Views that grow with the buffer. */
export function viewsOf(buffer: SharedArrayBuffer): SharedViews {
  return { words: new Int32Array(buffer), bytes: new Uint8Array(buffer) };
}

/** A key as bytes with its hash; `bytes` is used anew for the next one. */
export type EncodedKey = { readonly bytes: Uint8Array; length: number; hash: number };

/** Makes room for keys of up to `maxBytes`, the bucket's name included. */
export function createEncodedKey(maxBytes: number): EncodedKey {
  return { bytes: new Uint8Array(maxBytes + 1), length: 0, hash: 0 };
}

/** Encodes into `into`, whose room the key must fit. */
export function encodeKey(views: SharedViews, into: EncodedKey, bucket: string, key: string): void {
  into.length = ENCODER.encodeInto(`${bucket}\n${key}`, into.bytes).written;
  const [k0, k1] = [Atomics.load(views.words, HASH_KEY), Atomics.load(views.words, HASH_KEY + 1)];
  into.hash = halfSipHash(into.bytes, into.length, k0, k1);
}

/** A pair's place: `entry` is the word of its table entry. */
export type FoundPair = { readonly entry: number; readonly valueStart: number; readonly valueBytes: number };

/**
 * Where a key's pair is; `undefined` if there is none, `"torn"` if what lies there makes no sense, which only a reader meets, and only while
 * the writer is at work.
 */
export function findPair({ words, bytes }: SharedViews, key: EncodedKey): FoundPair | undefined | "torn" {
  const table = (Atomics.load(words, TABLE_UNIT) * UNIT_BYTES) / 4;
  const entries = Atomics.load(words, TABLE_ENTRIES);
  if (entries < 1 || table + 2 * entries > words.length) return "torn";
  for (let probe = 0; probe < entries; probe += 1) {
    const entry = table + 2 * ((key.hash + probe) & (entries - 1));
    const unit = Atomics.load(words, entry + 1);
    if (unit === EMPTY) return undefined;
    if (unit === GONE || Atomics.load(words, entry) !== key.hash) continue;
    const start = unit * UNIT_BYTES;
    if (start < 0 || start + PAIR_HEAD_BYTES > bytes.length) return "torn";
    if (words[start / 4] !== key.length) continue;
    const valueBytes = words[start / 4 + 1] ?? -1;
    const keyStart = start + PAIR_HEAD_BYTES;
    if (valueBytes < 0 || keyStart + key.length + valueBytes > bytes.length) return "torn";
    if (isSameAt(bytes, keyStart, key)) return { entry, valueStart: keyStart + key.length, valueBytes };
  }
  return undefined;
}

const ENCODER = new TextEncoder();

function isSameAt(bytes: Uint8Array, start: number, key: EncodedKey): boolean {
  for (let index = 0; index < key.length; index += 1) {
    if (bytes[start + index] !== key.bytes[index]) return false;
  }
  return true;
}
