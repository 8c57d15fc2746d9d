/** One call at the desk: where it is, and whether anybody wants it. */
import type { CallerSignal } from "../runtime.ts";
import type { CallLink, GuestCall } from "./guest-call.ts";
import type { GuestCopy } from "./guest-copy.ts";
import type { ToCopy } from "./protocol.ts";

/** The wall time that a call may take, and the limit that says so. */
export type CallTime = { readonly limit: "callTimeoutMs" | "commandTimeoutMs"; readonly ms: number | undefined };

/** Whoever keeps the call. */
export interface CallKeeper {
  /** The caller has gone away. */
  vanished(queued: QueuedCall): void;
  /** The caller wants nothing more of a call that was sent. */
  callerGone(queued: QueuedCall): void;
}

/** What a queued call is made of. */
export type QueuedCallOptions = {
  readonly call: GuestCall;
  readonly time: CallTime;
  readonly signal: CallerSignal | undefined;
  readonly keeper: CallKeeper;
};

/** See the top of the file. A class, and its own link and listener, because there is one for each request. */
export class QueuedCall implements CallLink {
  readonly call: GuestCall;
  readonly time: CallTime;
  /** The copy that it was sent to. */
  copy: GuestCopy | undefined;
  /** Of the sending; 0 for none. */
  ticket = 0;
  /** Its caller wants nothing more of it. */
  isCallerGone = false;
  cancelDeadline: (() => void) | undefined;
  readonly #signal: CallerSignal | undefined;
  readonly #keeper: CallKeeper;

  constructor({ call, time, signal, keeper }: QueuedCallOptions) {
    this.call = call;
    this.time = time;
    this.#signal = signal;
    this.#keeper = keeper;
    signal?.addEventListener("abort", this.#onAbort);
  }

  send(message: Extract<ToCopy, { ticket: number }>): void {
    this.copy?.thread.post({ ...message, copy: this.copy.number });
  }

  callerGone(): void {
    this.#keeper.callerGone(this);
  }

  /** It is sent no more: it is over, or will be sent anew. */
  unsent(): void {
    this.cancelDeadline?.();
    this.cancelDeadline = undefined;
    this.copy = undefined;
    this.ticket = 0;
  }

  /** It is over: nobody listens to its caller any more. */
  settled(): void {
    this.unsent();
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => this.#keeper.vanished(this);
}
