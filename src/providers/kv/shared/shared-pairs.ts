/** Key-value pairs in shared memory, as the one thread that writes them sees them. The layout is in `shared-layout.ts`. */
import { fault, Reason, type Fault } from "../../../fault.ts";
import type { KvChanges } from "../local-kv.ts";
import { blockBytes, createBuddyAllocator } from "./buddy-allocator.ts";
import {
  CLOSED,
  createEncodedKey,
  EMPTY,
  encodeKey,
  findPair,
  GONE,
  HASH_KEY,
  PAIR_HEAD_BYTES,
  SEQUENCE,
  TABLE_ENTRIES,
  TABLE_UNIT,
  UNIT_BYTES,
  viewsOf,
  type FoundPair,
} from "./shared-layout.ts";

/** What the memory is made with. */
export type SharedPairsPlan = {
  /** Rounded down to a power of two; the header comes on top. */
  readonly maxBytes: number;
  /** Bucket's name and key together. */
  readonly keyMaxBytes: number;
  readonly hashKey: readonly [number, number];
};

/** See the top of the file. */
export interface SharedPairs {
  readonly buffer: SharedArrayBuffer;
  /** A copy. */
  read(bucket: string, key: string): Uint8Array | undefined;
  valueBytes(bucket: string, key: string): number | undefined;
  /** Makes all changes, for readers at one moment, or throws `PROVIDER_LIMIT` and makes none. */
  apply(bucket: string, changes: KvChanges): void;
  /** Tells readers; there must be no further call. */
  close(): void;
}

