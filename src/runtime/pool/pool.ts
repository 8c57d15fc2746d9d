/**
 * The threads that guests run on, and what becomes of copies when a thread ends. A guest that has kept a thread from others
 * (a hog), or may have filled its heap (a suspect), gets a thread to itself, of which there are `soloThreadsMax`; beyond
 * that such guests share those.
 */
import type { Clock } from "../../clock.ts";
import { hasNotBegun, recallCalls, type GuestCopy, type Tenant } from "./guest-copy.ts";
import type { LoadedProgram } from "./loaded-program.ts";
import { createMappingBudget } from "./mapping-budget.ts";
import { createPoolThread, type PoolThread } from "./pool-thread.ts";
import type { CallOrder, FromThread } from "./protocol.ts";
import { atCapacity, chooseThread, fits, isShared, isSolo, type ThreadCounts } from "./thread-choice.ts";
import { guiltyOf } from "./thread-death.ts";
import type { ThreadSupply } from "./thread-supply.ts";
import { createWatch } from "./watch.ts";

/** Where guests get their copies. */
export interface Pool {
  /** Opens a copy; throws `NODE_AT_CAPACITY`. */
  open(tenant: Tenant): GuestCopy;
  /** Sends a call, which begins when those that the copy has are over; returns its ticket. */
  call(copy: GuestCopy, order: CallOrder, isLast: boolean): number;
  /** Whether calls may be sent to the copy where it is. */
  isUsable(copy: GuestCopy): boolean;
  /** The copy has no call now, and may be taken away when room is short. */
  idle(copy: GuestCopy): void;
  /** Ends a copy. Resolves when it can run no more. */
  dispose(copy: GuestCopy): Promise<void>;
  /** The guest has ended, or needs no thread of its own any more. */
  release(tenant: Tenant): Promise<void>;
  /** Ends every thread. May be called twice. */
  close(): Promise<void>;
}

/** What the pool needs, and how large it is. */
export type PoolOptions = {
  readonly clock: Clock;
  readonly supply: ThreadSupply;
  readonly counts: ThreadCounts;
};

/** A hog that has made so many calls since without keeping anybody waiting may share a thread again. */
const CALM_CALLS = 100;

