/** The clocks and the randomness that guests read: the machine's. Threads have nothing to inject them, and guests expect the real ones. */
import { randomFillSync } from "node:crypto";

/** Nanoseconds of a clock that never goes back. */
export function monotonicNowNs(): bigint {
  return process.hrtime.bigint();
}

/** Nanoseconds since the Unix epoch. */
export function wallNowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000)) * 1_000n;
}

const POOL_BYTES = 4096;
const pool = new Uint8Array(POOL_BYTES);
let poolUsed = POOL_BYTES;

/** Fills the array with random bytes, whatever its length. Small requests are served from a pool, whose bytes are given out once. */
export function fillRandom(bytes: Uint8Array): void {
  if (bytes.length > POOL_BYTES / 4) {
    randomFillSync(bytes);
    return;
  }
  if (poolUsed + bytes.length > POOL_BYTES) {
    randomFillSync(pool);
    poolUsed = 0;
  }
  bytes.set(pool.subarray(poolUsed, poolUsed + bytes.length));
  pool.fill(0, poolUsed, poolUsed + bytes.length);
  poolUsed += bytes.length;
}

/** A wait for an instant. */
export type Sleep = { readonly done: Promise<void>; cancel(): void };

/** Timers of the platform count in 31 bits; longer sleeps are made of several. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Waits until the monotonic clock has come to `untilNs`; `onOver` is told when that has happened or it was canceled. */
export function sleepUntil(untilNs: bigint, onOver: () => void): Sleep {
  const { promise, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;

  function over(): void {
    clearTimeout(timer);
    onOver();
    resolve();
  }

  function wait(): void {
    const leftNs = untilNs - monotonicNowNs();
    if (leftNs <= 0n) return over();
    // Rounded up: a guest that looks at the clock must not find that it was woken too early.
    const leftMs = leftNs / 1_000_000n + 1n;
    timer = setTimeout(wait, leftMs > BigInt(TIMER_MAX_MS) ? TIMER_MAX_MS : Number(leftMs));
  }

  // Not before the caller has its hands on it.
  queueMicrotask(wait);
  return { done: promise, cancel: over };
}
