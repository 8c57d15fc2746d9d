/** Pure checks of what a caller passes to a key-value provider, against `KvLimits`. */
import { fault, Reason, type Fault } from "../../fault.ts";
import { KV_DEFAULT_LIMITS, type KvLimits } from "./kv.ts";

/** The default limits with `overrides`; throws `LIMIT_INVALID` for one that is not a positive whole number. */
export function kvLimitsFrom(overrides: Partial<KvLimits> = {}): KvLimits {
  const limits = { ...KV_DEFAULT_LIMITS, ...overrides };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw fault(
        Reason.LIMIT_INVALID,
        `Cannot open key-value provider: ${name} is not a positive whole number (got ${value})`,
        { subject: name },
      );
    }
  }
  return limits;
}

/** Throws `ARGUMENT_INVALID` or `PROVIDER_LIMIT` if `bucket` cannot name a bucket. */
export function assertBucketName(limits: KvLimits, bucket: string): void {
  const refuse = (problem: string): Fault => fault(Reason.ARGUMENT_INVALID, `Cannot open bucket: its name ${problem}`);
  if (bucket === "") throw refuse("is empty");
  if (!bucket.isWellFormed()) throw refuse("is not well-formed Unicode");
  if (/\p{Cc}/u.test(bucket)) throw refuse("has a control character in it");
  const bytes = utf8Bytes(bucket);
  if (bytes > limits.bucketNameMaxBytes) {
    throw fault(
      Reason.PROVIDER_LIMIT,
      `Cannot open bucket: its name exceeds ${limits.bucketNameMaxBytes} bytes (got ${bytes})`,
    );
  }
}

/** Throws `ARGUMENT_INVALID` or `PROVIDER_LIMIT` if `key` cannot name a value in `bucket`. */
export function assertKey(limits: KvLimits, bucket: string, key: string): void {
  const refuse = (problem: string): Fault =>
    fault(Reason.ARGUMENT_INVALID, `Cannot use key in bucket "${bucket}": it ${problem}`, { subject: bucket });
  if (key === "") throw refuse("is empty");
  if (!key.isWellFormed()) throw refuse("is not well-formed Unicode");
  assertWithin(bucket, "key", utf8Bytes(key), limits.keyMaxBytes, "bytes");
}

/** Throws `PROVIDER_LIMIT` if `bytes` is too long for one value. */
export function assertValueBytes(limits: KvLimits, bucket: string, bytes: number): void {
  assertWithin(bucket, "value", bytes, limits.valueMaxBytes, "bytes");
}

/** Throws `PROVIDER_LIMIT` if a batch has too many keys. */
export function assertBatchKeys(limits: KvLimits, bucket: string, keys: number): void {
  assertWithin(bucket, "batch", keys, limits.batchMaxKeys, "keys");
}

/** Throws `PROVIDER_LIMIT` if the values of a batch are too long together. */
export function assertBatchBytes(limits: KvLimits, bucket: string, bytes: number): void {
  assertWithin(bucket, "batch", bytes, limits.batchMaxBytes, "bytes");
}

/** What a bucket holds. */
export type BucketUsage = {
  readonly keys: number;
  /** Sum of key and value lengths. */
  readonly bytes: number;
};

/** Throws `PROVIDER_LIMIT` if a change grows the bucket beyond its limit; one that shrinks it always passes, so that a full bucket can be emptied. */
export function assertBucketFits(limits: KvLimits, bucket: string, before: BucketUsage, after: BucketUsage): void {
  if (after.bytes > before.bytes) assertWithin(bucket, "bucket", after.bytes, limits.bucketMaxBytes, "bytes");
  if (after.keys > before.keys) assertWithin(bucket, "bucket", after.keys, limits.bucketMaxKeys, "keys");
}

/** Length of well-formed text in UTF-8. */
export function utf8Bytes(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

function assertWithin(bucket: string, what: string, got: number, limit: number, unit: "bytes" | "keys"): void {
  if (got <= limit) return;
  throw fault(Reason.PROVIDER_LIMIT, `Cannot use bucket "${bucket}": ${what} exceeds ${limit} ${unit} (got ${got})`, {
    subject: bucket,
  });
}
