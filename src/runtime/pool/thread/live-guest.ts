/** What an instantiated guest is to its thread, whatever it is made of. */
import type { GuestLine, IncomingExchange } from "../../host/guest-line.ts";
import type { CallOrder, CallOutcome, CopyOrder } from "../protocol.ts";

/** One copy of a guest, instantiated. */
export interface LiveGuest {
  /** Begins a call; guest code runs at once. Rejects with what the guest threw or trapped on. `exchange` goes with a request. */
  call(order: CallOrder, exchange: IncomingExchange | undefined): Promise<CallOutcome>;
  /** Gives back what the host holds for it. No guest code runs afterwards. */
  dispose(): void;
}

/**
 * Wraps a host function that may return a promise: while that is pending the guest is off the processor, and it goes
 * on only when it is its turn.
 */
export type Suspend = <Args extends readonly unknown[], Result>(
  carryOut: (...args: Args) => Result,
) => (...args: Args) => Result;

/** What a guest is instantiated with. */
export type LiveGuestDeps = { readonly order: CopyOrder; readonly line: GuestLine; readonly suspend: Suspend };
