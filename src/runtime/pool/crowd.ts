/**
 * Finds guests that keep a thread from others not by one long stretch on its processor but by many copies, one after the
 * other: a call of another guest waits all the while.
 */
import { hasNotBegun, type GuestCopy, type Tenant } from "./guest-copy.ts";
import type { PoolThread } from "./pool-thread.ts";

/** See the top of the file. */
export interface CrowdWatch {
  /** `runner` is on the processor of the thread now. To be told every few milliseconds. */
  look(thread: PoolThread, runner: Tenant): void;
}

/** Processor time that copies of one guest may use while the same call of another waits to begin. */
const CROWD_MS = 60;

const LOOKS_MIN = 5;

type Crowd = {
  readonly tenant: Tenant;
  readonly waiting: GuestCopy;
  readonly ticket: number;
  looks: number;
  /** Processor time of the thread when it was first seen. */
  readonly beganMs: Promise<number | undefined>;
};

/** Makes the watch; `onHog` is told as by `createWatch`. */
export function createCrowdWatch(onHog: (thread: PoolThread, hog: Tenant) => void): CrowdWatch {
  const crowds = new WeakMap<PoolThread, Crowd>();

  async function judge(thread: PoolThread, crowd: Crowd): Promise<void> {
    const [beganMs, nowMs] = await Promise.all([crowd.beganMs, cpuMsOf(thread)]);
    if (beganMs === undefined || nowMs === undefined || nowMs - beganMs < CROWD_MS) return;
    if (crowds.get(thread) !== crowd || !isWaiting(crowd)) return;
    crowds.delete(thread);
    onHog(thread, crowd.tenant);
  }

  return {
    look(thread, runner) {
      if (thread.owner === runner) return;
      const before = crowds.get(thread);
      if (before?.tenant === runner && isWaiting(before)) {
        before.looks += 1;
        if (before.looks >= LOOKS_MIN) void judge(thread, before);
        return;
      }
      crowds.delete(thread);
      for (const waiting of thread.copies.values()) {
        if (waiting.tenant === runner || waiting.isDoomed || !hasNotBegun(waiting)) continue;
        const ticket = waiting.calls[0] ?? waiting.openTicket;
        crowds.set(thread, { tenant: runner, waiting, ticket, looks: 1, beganMs: cpuMsOf(thread) });
        return;
      }
    },
  };
}

function isWaiting({ waiting, ticket }: Crowd): boolean {
  const { thread, number } = waiting;
  return thread.copies.get(number) === waiting && !waiting.isDoomed && !thread.board.hasBegun(ticket);
}

/** `undefined` of a thread that has just ended. */
function cpuMsOf(thread: PoolThread): Promise<number | undefined> {
  // Lost: why it could not be asked; there is nothing left to find out then.
  return thread.cpuMs().catch(() => undefined);
}
