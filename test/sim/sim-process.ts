/** A process of the simulated world: it lives, stops for a while, and dies between any two of its effects on the outside. */
import type { Clock } from "../../src/clock.ts";
import type { Timeline } from "./timeline.ts";

/** What others can see of a process. */
export type Effect = "send" | "write";

/** How a process is to die: at its nth effect of a kind from now on, which still takes place or not. It is spared if there are not so many in time. */
export type Doom = {
  readonly effect: Effect;
  readonly nth: number;
  readonly takesPlace: boolean;
  readonly withinMs: number;
};

/** See the top of the file. */
export interface SimProcess {
  readonly name: string;
  readonly isAlive: boolean;
  readonly isPaused: boolean;
  /** Its own idea of time, which may be off and drift. */
  readonly clock: Clock;
  /** Runs `action` if the process lives; once it goes on, if it is paused; never, if it has died. */
  deliver(action: () => void): void;
  /** Asks whether an effect takes place: not in a process that is dead, or dies just before it. */
  effect(kind: Effect): boolean;
  /** Lets it die at a later effect. */
  doom(doom: Doom): void;
  /** As by kill -9: nothing of it runs again. Silently: with its whole host, so that its peers are not even told. */
  kill(silently?: "silently"): void;
  readonly diedSilently: boolean;
  /** Called once when it has died. */
  onDeath(action: () => void): void;
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
  let diedSilently = false;
  let fate: { effect: Effect; left: number; takesPlace: boolean; untilMs: number } | undefined;
  let waiting: (() => void)[] = [];
  const mourners: (() => void)[] = [];
  const process: SimProcess = {
    name,
    get isAlive() {
      return isAlive;
    },
    get isPaused() {
      return isPaused;
    },
    deliver(action) {
      if (!isAlive) return;
      if (isPaused) {
        waiting.push(action);
        return;
      }
      timeline.actor = process;
      action();
    },
    effect(kind) {
      if (!isAlive) return false;
      if (fate?.effect !== kind || timeline.nowMs > fate.untilMs || --fate.left > 0) return true;
      const { takesPlace } = fate;
      process.kill();
      return takesPlace;
    },
    doom({ effect, nth, takesPlace, withinMs }) {
      fate = { effect, left: nth, takesPlace, untilMs: timeline.nowMs + withinMs };
    },
    clock: {
      nowMs: () => Math.floor(timeline.nowMs * skew().rate + skew().offsetMs),
      steadyMs: () => timeline.nowMs * skew().rate,
      after(delayMs, action) {
        let isCancelled = false;
        const cancel = timeline.after(delayMs / skew().rate, () => process.deliver(() => isCancelled || action()));
        return () => {
          isCancelled = true;
          cancel();
        };
      },
    },
    get diedSilently() {
      return diedSilently;
    },
    kill(silently) {
      if (!isAlive) return;
      isAlive = false;
      diedSilently = silently !== undefined;
      waiting = [];
      for (const mourner of mourners) mourner();
    },
    onDeath: (action) => void mourners.push(action),
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      // Each in a turn of its own, as the event loop of a process that was stopped takes them.
      for (const action of waiting.splice(0)) timeline.after(0, () => process.deliver(action));
    },
  };
  return process;
}
