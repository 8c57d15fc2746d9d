/**
 * Looks at the boards of busy threads every few milliseconds. It finds guests that were told to go and stay on the
 * processor, guests that keep a thread from others, and guests that use more processor time than they may.
 */
import type { Clock } from "../../clock.ts";
import { createCrowdWatch } from "./crowd.ts";
import type { GuestCopy, Tenant } from "./guest-copy.ts";
import type { PoolThread } from "./pool-thread.ts";

/** Looks while there is something to look at. */
export interface Watch {
  /** There may be something to look at. */
  wake(): void;
  /** A copy was told to go: if it has been on the processor for a while already, its thread is ended at once. */
  lookAt(copy: GuestCopy): void;
  /** May be called twice. */
  close(): void;
}

/** What the watch is told, and whom it tells. */
export type WatchDeps = {
  readonly clock: Clock;
  readonly threads: ReadonlySet<PoolThread>;
  /** Copies that were told to go. */
  readonly going: () => Iterable<GuestCopy>;
  /** The copy is not on the processor, and will not be again. */
  readonly onGone: (copy: GuestCopy) => void;
  /** The thread is held by a copy that was told to go. */
  readonly onStuck: (thread: PoolThread) => void;
  /** Others wait for the thread that the guest has kept for longer than a slice. */
  readonly onHog: (thread: PoolThread, hog: Tenant) => void;
};

const LOOK_EVERY_MS = 10;

/** How long a guest may keep a thread that others wait for, in processor time: on a busy machine a thread may stand still without anybody's fault. */
export const SLICE_MS: number = 30;

/** One stretch of one guest on a processor, as far as it has been seen. */
type Stretch = {
  readonly copy: number;
  readonly stretch: number;
  /** Looks that have found it. */
  looks: number;
  /** Processor time of the thread when it was first seen; `undefined` until the thread has said so. */
  cpuMs: number | undefined;
  isAsking: boolean;
};

/** Makes a watch that sleeps. */
export function createWatch(deps: WatchDeps): Watch {
  const { clock, threads, going, onGone, onStuck, onHog } = deps;
  const seen = new WeakMap<PoolThread, Stretch>();
  const crowds = createCrowdWatch((thread, hog) => {
    if (threads.has(thread)) onHog(thread, hog);
  });
  const looked = new WeakSet<GuestCopy>();
  let isAwake = false;
  let isClosed = false;

  function sleep(): void {
    isAwake = true;
    clock.after(LOOK_EVERY_MS, () => {
      isAwake = false;
      if (isClosed) return;
      for (const thread of threads) if (thread.inFlight > 0) lookAtThread(thread);
      for (const copy of going()) lookAtGoing(copy);
      wake();
    });
  }

  function wake(): void {
    if (isAwake || isClosed) return;
    for (const thread of threads) if (thread.inFlight > 0) return sleep();
    for (const _copy of going()) return sleep();
  }

  function lookAtThread(thread: PoolThread): void {
    const { copy, stretch } = thread.board.running();
    const before = seen.get(thread);
    const runner = thread.copies.get(copy);
    if (runner?.isDoomed === false) crowds.look(thread, runner.tenant);
    if (copy === 0 || before?.copy !== copy || before.stretch !== stretch || runner === undefined) {
      seen.set(thread, { copy, stretch, looks: 1, cpuMs: undefined, isAsking: false });
      return;
    }
    before.looks += 1;
    if (runner.isDoomed) return;
    if (isAwaited(thread, runner.tenant) || runner.tenant.cpuTimeMaxMs !== undefined)
      void askCpu(thread, before, runner);
  }

  /** The thread itself says how much processor time it has used, whatever runs on it. */
  async function askCpu(thread: PoolThread, stretch: Stretch, { tenant }: GuestCopy): Promise<void> {
    if (stretch.isAsking) return;
    stretch.isAsking = true;
    // Lost: that a thread could not be asked because it has just ended; then there is nothing left to find out.
    const cpuMs = await thread.cpuMs().catch(() => undefined);
    stretch.isAsking = false;
    const now = thread.board.running();
    if (cpuMs === undefined || !threads.has(thread) || now.copy !== stretch.copy || now.stretch !== stretch.stretch)
      return;
    const limitMs = tenant.cpuTimeMaxMs;
    const before = thread.board.cpu();
    if (limitMs !== undefined && before.usedMs + cpuMs - before.threadMs > limitMs) {
      const message = `used more processor time than cpuTimeMaxMs allows (${limitMs} ms)`;
      return tenant.end({ kind: "limit", limit: "cpuTimeMaxMs", message });
    }
    stretch.cpuMs ??= cpuMs;
    if (cpuMs - stretch.cpuMs + LOOK_EVERY_MS >= SLICE_MS && isAwaited(thread, tenant)) onHog(thread, tenant);
  }

  function lookAtGoing(copy: GuestCopy): void {
    const { thread } = copy;
    if (!threads.has(thread)) return;
    const { copy: running, stretch } = thread.board.running();
    if (running !== copy.number) {
      // Twice, because it may have got the processor in the moment in which it was told.
      if (looked.has(copy)) onGone(copy);
      looked.add(copy);
      return;
    }
    const before = seen.get(thread);
    if (before?.copy === running && before.stretch === stretch && before.looks > 1) onStuck(thread);
    else if (before?.copy !== running || before.stretch !== stretch) {
      seen.set(thread, { copy: running, stretch, looks: 1, cpuMs: undefined, isAsking: false });
    } else before.looks += 1;
  }

  return {
    wake,
    lookAt(copy) {
      lookAtGoing(copy);
      wake();
    },
    close() {
      isClosed = true;
    },
  };
}

/** Whether another guest waits for the thread: for a call to begin, or to go on. */
function isAwaited(thread: PoolThread, runner: Tenant): boolean {
  if (thread.owner === runner) return false;
  for (const { tenant, calls, isOpen, isDoomed } of thread.copies.values()) {
    if (tenant !== runner && !isDoomed && (calls.length > 0 || !isOpen)) return true;
  }
  return false;
}