/** Makes memory without pairs. */
export function createSharedPairs(plan: SharedPairsPlan): SharedPairs {
  const arenaBytes = blockBytes(plan.maxBytes + 1) / 2;
  const buffer = new SharedArrayBuffer(UNIT_BYTES, { maxByteLength: UNIT_BYTES + arenaBytes });
  const views = viewsOf(buffer);
  const { words, bytes } = views;
  const blocks = createBuddyAllocator(arenaBytes);
  const encoded = createEncodedKey(plan.keyMaxBytes);
  /** Entries of the table that hold a pair, and those where one was. */
  let held = 0;
  let gone = 0;

  /** The unit of a block for `length` bytes. */
  const take = (length: number): number => {
    const offset = blocks.take(length);
    if (offset === undefined) throw full(plan.maxBytes);
    const end = UNIT_BYTES + offset + blockBytes(length);
    if (end > buffer.byteLength) {
      // Some more than is needed: growing is a system call.
      const wanted = Math.max(end, Math.min(buffer.byteLength * 1.5, buffer.maxByteLength));
      growTo(buffer, Math.min(Math.ceil(wanted / GROWTH_BYTES) * GROWTH_BYTES, buffer.maxByteLength), () => {
        blocks.give(offset, length);
        return full(plan.maxBytes);
      });
    }
    return (UNIT_BYTES + offset) / UNIT_BYTES;
  };
  const give = (unit: number, length: number): void => blocks.give(unit * UNIT_BYTES - UNIT_BYTES, length);
  const pairBytesAt = (unit: number): number => {
    const at = (unit * UNIT_BYTES) / 4;
    return PAIR_HEAD_BYTES + (words[at] ?? 0) + (words[at + 1] ?? 0);
  };

  const find = (bucket: string, key: string): FoundPair | undefined => {
    encodeKey(views, encoded, bucket, key);
    const found = findPair(views, encoded);
    if (found === "torn") throw new Error("the shared key-value memory is damaged");
    return found;
  };

  const tableWord = (): number => (Atomics.load(words, TABLE_UNIT) * UNIT_BYTES) / 4;

  /** The first entry from the hash on that holds no pair; there is one, because the table is never full. */
  const freeEntry = (table: number, entries: number, hash: number): number => {
    for (let probe = 0; ; probe += 1) {
      const entry = table + 2 * ((hash + probe) & (entries - 1));
      const unit = Atomics.load(words, entry + 1);
      if (unit === EMPTY || unit === GONE) return entry;
    }
  };

  /** A table for `pairs` pairs with what the present one holds, which nothing leads to yet. */
  const tableFor = (pairs: number): { readonly unit: number; readonly entries: number } => {
    const entries = Math.max(TABLE_LEAST_ENTRIES, 2 ** Math.ceil(Math.log2(pairs * 2)));
    const unit = take(entries * ENTRY_BYTES);
    const table = (unit * UNIT_BYTES) / 4;
    words.fill(0, table, table + 2 * entries);
    const old = tableWord();
    for (let index = 0; index < Atomics.load(words, TABLE_ENTRIES); index += 1) {
      const [hash = 0, pair = EMPTY] = [words[old + 2 * index], words[old + 2 * index + 1]];
      if (pair === EMPTY || pair === GONE) continue;
      const entry = freeEntry(table, entries, hash);
      Atomics.store(words, entry, hash);
      Atomics.store(words, entry + 1, pair);
    }
    return { unit, entries };
  };

  /** Runs `change` so that no reader takes anything from in between. */
  const visibly = (change: () => void): void => {
    Atomics.add(words, SEQUENCE, 1);
    change();
    Atomics.add(words, SEQUENCE, 1);
  };

  const makeRoomInTable = (more: number): void => {
    const entries = Atomics.load(words, TABLE_ENTRIES);
    if (entries > 0 && (held + gone + more) * 10 <= entries * TABLE_FULL_TENTHS) return;
    const old = { unit: Atomics.load(words, TABLE_UNIT), entries };
    const table = tableFor(held + more);
    visibly(() => {
      Atomics.store(words, TABLE_UNIT, table.unit);
      Atomics.store(words, TABLE_ENTRIES, table.entries);
    });
    gone = 0;
    if (old.entries > 0) give(old.unit, old.entries * ENTRY_BYTES);
  };

  const written = (bucket: string, key: string, value: Uint8Array): number => {
    encodeKey(views, encoded, bucket, key);
    const unit = take(PAIR_HEAD_BYTES + encoded.length + value.byteLength);
    const start = unit * UNIT_BYTES;
    words[start / 4] = encoded.length;
    words[start / 4 + 1] = value.byteLength;
    bytes.set(encoded.bytes.subarray(0, encoded.length), start + PAIR_HEAD_BYTES);
    bytes.set(value, start + PAIR_HEAD_BYTES + encoded.length);
    return unit;
  };

  /** New blocks for the values, all or none. */
  const prepare = (bucket: string, changes: KvChanges): ReadonlyMap<string, number> => {
    const units = new Map<string, number>();
    try {
      makeRoomInTable(changes.size);
      for (const [key, value] of changes) if (value !== undefined) units.set(key, written(bucket, key, value));
      return units;
    } catch (error) {
      for (const unit of units.values()) give(unit, pairBytesAt(unit));
      throw error;
    }
  };

  words[HASH_KEY] = plan.hashKey[0];
  words[HASH_KEY + 1] = plan.hashKey[1];
  makeRoomInTable(0);

  return {
    buffer,
    read(bucket, key) {
      const found = find(bucket, key);
      return found && bytes.slice(found.valueStart, found.valueStart + found.valueBytes);
    },
    valueBytes: (bucket, key) => find(bucket, key)?.valueBytes,
    apply(bucket, changes) {
      const units = prepare(bucket, changes);
      const freed: number[] = [];
      visibly(() => {
        for (const key of changes.keys()) {
          const found = find(bucket, key);
          const unit = units.get(key);
          if (found !== undefined) freed.push(Atomics.load(words, found.entry + 1));
          if (unit !== undefined) {
            const entry = found?.entry ?? freeEntry(tableWord(), Atomics.load(words, TABLE_ENTRIES), encoded.hash);
            if (found === undefined) {
              held += 1;
              if (Atomics.load(words, entry + 1) === GONE) gone -= 1;
            }
            Atomics.store(words, entry, encoded.hash);
            Atomics.store(words, entry + 1, unit);
          } else if (found !== undefined) {
            Atomics.store(words, found.entry + 1, GONE);
            held -= 1;
            gone += 1;
          }
        }
      });
      for (const unit of freed) give(unit, pairBytesAt(unit));
    },
    close() {
      visibly(() => Atomics.store(words, CLOSED, 1));
    },
  };
}

const ENTRY_BYTES = 8;
const TABLE_LEAST_ENTRIES = 1024;
/** Searches grow long beyond it. */
const TABLE_FULL_TENTHS = 6;
const GROWTH_BYTES = 256 * 1024;

function growTo(buffer: SharedArrayBuffer, bytes: number, onFailure: () => Fault): void {
  try {
    buffer.grow(bytes);
  } catch (error) {
    // The machine has no more memory; the writer hears of it as of any limit.
    throw Object.assign(onFailure(), { cause: error });
  }
}

function full(maxBytes: number): Fault {
  return fault(Reason.PROVIDER_LIMIT, `Cannot write to the key-value provider: its memory exceeds ${maxBytes} bytes`);
}
