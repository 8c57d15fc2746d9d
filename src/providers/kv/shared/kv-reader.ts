/** Reads a shared-memory store from another thread than the one that writes it, without asking that one. */
import type { KvLimits } from "../kv.ts";
import { assertBucketName, assertKey } from "../kv-checks.ts";
import { CLOSED, createEncodedKey, encodeKey, findPair, SEQUENCE, viewsOf } from "./shared-layout.ts";

/** What a thread needs for reading; can be posted to it. */
export type SharedKv = { readonly buffer: SharedArrayBuffer; readonly limits: KvLimits };

/**
 * What a read came to. `ask`: let the store's own thread carry it out; it is closed, was being written all the time, or the bucket or key is
 * one that it refuses.
 */
export type KvRead =
  | { readonly kind: "value"; readonly value: Uint8Array }
  | { readonly kind: "missing" }
  | { readonly kind: "ask" };

/** See the top of the file. Permissions are the caller's to check, before each read. */
export interface KvReader {
  /** The value, a copy of its own, as it was at some moment during the call. */
  get(bucket: string, key: string): KvRead;
  /** `undefined`: ask, as above. */
  exists(bucket: string, key: string): boolean | undefined;
}

/** Makes a reader. Everything that was written before it was called, or before a later message from the writer arrived, is seen. */
export function kvReaderFromShared({ buffer, limits }: SharedKv): KvReader {
  const views = viewsOf(buffer);
  const { words, bytes } = views;
  const encoded = createEncodedKey(limits.bucketNameMaxBytes + limits.keyMaxBytes);

  /** Runs `take` on the pair until nothing was written meanwhile; `"ask"` as above. */
  const read = <Result>(
    bucket: string,
    key: string,
    take: (valueStart: number, valueBytes: number) => Result,
  ): Result | "missing" | "ask" => {
    if (!isUsable(limits, bucket, key)) return "ask";
    encodeKey(views, encoded, bucket, key);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const before = Atomics.load(words, SEQUENCE);
      if ((before & 1) === 1) continue;
      if (Atomics.load(words, CLOSED) === 1) return "ask";
      const found = findPair(views, encoded);
      if (found === "torn") continue;
      const taken = found === undefined ? "missing" : take(found.valueStart, found.valueBytes);
      if (Atomics.add(words, SEQUENCE, 0) === before) return taken;
    }
    return "ask";
  };

  const copy = (start: number, length: number): Uint8Array => bytes.slice(start, start + length);
  const isThere = (): true => true;

  return {
    get(bucket, key) {
      const value = read(bucket, key, copy);
      return typeof value === "string" ? { kind: value } : { kind: "value", value };
    },
    exists(bucket, key) {
      const found = read(bucket, key, isThere);
      return found === "ask" ? undefined : found === true;
    },
  };
}

/** The writer is at work for some microseconds at a time; more looks than this are longer than asking it. */
const ATTEMPTS_MAX = 256;

function isUsable(limits: KvLimits, bucket: string, key: string): boolean {
  try {
    assertBucketName(limits, bucket);
    assertKey(limits, bucket, key);
    return true;
  } catch {
    // The store's own thread will say the same, in a fault that the guest gets.
    return false;
  }
}
