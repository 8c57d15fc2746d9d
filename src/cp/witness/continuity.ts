/**
 * Tells how long this process has run without a pause. One that was stopped (SIGSTOP, a suspended laptop, a frozen
 * isolate) finds every node silent when it goes on; nothing may be concluded from that silence.
 */
import type { Clock } from "../../clock.ts";

/** See the top of the file. */
export interface Continuity {
  /** Milliseconds since the process began, or went on after its last pause. */
  unbrokenMs(): number;
  /** Ends the watch. May be called twice. */
  close(): void;
}

const BEAT_MS = 1_000;
/** A beat that comes later than this was no beat. */
const PAUSE_MS = 3 * BEAT_MS;

/** Begins to watch. */
export function watchContinuity(clock: Clock): Continuity {
  let lastMs = clock.steadyMs();
  let sinceMs = lastMs;
  let cancel = (): void => {};
  const look = (): void => {
    const nowMs = clock.steadyMs();
    if (nowMs - lastMs > PAUSE_MS) sinceMs = nowMs;
    lastMs = nowMs;
  };
  const beat = (): void => {
    look();
    cancel = clock.after(BEAT_MS, beat);
  };
  beat();
  return {
    unbrokenMs() {
      look();
      return clock.steadyMs() - sinceMs;
    },
    close: () => cancel(),
  };
}
