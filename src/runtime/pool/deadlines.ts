/** Many deadlines on one timer. Nearly all of them are taken back before they are due, so that must cost next to nothing. */
import type { Clock } from "../../clock.ts";
import { afterLong } from "../long-timer.ts";

/** Runs actions when their time has come. */
export interface Deadlines {
  /** Runs `action` once, `delayMs` from now or up to `GRAIN_MS` later; the function returned takes it back. */
  after(delayMs: number, action: () => void): () => void;
  /** Takes all of them back. May be called twice. */
  close(): void;
}

/** Deadlines within so many milliseconds are kept, and met, together. */
export const GRAIN_MS: number = 8;

/** Makes it; there is a timer only while there are deadlines. */
export function createDeadlines(clock: Clock): Deadlines {
  const grains = new Map<number, Set<() => void>>();
  /** The grain that the timer is set for. */
  let armed = Number.POSITIVE_INFINITY;
  let cancelTimer = (): void => {};
  let isClosed = false;

  function arm(grain: number): void {
    cancelTimer();
    armed = grain;
    if (grain < Number.POSITIVE_INFINITY)
      cancelTimer = afterLong(clock, Math.max(0, grain * GRAIN_MS - clock.steadyMs()), meet);
  }

  function meet(): void {
    const now = Math.floor(clock.steadyMs() / GRAIN_MS);
    const due = [...grains.keys()].filter((grain) => grain <= now).sort((left, right) => left - right);
    const actions = due.flatMap((grain) => [...(grains.get(grain) ?? [])]);
    for (const grain of due) grains.delete(grain);
    for (const action of actions) action();
    arm(first());
  }

  function first(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const grain of grains.keys()) if (grain < least) least = grain;
    return least;
  }

  return {
    after(delayMs, action) {
      if (isClosed) return () => {};
      const grain = Math.floor((clock.steadyMs() + delayMs) / GRAIN_MS) + 1;
      // A function of its own, because the same action may be due twice.
      const entry = (): void => action();
      const actions = grains.get(grain) ?? new Set();
      grains.set(grain, actions.add(entry));
      if (grain < armed) arm(grain);
      return () => {
        if (actions.delete(entry) && actions.size === 0 && grains.get(grain) === actions) grains.delete(grain);
      };
    },
    close() {
      isClosed = true;
      grains.clear();
      arm(Number.POSITIVE_INFINITY);
    },
  };
}
