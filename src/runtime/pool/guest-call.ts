/** One call into a guest, as the agent's side of the line sees it. */
import type { Fault } from "../../fault.ts";
import type { CallOrder, CallOutcome, FromThread, ToCopy } from "./protocol.ts";

/** What a pool thread says during a call. */
export type CallMessage = Extract<FromThread, { kind: "response" | "readBody" | "awaitReader" }>;

/** The way to the guest while the call runs; does nothing once it is over. */
export type CallLink = {
  readonly ticket: number;
  send(message: Extract<ToCopy, { ticket: number }>): void;
  /** The caller wants nothing more of the call. */
  callerGone(): void;
};

/** A call that waits in the queue or runs. Whoever made it holds the promise that it settles. */
export interface GuestCall {
  /** What begins it in the guest's thread. */
  readonly order: CallOrder;
  /** It was sent to a thread. Happens anew if the thread is lost before the call has begun. */
  begin(link: CallLink): void;
  accept(message: CallMessage): void;
  /** The guest has come to the end of it. */
  finish(outcome: CallOutcome): void;
  /** The caller gets this, and nothing more: what the guest still does for this call is thrown away. */
  abandon(why: Fault): void;
  /** The guest does nothing more for this call: the caller gets what has come so far, then this. */
  fail(why: Fault): void;
  /** Whether the guest waits for a caller that is slow, so that its time is not its own. */
  readonly isHeldByCaller: boolean;
  /** Makes the guest's reads and writes for this call fail, so that it can return. */
  letGo(): void;
}
