/** What the agent's side knows of one copy of a guest. */
import type { PoolThread } from "./pool-thread.ts";
import type { CopyOrder, FromThread } from "./protocol.ts";
import type { LoadedProgram } from "./loaded-program.ts";
import type { Ending } from "../runtime.ts";

/** One copy. Its guest and its thread keep it up to date. */
export type GuestCopy = {
  readonly number: number;
  readonly tenant: Tenant;
  readonly thread: PoolThread;
  /** Ticket of the order that opened it. */
  readonly openTicket: number;
  /** It has said that it can take calls. */
  isOpen: boolean;
  /** A call of its own has been sent to it, for which a fresh copy was wanted. */
  isUsed: boolean;
  /** Tickets of the calls that it was sent and that are not over, in the order in which it carries them out. */
  readonly calls: number[];
  /** It was told to go. */
  isDoomed: boolean;
};

/** Why a copy is no more. */
export type Loss =
  /** Its thread was ended because of another guest, or failed. */
  | { readonly kind: "thread-lost" }
  /** Its thread was needed otherwise, or its memory was. */
  | { readonly kind: "evicted" }
  /** The guest is what broke the thread. */
  | { readonly kind: "guilty"; readonly ending: Ending };

/** A guest, as the pool sees it. */
export interface Tenant {
  readonly id: string;
  readonly program: LoadedProgram;
  /** `true`: never on a thread with others. */
  readonly isDedicated: boolean;
  readonly cpuTimeMaxMs: number | undefined;
  /** What the pool has learned about it; see `pool.ts`. */
  readonly record: TenantRecord;
  /** What its copies are opened with. */
  copyOrder(): Omit<CopyOrder, "copy" | "ticket" | "program">;
  /** Takes a message of one of its copies. */
  accept(copy: GuestCopy, message: FromThread): void;
  /** A copy is no more; `begun`: tickets of those of its calls that may have had effects. */
  lost(copy: GuestCopy, loss: Loss, begun: readonly number[]): void;
  /** Ends the guest. */
  end(ending: Ending): void;
}

/** What the pool keeps of a guest. */
export type TenantRecord = {
  /** It has kept a thread from others for longer than a slice. */
  isHog: boolean;
  /** Calls since it was last seen to do so. */
  calmCalls: number;
  /** Threads that ran out of memory with this guest on their processor. */
  suspicions: number;
};

/** Whether the next call of the copy, or its opening, waits and has not begun. */
export function hasNotBegun({ isOpen, openTicket, calls: [next], thread }: GuestCopy): boolean {
  if (!isOpen && !thread.board.hasBegun(openTicket)) return true;
  return next !== undefined && !thread.board.hasBegun(next);
}

/** Takes back those of its calls that have not begun: they never will. Gives the tickets of those that have. */
export function recallCalls({ calls, thread }: GuestCopy): readonly number[] {
  return calls.filter((ticket) => !thread.board.forbid(ticket));
}
