/** What the parts of the key-value contract have in common. */
import type { KvLimits, KvProvider } from "../../../src/providers/kv/kv.ts";
import { expect } from "vitest";
import type { Reason } from "../../../src/fault.ts";

/** Opens an empty store; the suite closes it. */
export type OpenEmptyKv = (limits?: Partial<KvLimits>) => Promise<KvProvider>;

/** A value as text. */
export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : new TextDecoder().decode(value);
}

/** Text as a value. */
export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** Fits a fault of this reason. */
export function reason(wanted: Reason): object {
  return expect.objectContaining({ reason: wanted });
}

/** All keys of a bucket, page by page. */
export async function allKeys(kv: KvProvider, bucket: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await kv.listKeys(bucket, cursor);
    keys.push(...page.keys);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return keys;
}

/** Each operation once, with arguments that are good except perhaps for the bucket. */
export function everyOperation(kv: KvProvider, bucket: string): (() => Promise<unknown>)[] {
  return [
    () => kv.open(bucket),
    () => kv.get(bucket, "k"),
    () => kv.set(bucket, "k", new Uint8Array(1)),
    () => kv.delete(bucket, "k"),
    () => kv.exists(bucket, "k"),
    () => kv.listKeys(bucket),
    () => kv.increment(bucket, "k", 1n),
    () => kv.compareAndSwap(bucket, "k", undefined, new Uint8Array(1)),
    () => kv.getMany(bucket, ["k"]),
    () => kv.setMany(bucket, [["k", new Uint8Array(1)]]),
    () => kv.deleteMany(bucket, ["k"]),
  ];
}