/** Makes a pool without threads. */
export function createPool({ clock, supply, counts }: PoolOptions): Pool {
  const threads = new Set<PoolThread>();
  const budget = createMappingBudget();
  /** In the order in which they became idle. */
  const idle = new Set<GuestCopy>();
  const going = new Map<GuestCopy, PromiseWithResolvers<void>>();
  const programNumbers = new WeakMap<LoadedProgram, number>();
  const ending = new Set<Promise<void>>();
  let lastCopy = 0;
  let lastProgram = 0;

  const watch = createWatch({
    clock,
    threads,
    going: () => going.keys(),
    onGone: (copy) => gone(copy),
    onStuck: (thread) => endThread(thread),
    onHog: evacuate,
  });

  function boot(owner: Tenant | undefined, isDedicated: boolean): PoolThread {
    const thread = createPoolThread({
      ...supply.take(),
      owner,
      isDedicated,
      nextCopy: () => (lastCopy = (lastCopy % 0x7fff_ffff) + 1),
      programNumber,
      onMessage: (copy, message) => accept(copy, message),
      onDeath: (cause) => buryThread(thread, cause),
    });
    threads.add(thread);
    return thread;
  }

  function programNumber(program: LoadedProgram): number {
    let number = programNumbers.get(program);
    if (number === undefined) {
      lastProgram += 1;
      number = lastProgram;
      programNumbers.set(program, number);
    }
    return number;
  }

  function threadFor(tenant: Tenant): PoolThread {
    const choice = chooseThread(tenant, threads, counts);
    if (choice.kind === "existing") return choice.thread;
    return boot(choice.kind === "shared" ? undefined : tenant, choice.kind === "dedicated");
  }

  function accept(copy: GuestCopy, message: FromThread): void {
    if (copy.isDoomed) {
      if (message.kind === "gone") gone(copy);
      return;
    }
    if (message.kind === "opened") {
      copy.isOpen = true;
      copy.thread.settled();
      // Now, and not when the last one was taken: nobody waits for the processor.
      supply.prepare();
    }
    if (message.kind === "finished") {
      const index = copy.calls.indexOf(message.ticket);
      if (index === -1) return;
      copy.calls.splice(index, 1);
      copy.thread.settled();
      if (message.isGone) remove(copy);
      noteCalm(copy.tenant);
      copy.tenant.accept(copy, message);
      return retireIfIdle(copy.thread);
    }
    if (message.kind === "ended" || message.kind === "refused") remove(copy);
    copy.tenant.accept(copy, message);
  }

  function noteCalm(tenant: Tenant): void {
    const { record } = tenant;
    record.calmCalls += 1;
    if (!record.isHog || record.calmCalls < CALM_CALLS) return;
    record.isHog = false;
    if (record.suspicions === 0) void release(tenant);
  }

  /** Takes a copy that runs no more off all lists. */
  function remove(copy: GuestCopy): void {
    const { thread } = copy;
    idle.delete(copy);
    if (!thread.copies.has(copy.number)) return;
    thread.remove(copy);
    budget.giveBack(copy.tenant.program.memoryCount);
    retireIfIdle(thread);
  }

  /** Threads that were the guest's alone are shared from now on, or end if there are enough of those. */
  async function release(tenant: Tenant): Promise<void> {
    for (const thread of [...threads].filter(({ owner }) => owner === tenant)) {
      if (thread.isDedicated) {
        endThread(thread);
        await thread.terminate();
        continue;
      }
      thread.owner = undefined;
      thread.isRetiring = [...threads].filter(isShared).length > counts.threadsMax;
      retireIfIdle(thread);
    }
  }

  function retireIfIdle(thread: PoolThread): void {
    if (threads.has(thread) && thread.isRetiring && thread.inFlight === 0) endThread(thread);
  }

  function gone(copy: GuestCopy): void {
    remove(copy);
    going.get(copy)?.resolve();
    going.delete(copy);
  }

  async function dispose(copy: GuestCopy): Promise<void> {
    const { thread } = copy;
    if (!thread.copies.has(copy.number) || !threads.has(thread)) return;
    idle.delete(copy);
    copy.isDoomed = true;
    const done = going.get(copy) ?? Promise.withResolvers<void>();
    going.set(copy, done);
    thread.postUrgently({ kind: "dispose", copy: copy.number });
    watch.lookAt(copy);
    return done.promise;
  }

  /** Ends a thread now. Its guests get copies elsewhere; what had begun is lost. */
  function endThread(thread: PoolThread): void {
    if (!threads.delete(thread)) return;
    const ended = thread.terminate();
    ending.add(ended);
    void ended.finally(() => ending.delete(ended));
    scatter(thread, ended);
  }

  /** The thread ended by itself: for lack of memory, or for a reason that is no guest's. */
  function buryThread(thread: PoolThread, cause: unknown): void {
    if (!threads.delete(thread)) return;
    const guilty = guiltyOf(thread, cause);
    for (const copy of [...thread.copies.values()].filter(({ tenant }) => tenant === guilty?.tenant)) {
      if (guilty === undefined || copy.isDoomed) continue;
      const begun = recallCalls(copy);
      remove(copy);
      copy.tenant.lost(copy, { kind: "guilty", ending: guilty.ending }, begun);
    }
    scatter(thread, thread.terminate());
  }

  function scatter(thread: PoolThread, ended: Promise<void>): void {
    const copies = [...thread.copies.values()];
    const begun = copies.map(recallCalls);
    for (const copy of copies) remove(copy);
    for (const [index, copy] of copies.entries()) {
      const done = going.get(copy);
      if (done === undefined) copy.tenant.lost(copy, { kind: "thread-lost" }, begun[index] ?? []);
      else void ended.finally(() => gone(copy));
    }
  }

  /** Gives a thread to the guest that keeps it from the others: what they wait for begins elsewhere. */
  function evacuate(thread: PoolThread, hog: Tenant): void {
    hog.record.isHog = true;
    hog.record.calmCalls = 0;
    if ([...threads].filter(isSolo).length >= counts.soloThreadsMax) return;
    thread.owner = hog;
    const waiting = [...thread.copies.values()].filter(
      (copy) => copy.tenant !== hog && !copy.isDoomed && hasNotBegun(copy),
    );
    for (const copy of waiting) evict(copy, "thread-lost");
  }

  function evict(copy: GuestCopy, kind: "thread-lost" | "evicted"): void {
    const begun = recallCalls(copy);
    void dispose(copy);
    copy.tenant.lost(copy, { kind }, begun);
  }

  function makeRoom(tenant: Tenant): void {
    const { memoryCount } = tenant.program;
    for (const oldest of idle) {
      if (budget.hasRoom(memoryCount)) break;
      evict(oldest, "evicted");
      // Its mappings come back when the engine collects them, which the thread sees to; here they count as given back.
      remove(oldest);
    }
    if (!budget.hasRoom(memoryCount)) throw atCapacity(tenant, "the process has no room for another memory");
    budget.take(memoryCount);
  }

  return {
    open(tenant) {
      const thread = threadFor(tenant);
      makeRoom(tenant);
      const copy = thread.open(tenant, tenant.copyOrder());
      watch.wake();
      return copy;
    },
    call(copy, order, isLast) {
      idle.delete(copy);
      copy.isUsed = true;
      const ticket = copy.thread.call(copy, order, isLast);
      copy.calls.push(ticket);
      watch.wake();
      return ticket;
    },
    isUsable: ({ thread, tenant, isDoomed }) =>
      !isDoomed && threads.has(thread) && thread.hasRoom && fits(tenant, thread),
    idle: (copy) => void idle.add(copy),
    dispose,
    release,
    async close() {
      watch.close();
      for (const thread of threads) endThread(thread);
      await Promise.all(ending);
    },
  };
}
