/**
 * Lets one guest after the other onto the thread's processor. Guest code runs from the moment when a call begins or
 * something that it waited for has come, until it waits again or returns; the board says whose it is. Were two promises
 * that guests wait for to settle in one turn, nobody could say which guest runs: so what has come waits here until
 * the processor is free.
 */
import type { ThreadBoard } from "../thread-board.ts";
import type { Outbox } from "./outbox.ts";

/** Who may be on the processor. */
export interface Occupant {
  readonly number: number;
  /** It has ended or was disposed of: nothing of it begins any more. */
  isGone: boolean;
  /** Processor time is counted only if it has a limit. */
  readonly cpuTimeMaxMs: number | undefined;
  /** What its call has used so far, in microseconds. */
  cpuUsedUs: number;
  /** Stretches on the processor so far, and the longest of them. */
  stretches: number;
  longestMs: number;
  /** Told when it leaves the processor with more used than its limit. */
  onCpuOverrun(): void;
}

/** See the top of the file. */
export interface RunQueue {
  /** `step` runs with `occupant` on the processor, when it is free; `leave` must follow. */
  add(occupant: Occupant, step: () => void): void;
  /** Guest code of `occupant` runs no more for now; does nothing if it was not on the processor. */
  leave(occupant: Occupant): void;
}

/** After so long in one turn of the event loop, the next guest waits until messages have been looked at. */
const TURN_MAX_MS = 5;

/** A guest with so many stretches behind it, none of them long, is taken to yield soon. */
const KNOWN_STRETCHES = 3;
const KNOWN_MAX_MS = 2;

/** Steps that are done and still in the list; taking each out at once would move all that wait. */
const DONE_KEPT_MAX = 1_024;

/** What a queue needs of its thread. */
export type RunQueueDeps = {
  readonly board: ThreadBoard;
  readonly makeOutbox: (onFirst: () => void) => Outbox;
  /** Called before each guest gets the processor. */
  readonly beforeEach: () => void;
};

/** Makes an empty queue. It sees to it that the outbox is flushed when a turn ends. */
export function createRunQueue({ board, makeOutbox, beforeEach }: RunQueueDeps): { queue: RunQueue; outbox: Outbox } {
  let steps: { readonly occupant: Occupant; readonly step: () => void }[] = [];
  let first = 0;
  let current: Occupant | undefined;
  let enteredMs = 0;
  let enteredCpuUs = 0;
  let turnEndsMs: number | undefined;
  let isTurnEndAwaited = false;

  const outbox = makeOutbox(awaitTurnEnd);

  function awaitTurnEnd(): void {
    if (isTurnEndAwaited) return;
    isTurnEndAwaited = true;
    setImmediate(() => {
      isTurnEndAwaited = false;
      turnEndsMs = undefined;
      outbox.flush();
      runNext();
    });
  }

  function runNext(): void {
    while (current === undefined && first < steps.length) {
      const nowMs = performance.now();
      awaitTurnEnd();
      turnEndsMs ??= nowMs + TURN_MAX_MS;
      if (nowMs > turnEndsMs) break;
      beforeEach();
      const next = steps[first];
      first += 1;
      if (next === undefined || next.occupant.isGone) continue;
      // One that is not known may keep the processor for good, and with it what others have said in this turn.
      if (!outbox.isEmpty && !isKnown(next.occupant)) outbox.flush();
      enter(next.occupant, nowMs);
      next.step();
    }
    forgetDone();
  }

  /** Guests that always have somebody waiting behind them would keep all steps that ever were. */
  function forgetDone(): void {
    if (first === 0 || (first < steps.length && first < DONE_KEPT_MAX)) return;
    steps = steps.slice(first);
    first = 0;
  }

  function enter(occupant: Occupant, nowMs: number): void {
    current = occupant;
    enteredMs = nowMs;
    if (occupant.cpuTimeMaxMs !== undefined) {
      enteredCpuUs = threadCpuUs();
      board.noteCpu(Math.trunc(occupant.cpuUsedUs / 1000), Math.trunc(enteredCpuUs / 1000));
    }
    board.enter(occupant.number);
  }

  return {
    outbox,
    queue: {
      add(occupant, step) {
        steps.push({ occupant, step });
        if (current === undefined) runNext();
      },
      leave(occupant) {
        if (current !== occupant) return;
        board.leave();
        current = undefined;
        occupant.stretches += 1;
        const lastedMs = performance.now() - enteredMs;
        if (lastedMs > occupant.longestMs) occupant.longestMs = lastedMs;
        if (occupant.cpuTimeMaxMs !== undefined) {
          occupant.cpuUsedUs += threadCpuUs() - enteredCpuUs;
          if (occupant.cpuUsedUs > occupant.cpuTimeMaxMs * 1000) occupant.onCpuOverrun();
        }
        if (first < steps.length) queueMicrotask(runNext);
      },
    },
  };
}

function isKnown({ stretches, longestMs }: Occupant): boolean {
  return stretches >= KNOWN_STRETCHES && longestMs <= KNOWN_MAX_MS;
}

function threadCpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}
