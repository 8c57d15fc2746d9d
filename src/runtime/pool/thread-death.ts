/** Whose fault it is that a thread has ended by itself. */
import type { Tenant } from "./guest-copy.ts";
import type { PoolThread } from "./pool-thread.ts";
import type { Ending } from "../runtime.ts";

/** A guest that is to be ended, and as what. */
export type Guilty = { readonly tenant: Tenant; readonly ending: Ending };

/** Threads that may run out of memory with a guest on their processor before it is taken for the cause. */
const SUSPICIONS_MAX = 2;

const OUT_OF_MEMORY: Ending = {
  kind: "limit",
  limit: "memoryMaxBytes",
  message: "used more memory outside its linear memory than a guest may",
};

/**
 * The guest whose fault it is, if that can be known: one that was alone on the thread. Of several, the one on the processor is
 * suspected when the heap was full; from then on it has a thread to itself, and the next time it is known. If none was on
 * the processor, those in the middle of a call are suspected, and found out when they are alone.
 */
export function guiltyOf(thread: PoolThread, cause: unknown): Guilty | undefined {
  const copies = [...thread.copies.values()];
  const tenants = new Set(copies.map(({ tenant }) => tenant));
  const [only] = tenants;
  const isAlone = tenants.size === 1 && only !== undefined;
  if (!isOutOfMemory(cause)) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return isAlone ? { tenant: only, ending: { kind: "host-failed", message } } : undefined;
  }
  if (isAlone) return { tenant: only, ending: OUT_OF_MEMORY };
  const suspect = thread.copies.get(thread.board.running().copy)?.tenant;
  if (suspect === undefined) {
    for (const { tenant, calls } of copies) if (calls.length > 0) tenant.record.suspicions ||= 1;
    return undefined;
  }
  suspect.record.suspicions += 1;
  return suspect.record.suspicions >= SUSPICIONS_MAX ? { tenant: suspect, ending: OUT_OF_MEMORY } : undefined;
}

function isOutOfMemory(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY";
}
