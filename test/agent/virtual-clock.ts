/** A clock that moves only when a test says so. */
import type { Clock, Entropy } from "../../src/clock.ts";

export type VirtualClock = Clock & {
  /** Moves time on and runs what falls due, in order, letting promises settle in between. */
  advance(ms: number): Promise<void>;
  /** Sets the time of day back; what waits does not wait longer for it. */
  setBack(ms: number): void;
  /** Timers that wait. */
  readonly waiting: number;
};

export function createVirtualClock(startMs = 1_700_000_000_000): VirtualClock {
  let nowMs = startMs;
  let steadyMs = 0;
  let order = 0;
  const timers = new Map<number, { atMs: number; action: () => void }>();
  return {
    // Whole, as that of Date is.
    nowMs: () => Math.floor(nowMs),
    steadyMs: () => steadyMs,
    after(delayMs, action) {
      const id = ++order;
      timers.set(id, { atMs: nowMs + delayMs, action });
      return () => timers.delete(id);
    },
    setBack(ms) {
      nowMs -= ms;
      for (const timer of timers.values()) timer.atMs -= ms;
    },
    get waiting() {
      return timers.size;
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      await settle();
      for (;;) {
        const due = [...timers]
          .filter(([, timer]) => timer.atMs <= endMs)
          .toSorted((a, b) => a[1].atMs - b[1].atMs || a[0] - b[0])[0];
        if (due === undefined) break;
        const [id, timer] = due;
        timers.delete(id);
        const passedMs = Math.max(0, timer.atMs - nowMs);
        nowMs += passedMs;
        steadyMs += passedMs;
        timer.action();
        await settle();
      }
      steadyMs += endMs - nowMs;
      nowMs = endMs;
      await settle();
    },
  };
}

/** Lets everything that is ready to run run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Entropy that repeats: fraction 0.5, ids that count up. */
export function createPlainEntropy(): Entropy {
  let count = 0;
  return { fraction: () => 0.5, hex: (bytes) => (++count).toString(16).padStart(bytes * 2, "0") };
}
