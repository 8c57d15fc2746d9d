/** A process of the simulated world: it lives, stops for a while, and dies between any two of its awaits. */
import type { Clock } from "../../src/clock.ts";
import type { Timeline } from "./timeline.ts";

/** See the top of the file. */
export interface SimProcess {
  readonly name: string;
  readonly isAlive: boolean;
  readonly isPaused: boolean;
  /** Its own idea of time, which may be off and drift. */
  readonly clock: Clock;
  /** Runs `action` if the process lives; once it goes on, if it is paused; never, if it has died. */
  deliver(action: () => void): void;
  /** As by kill -9: nothing of it runs again. */
  kill(): void;
  /** As by SIGSTOP. */
  pause(): void;
  /** As by SIGCONT: what came meanwhile is delivered, in order. */
  resume(): void;
}

/** How a process's clock goes. */
export type ClockSkew = { readonly offsetMs: number; readonly rate: number };

/** Starts a process. `skew` is read at every use, so that its host's clock may jump. */
export function startSimProcess(name: string, timeline: Timeline, skew: () => ClockSkew): SimProcess {
  let isAlive = true;
  let isPaused = false;
  const waiting: (() => void)[] = [];
  const deliver = (action: () => void): void => {
    if (!isAlive) return;
    if (isPaused) waiting.push(action);
    else action();
  };
  return {
    name,
    get isAlive() {
      return isAlive;
    },
    get isPaused() {
      return isPaused;
    },
    deliver,
    clock: {
      nowMs: () => Math.floor(timeline.nowMs * skew().rate + skew().offsetMs),
      steadyMs: () => timeline.nowMs * skew().rate,
      after: (delayMs, action) => timeline.after(delayMs / skew().rate, () => deliver(action)),
    },
    kill() {
      isAlive = false;
      waiting.length = 0;
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      // Each in a turn of its own, as the event loop of a process that was stopped takes them.
      for (const action of waiting.splice(0)) timeline.after(0, () => deliver(action));
    },
  };
}
