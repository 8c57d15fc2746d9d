/** A clock that moves only when told to. */
import type { Clock } from "../../src/clock.ts";

export interface ManualClock extends Clock {
  /** Moves on and runs what has become due, in order. */
  advance(byMs: number): void;
}

export function createManualClock(startMs: number = 1_000_000): ManualClock {
  let nowMs = startMs;
  const timers = new Set<{ readonly dueMs: number; readonly action: () => void }>();
  return {
    nowMs: () => nowMs,
    steadyMs: () => nowMs,
    after(delayMs, action) {
      const timer = { dueMs: nowMs + delayMs, action };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance(byMs) {
      nowMs += byMs;
      for (const timer of [...timers].sort((a, b) => a.dueMs - b.dueMs)) {
        if (timer.dueMs > nowMs || !timers.delete(timer)) continue;
        timer.action();
      }
    },
  };
}
