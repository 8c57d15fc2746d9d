/** Key-value buckets in memory that other threads can read by themselves (`kv-reader.ts`). Otherwise like `memory-kv.ts`. */
import { systemEntropy, type Entropy } from "../../../clock.ts";
import { fault, Reason } from "../../../fault.ts";
import type { KvLimits, KvProvider } from "../kv.ts";
import { kvLimitsFrom, type BucketUsage } from "../kv-checks.ts";
import { createLocalKv, type KvChanges, type KvTable } from "../local-kv.ts";
import { createSortedKeys, type SortedKeys } from "../sorted-keys.ts";
import { createSharedPairs } from "./shared-pairs.ts";
import type { SharedKv } from "./kv-reader.ts";

/** Options of `createSharedMemoryKv`. */
export type SharedMemoryKvOptions = {
  /** Those that differ from `KV_DEFAULT_LIMITS`. */
  readonly limits?: Partial<KvLimits>;
  /**
   * Memory for all buckets together, rounded down to a power of two; beyond it, writes throw `PROVIDER_LIMIT`. Address space is reserved for
   * all of it at once, memory taken as it is needed and kept until `close`. Default 1 GiB; at least 1 MiB.
   */
  readonly memoryMaxBytes?: number;
};

/** A store whose memory can be shared. */
export interface SharedMemoryKv extends KvProvider {
  /** For `kvReaderFromShared` in another thread. */
  share(): SharedKv;
}

/** Makes an empty store. Its data ends with `close`, or with the process. Throws `LIMIT_INVALID`. */
export function createSharedMemoryKv(
  options: SharedMemoryKvOptions = {},
  entropy: Pick<Entropy, "hex"> = systemEntropy,
): SharedMemoryKv {
  const limits = kvLimitsFrom(options.limits);
  const maxBytes = options.memoryMaxBytes ?? MEMORY_DEFAULT_MAX_BYTES;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < MEMORY_LEAST_MAX_BYTES) {
    throw fault(
      Reason.LIMIT_INVALID,
      `Cannot open key-value provider: memoryMaxBytes is not a whole number of at least ${MEMORY_LEAST_MAX_BYTES} (got ${maxBytes})`,
      { subject: "memoryMaxBytes" },
    );
  }
  const pairs = createSharedPairs({
    maxBytes,
    keyMaxBytes: limits.bucketNameMaxBytes + limits.keyMaxBytes,
    hashKey: [hashWord(entropy), hashWord(entropy)],
  });
  const buckets = new Map<string, { readonly keys: SortedKeys; usage: BucketUsage }>();

  const table: KvTable = {
    read: (bucket, key) => pairs.read(bucket, key),
    valueBytes: (bucket, key) => pairs.valueBytes(bucket, key),
    keysAfter: (bucket, after, maxKeys) => buckets.get(bucket)?.keys.after(after, maxKeys) ?? [],
    usage: (bucket) => buckets.get(bucket)?.usage ?? { keys: 0, bytes: 0 },
    apply(name: string, changes: KvChanges, usage: BucketUsage) {
      const known = new Set([...changes.keys()].filter((key) => pairs.valueBytes(name, key) !== undefined));
      // Throws, if at all, before anything has changed.
      pairs.apply(name, changes);
      const bucket = buckets.get(name) ?? { keys: createSortedKeys(), usage };
      bucket.usage = usage;
      for (const [key, value] of changes) {
        if (value === undefined && known.has(key)) bucket.keys.remove(key);
        if (value !== undefined && !known.has(key)) bucket.keys.add(key);
      }
      if (usage.keys === 0) buckets.delete(name);
      else buckets.set(name, bucket);
    },
    // Nothing else writes, and readers see a change as a whole.
    atomically: (work) => work(),
    close() {
      pairs.close();
      buckets.clear();
    },
  };
  return { ...createLocalKv(table, limits), share: () => ({ buffer: pairs.buffer, limits }) };
}

const MEMORY_DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;
const MEMORY_LEAST_MAX_BYTES = 1024 * 1024;

function hashWord(entropy: Pick<Entropy, "hex">): number {
  return Number.parseInt(entropy.hex(4), 16) | 0;
}
