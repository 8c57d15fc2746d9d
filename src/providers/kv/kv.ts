/**
 * The contract of a key-value provider: what `wasi:keyvalue` 0.2.0-draft and 0.2.0-draft2 ask for, on named buckets.
 *
 * A provider trusts its caller: permissions are checked by the agent's capability gate just before the
 * call, at every call. Every backend passes `test/providers/kv/kv-contract.ts`.
 */

/** What every key-value backend refuses to exceed; hitting one throws `PROVIDER_LIMIT` and changes nothing. All are positive whole numbers. */
export type KvLimits = {
  /** Length of a bucket name in UTF-8 bytes. */
  readonly bucketNameMaxBytes: number;
  /** Length of a key in UTF-8 bytes. */
  readonly keyMaxBytes: number;
  /** Length of one value. */
  readonly valueMaxBytes: number;
  /** Keys in one `getMany`, `setMany` or `deleteMany`. */
  readonly batchMaxKeys: number;
  /** Sum of the value lengths that one `getMany` reads or one `setMany` writes. */
  readonly batchMaxBytes: number;
  /** Keys in one page of `listKeys`. */
  readonly pageMaxKeys: number;
  /** Sum of key and value lengths in one bucket. */
  readonly bucketMaxBytes: number;
  /** Keys in one bucket; small keys cost a backend far more than their length. */
  readonly bucketMaxKeys: number;
};

/** Limits that suit a small service; every backend takes others through its options. */
export const KV_DEFAULT_LIMITS: KvLimits = {
  bucketNameMaxBytes: 63,
  keyMaxBytes: 1024,
  valueMaxBytes: 1024 * 1024,
  batchMaxKeys: 256,
  batchMaxBytes: 16 * 1024 * 1024,
  pageMaxKeys: 1000,
  bucketMaxBytes: 256 * 1024 * 1024,
  bucketMaxKeys: 1_000_000,
};

/** One page of keys, in the byte order of their UTF-8 form. */
export type KvPage = {
  readonly keys: readonly string[];
  /** Pass it to `listKeys` for the next page; `undefined` on the last one. */
  readonly cursor: string | undefined;
};

/** What `compareAndSwap` has done; `current` is the value that was there instead, and the caller's. */
export type KvSwap =
  | { readonly isSwapped: true }
  | { readonly isSwapped: false; readonly current: Uint8Array | undefined };

/**
 * A key-value store of many buckets. A bucket exists as soon as it is named; keys of one are invisible from another.
 *
 * Keys and bucket names are well-formed Unicode of at least one byte, bucket names without control characters;
 * others throw `ARGUMENT_INVALID`. A backend that fails throws `PROVIDER_UNAVAILABLE`.
 */
export interface KvProvider {
  /** Checks that `bucket` can be used; nothing is written. */
  open(bucket: string): Promise<void>;
  /** Value of a key, or `undefined` if there is none. The array is the caller's. */
  get(bucket: string, key: string): Promise<Uint8Array | undefined>;
  /** Writes a key. Copies `value`. */
  set(bucket: string, key: string, value: Uint8Array): Promise<void>;
  /** Removes a key; a missing one is no error. */
  delete(bucket: string, key: string): Promise<void>;
  exists(bucket: string, key: string): Promise<boolean>;
  /**
   * Keys that come after `cursor` (or from the start), at most `limits.pageMaxKeys`. While keys change, a key that is
   * there all the time comes exactly once. A cursor that this bucket did not give out throws `CURSOR_INVALID`.
   */
  listKeys(bucket: string, cursor?: string): Promise<KvPage>;
  /**
   * Adds `delta` to the decimal number at `key` (0 if missing) and returns the sum. Atomic against every other
   * operation on the backend. The value is stored as ASCII decimal digits, signed, within 64 bits, without
   * leading zeros or plus sign; a value that is not such a number, or a sum out of range, throws `ARGUMENT_INVALID` and changes nothing.
   */
  increment(bucket: string, key: string, delta: bigint): Promise<bigint>;
  /**
   * Writes `value` if the key still has the value `expected` (`undefined`: no value), and otherwise says what it has.
   * Atomic against every other operation on the backend. Copies `value`.
   */
  compareAndSwap(bucket: string, key: string, expected: Uint8Array | undefined, value: Uint8Array): Promise<KvSwap>;
  /** Values in the order of `keys`; `undefined` where there is none. */
  getMany(bucket: string, keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Writes all entries or none; of two entries for one key the later one stays. */
  setMany(bucket: string, entries: readonly (readonly [string, Uint8Array])[]): Promise<void>;
  /** Removes all keys or none; missing ones are no error. */
  deleteMany(bucket: string, keys: readonly string[]): Promise<void>;
  /** Ends the provider. Later calls throw `PROVIDER_STOPPED`. May be called twice. */
  close(): Promise<void>;
}

/** One operation as data: how a guest's call reaches the agent, from a worker or from another node. */
export type KvCall =
  | { readonly kind: "open"; readonly bucket: string }
  | { readonly kind: "get"; readonly bucket: string; readonly key: string }
  | { readonly kind: "set"; readonly bucket: string; readonly key: string; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly bucket: string; readonly key: string }
  | { readonly kind: "exists"; readonly bucket: string; readonly key: string }
  | { readonly kind: "listKeys"; readonly bucket: string; readonly cursor: string | undefined }
  | { readonly kind: "increment"; readonly bucket: string; readonly key: string; readonly delta: bigint }
  | {
      readonly kind: "compareAndSwap";
      readonly bucket: string;
      readonly key: string;
      readonly expected: Uint8Array | undefined;
      readonly value: Uint8Array;
    }
  | { readonly kind: "getMany"; readonly bucket: string; readonly keys: readonly string[] }
  | { readonly kind: "setMany"; readonly bucket: string; readonly entries: readonly (readonly [string, Uint8Array])[] }
  | { readonly kind: "deleteMany"; readonly bucket: string; readonly keys: readonly string[] };

/** The answer to a `KvCall`; its kind follows from the call's. */
export type KvAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "value"; readonly value: Uint8Array | undefined }
  | { readonly kind: "exists"; readonly exists: boolean }
  | { readonly kind: "page"; readonly page: KvPage }
  | { readonly kind: "sum"; readonly sum: bigint }
  | { readonly kind: "swap"; readonly swap: KvSwap }
  | { readonly kind: "values"; readonly values: readonly (Uint8Array | undefined)[] };
