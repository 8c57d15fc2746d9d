/** Which thread a new copy goes to. */
import { fault, Reason, type Fault } from "../../fault.ts";
import type { Tenant } from "./guest-copy.ts";
import type { PoolThread } from "./pool-thread.ts";

/** How many threads there may be. */
export type ThreadCounts = {
  /** That guests share. */
  readonly threadsMax: number;
  /** Beside those, of guests that keep others waiting or may have filled a heap. */
  readonly soloThreadsMax: number;
  /** Of guests that are never on a thread with others. */
  readonly dedicatedThreadsMax: number;
};

/** A thread that is there, or a new one: for the guest alone, or for all. */
export type ThreadChoice =
  | { readonly kind: "existing"; readonly thread: PoolThread }
  | { readonly kind: "own" | "dedicated" | "shared" };

/** Chooses; throws `NODE_AT_CAPACITY`. */
export function chooseThread(tenant: Tenant, threads: Iterable<PoolThread>, counts: ThreadCounts): ThreadChoice {
  const all = [...threads];
  if (tenant.isDedicated) {
    const own = all.find((thread) => thread.owner === tenant && thread.hasRoom);
    if (own !== undefined) return { kind: "existing", thread: own };
    if (all.filter(({ isDedicated }) => isDedicated).length < counts.dedicatedThreadsMax) return { kind: "dedicated" };
    const state = `${counts.dedicatedThreadsMax} guests have threads of their own already (dedicatedThreadsMax)`;
    throw atCapacity(tenant, state);
  }
  if (isOutcast(tenant)) {
    const solos = all.filter(isSolo);
    const own = solos.find(({ owner }) => owner === tenant);
    if (own === undefined && solos.length < counts.soloThreadsMax) return { kind: "own" };
    return existing(tenant, own ?? leastLoaded(solos));
  }
  const shared = all.filter(isShared);
  const best = leastLoaded(shared);
  const isMoreWanted = best === undefined || (best.copies.size > 0 && shared.length < counts.threadsMax);
  return isMoreWanted ? { kind: "shared" } : existing(tenant, best);
}

/** Whether a guest may go on where it is: those that others must be kept from stay among themselves. */
export function fits(tenant: Tenant, thread: PoolThread): boolean {
  if (tenant.isDedicated) return true;
  return isOutcast(tenant) ? isSolo(thread) : isShared(thread);
}

function isOutcast({ record }: Tenant): boolean {
  return record.isHog || record.suspicions > 0;
}

/** Whether any guest may come to it. */
export function isShared({ owner, isRetiring }: PoolThread): boolean {
  return owner === undefined && !isRetiring;
}

/** Whether a guest of those that are shared has it to itself. */
export function isSolo({ owner, isDedicated }: PoolThread): boolean {
  return owner !== undefined && !isDedicated;
}

/** What is told when there is no room for a copy. */
export function atCapacity({ id }: Tenant, state: string): Fault {
  return fault(Reason.NODE_AT_CAPACITY, `Cannot make a copy of instance "${id}": ${state}`, { subject: id });
}

function existing(tenant: Tenant, thread: PoolThread | undefined): ThreadChoice {
  if (thread?.hasRoom === true) return { kind: "existing", thread };
  throw atCapacity(tenant, "its threads have too many calls already");
}

function leastLoaded(threads: readonly PoolThread[]): PoolThread | undefined {
  let best: PoolThread | undefined;
  for (const thread of threads) {
    const isEqual = thread.inFlight === best?.inFlight;
    const isLess = best === undefined || thread.inFlight < best.inFlight;
    if (isLess || (isEqual && thread.copies.size < (best?.copies.size ?? 0))) best = thread;
  }
  return best;
}
