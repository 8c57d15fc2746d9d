/**
 * A `KvProvider` over a table in this process. Everything that all local backends have in common is decided here, once:
 * checks, limits, batches, paging and counting. A backend only stores.
 */
import { fault, Reason } from "../../fault.ts";
import type { KvLimits, KvPage, KvProvider } from "./kv.ts";
import {
  assertBatchBytes,
  assertBatchKeys,
  assertBucketFits,
  assertBucketName,
  assertKey,
  assertValueBytes,
  utf8Bytes,
  type BucketUsage,
} from "./kv-checks.ts";
import { cursorFromKey, keyFromCursor } from "./kv-cursor.ts";
import { isKvNumber, numberFromValue, valueFromNumber } from "./kv-number.ts";

/** What a write changes: the new value of each key, `undefined` to remove it. */
export type KvChanges = ReadonlyMap<string, Uint8Array | undefined>;

/**
 * What a local backend supplies. It is synchronous, so that nothing comes between reading and the write that
 * depends on it; names, sizes and limits have been checked before it is called.
 */
export interface KvTable {
  /** A copy of the value. */
  read(bucket: string, key: string): Uint8Array | undefined;
  /** Length of the value, without reading it. */
  valueBytes(bucket: string, key: string): number | undefined;
  /** Keys after `after`, at most `maxKeys`, in UTF-8 byte order. */
  keysAfter(bucket: string, after: string | undefined, maxKeys: number): readonly string[];
  usage(bucket: string): BucketUsage;
  /** Makes all changes or none, copies the values, and records what the bucket then holds. */
  apply(bucket: string, changes: KvChanges, usage: BucketUsage): void;
  /** Runs `work` as one step against every other user of the backend, also in other processes. */
  atomically<Result>(work: () => Result): Result;
  close(): void;
}

/** Makes a provider from `table`, which belongs to it from then on. */
export function createLocalKv(table: KvTable, limits: KvLimits): KvProvider {
  let closed = false;

  /** Every operation passes here: a closed provider, a bad bucket name and bad keys are refused before the table is touched. */
  const enter = (bucket: string, keys: readonly string[]): void => {
    if (closed)
      throw fault(
        Reason.PROVIDER_STOPPED,
        `Cannot use bucket "${bucket.slice(0, 64)}": the key-value provider is stopped`,
      );
    assertBucketName(limits, bucket);
    for (const key of keys) assertKey(limits, bucket, key);
  };

  const enterBatch = (bucket: string, keys: readonly string[]): void => {
    // Before the keys are looked at one by one: a batch of millions must cost nothing.
    assertBatchKeys(limits, bucket, keys.length);
    enter(bucket, keys);
  };

  const write = (bucket: string, changes: KvChanges): void => {
    // Removing what is not there is no change, and must not cost a write.
    const effective = new Map(
      [...changes].filter(([key, value]) => value !== undefined || table.valueBytes(bucket, key) !== undefined),
    );
    if (effective.size === 0) return;
    const before = table.usage(bucket);
    const after = usageAfter(table, bucket, before, effective);
    assertBucketFits(limits, bucket, before, after);
    table.apply(bucket, effective, after);
  };

  return {
    async open(bucket) {
      enter(bucket, []);
    },
    async get(bucket, key) {
      enter(bucket, [key]);
      return table.read(bucket, key);
    },
    async set(bucket, key, value) {
      enter(bucket, [key]);
      assertValueBytes(limits, bucket, value.byteLength);
      table.atomically(() => write(bucket, new Map([[key, value]])));
    },
    async delete(bucket, key) {
      enter(bucket, [key]);
      table.atomically(() => write(bucket, new Map([[key, undefined]])));
    },
    async exists(bucket, key) {
      enter(bucket, [key]);
      return table.valueBytes(bucket, key) !== undefined;
    },
    async listKeys(bucket, cursor): Promise<KvPage> {
      enter(bucket, []);
      const after = cursor === undefined ? undefined : keyFromCursor(bucket, cursor);
      // One more than fits tells whether there is a next page.
      const found = table.keysAfter(bucket, after, limits.pageMaxKeys + 1);
      const keys = found.slice(0, limits.pageMaxKeys);
      const last = keys.at(-1);
      const isLastPage = last === undefined || found.length === keys.length;
      return { keys, cursor: isLastPage ? undefined : cursorFromKey(bucket, last) };
    },
    async increment(bucket, key, delta) {
      enter(bucket, [key]);
      return table.atomically(() => {
        const sum = sumOf(bucket, table.read(bucket, key), delta);
        const value = valueFromNumber(sum);
        assertValueBytes(limits, bucket, value.byteLength);
        write(bucket, new Map([[key, value]]));
        return sum;
      });
    },
    async compareAndSwap(bucket, key, expected, value) {
      enter(bucket, [key]);
      assertValueBytes(limits, bucket, value.byteLength);
      return table.atomically(() => {
        const current = table.read(bucket, key);
        if (!isSameValue(current, expected)) return { isSwapped: false, current };
        write(bucket, new Map([[key, value]]));
        return { isSwapped: true };
      });
    },
    async getMany(bucket, keys) {
      enterBatch(bucket, keys);
      return table.atomically(() => {
        // Lengths first, so that a batch that is too large is refused before any of it is read.
        const bytes = keys.reduce((sum, key) => sum + (table.valueBytes(bucket, key) ?? 0), 0);
        assertBatchBytes(limits, bucket, bytes);
        return keys.map((key) => table.read(bucket, key));
      });
    },
    async setMany(bucket, entries) {
      enterBatch(
        bucket,
        entries.map(([key]) => key),
      );
      for (const [, value] of entries) assertValueBytes(limits, bucket, value.byteLength);
      assertBatchBytes(
        limits,
        bucket,
        entries.reduce((sum, [, value]) => sum + value.byteLength, 0),
      );
      table.atomically(() => write(bucket, new Map(entries)));
    },
    async deleteMany(bucket, keys) {
      enterBatch(bucket, keys);
      table.atomically(() => write(bucket, new Map(keys.map((key) => [key, undefined]))));
    },
    async close() {
      if (closed) return;
      closed = true;
      table.close();
    },
  };
}

function usageAfter(table: KvTable, bucket: string, before: BucketUsage, changes: KvChanges): BucketUsage {
  let { keys, bytes } = before;
  for (const [key, value] of changes) {
    const oldBytes = table.valueBytes(bucket, key);
    if (oldBytes !== undefined) {
      keys -= 1;
      bytes -= utf8Bytes(key) + oldBytes;
    }
    if (value !== undefined) {
      keys += 1;
      bytes += utf8Bytes(key) + value.byteLength;
    }
  }
  return { keys, bytes };
}

function isSameValue(left: Uint8Array | undefined, right: Uint8Array | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return Buffer.compare(left, right) === 0;
}

function sumOf(bucket: string, value: Uint8Array | undefined, delta: bigint): bigint {
  const old = value === undefined ? 0n : numberFromValue(value);
  if (old === undefined) {
    throw fault(
      Reason.ARGUMENT_INVALID,
      `Cannot increment in bucket "${bucket}": the value is not a decimal number within 64 bits`,
      { subject: bucket },
    );
  }
  const sum = old + delta;
  if (!isKvNumber(sum)) {
    throw fault(Reason.ARGUMENT_INVALID, `Cannot increment in bucket "${bucket}": the sum does not fit into 64 bits`, {
      subject: bucket,
    });
  }
  return sum;
}
