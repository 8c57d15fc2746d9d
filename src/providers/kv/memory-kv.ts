/** Key-value buckets in this process's memory: for tests, and for data that may go when the agent does. */
import type { KvLimits, KvProvider } from "./kv.ts";
import { kvLimitsFrom, type BucketUsage } from "./kv-checks.ts";
import { createLocalKv, type KvTable } from "./local-kv.ts";
import { createSortedKeys, type SortedKeys } from "./sorted-keys.ts";

/** Options of `createMemoryKv`. */
export type MemoryKvOptions = {
  /** Those that differ from `KV_DEFAULT_LIMITS`. */
  readonly limits?: Partial<KvLimits>;
};

/** Makes an empty store. Its data ends with `close`, or with the process. Throws `LIMIT_INVALID`. */
export function createMemoryKv(options: MemoryKvOptions = {}): KvProvider {
  return createLocalKv(createMemoryTable(), kvLimitsFrom(options.limits));
}

type Bucket = { readonly values: Map<string, Uint8Array>; readonly keys: SortedKeys; usage: BucketUsage };

function createMemoryTable(): KvTable {
  // A bucket is in the map only while it holds keys, so that buckets that were merely named cost nothing.
  const buckets = new Map<string, Bucket>();

  return {
    read: (bucket, key) => buckets.get(bucket)?.values.get(key)?.slice(),
    valueBytes: (bucket, key) => buckets.get(bucket)?.values.get(key)?.byteLength,
    keysAfter: (bucket, after, maxKeys) => buckets.get(bucket)?.keys.after(after, maxKeys) ?? [],
    usage: (bucket) => buckets.get(bucket)?.usage ?? { keys: 0, bytes: 0 },
    apply(name, changes, usage) {
      const bucket = buckets.get(name) ?? { values: new Map(), keys: createSortedKeys(), usage };
      bucket.usage = usage;
      for (const [key, value] of changes) {
        const isKnown = bucket.values.has(key);
        if (value === undefined) {
          if (isKnown) bucket.keys.remove(key);
          bucket.values.delete(key);
        } else {
          if (!isKnown) bucket.keys.add(key);
          // `slice` of a Buffer would share its memory.
          bucket.values.set(key, new Uint8Array(value));
        }
      }
      if (bucket.values.size === 0) buckets.delete(name);
      else buckets.set(name, bucket);
    },
    // Nothing else runs in this thread meanwhile, and every check came before the first change.
    atomically: (work) => work(),
    close: () => buckets.clear(),
  };
}
