/** Timers for limits that may be longer than a timer can be. */
import type { Clock } from "../clock.ts";

/** Timers of the platform count in 31 bits; a longer one would go off at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Runs `action` once after `delayMs`, however long that is; the function returned cancels it. */
export function afterLong(clock: Clock, delayMs: number, action: () => void): () => void {
  if (delayMs <= TIMER_MAX_MS) return clock.after(delayMs, action);
  let cancel = clock.after(TIMER_MAX_MS, () => {
    cancel = afterLong(clock, delayMs - TIMER_MAX_MS, action);
  });
  return () => cancel();
}
