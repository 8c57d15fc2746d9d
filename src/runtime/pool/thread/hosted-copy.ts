/** One copy of a guest in its thread: opened once, then called, one call after the other, until it ends or is disposed of. */
import { isFault, Reason } from "../../../fault.ts";
import { uncatchableError } from "../../uncatchable.ts";
import { endingFromError } from "../guest-error.ts";
import type { CallOrder, CallOutcome, CopyOrder, FromThread, ToCopy } from "../protocol.ts";
import type { ThreadBoard } from "../thread-board.ts";
import { CopyLine } from "./copy-line.ts";
import { IncomingCall } from "./incoming-call.ts";
import type { LiveGuest, LiveGuestDeps, Suspend } from "./live-guest.ts";
import type { Outbox } from "./outbox.ts";
import type { Occupant, RunQueue } from "./run-queue.ts";

/** A call as it came. */
export type CallMessage = { readonly ticket: number; readonly order: CallOrder; readonly isLast: boolean };

/** What a copy needs of its thread. */
export type HostedCopyDeps = {
  readonly board: ThreadBoard;
  readonly queue: RunQueue;
  readonly outbox: Outbox;
  readonly lookForRights: () => void;
  /** Instantiates the program of the order. */
  readonly instantiate: (deps: LiveGuestDeps) => Promise<LiveGuest>;
  /** It is gone, by whatever cause. */
  readonly onGone: () => void;
};

/** A copy. */
export interface HostedCopy {
  readonly line: CopyLine;
  /** Begins when the copy is open and on the processor, and those before it are over: there is one call at a time. */
  call(message: CallMessage): void;
  /** Leaves a call out if it has not begun. */
  withdraw(ticket: number): void;
  accept(message: ToCopy): void;
  /** It will be disposed of: nothing of it begins or goes on any more. */
  doom(): void;
  /** Ends it. A guest that waits is unwound, for the engine never frees the stack of one that is merely forgotten. */
  dispose(): void;
}

/** Opens a copy: its start function runs when it is its turn. */
export function openHostedCopy(order: CopyOrder, deps: HostedCopyDeps): HostedCopy {
  const { board, queue, outbox } = deps;
  const line = new CopyLine({ order, outbox, lookForRights: deps.lookForRights });
  let isGone = false;
  let live: LiveGuest | undefined;
  /** Calls that have not begun, in order. */
  let pending: CallMessage[] = [];
  let isBeginAhead = false;
  let current: { readonly ticket: number; readonly incoming: IncomingCall | undefined } | undefined;
  /** Settles when guest code is off the stack for good. */
  let callOver: Promise<unknown> = Promise.resolve();
  /** Rejects what the guest waits for. */
  let unwind: ((error: Error) => void) | undefined;

  const occupant: Occupant = {
    number: order.copy,
    isGone: false,
    cpuTimeMaxMs: order.cpuTimeMaxMs,
    cpuUsedUs: 0,
    stretches: 0,
    longestMs: 0,
    onCpuOverrun() {
      const message = `used more processor time than cpuTimeMaxMs allows (${order.cpuTimeMaxMs ?? 0} ms)`;
      leave({ kind: "ended", copy: order.copy, ending: { kind: "limit", limit: "cpuTimeMaxMs", message } });
    },
  };

  const suspend: Suspend =
    (carryOut) =>
    (...args) => {
      if (occupant.isGone) throw uncatchableError("the guest has ended");
      const result = carryOut(...args);
      return result instanceof Promise ? (waitFor(result) as typeof result) : result;
    };

  function waitFor<Value>(waited: Promise<Value>): Promise<Value> {
    queue.leave(occupant);
    if (isGone) return Promise.reject(uncatchableError("the guest has ended"));
    return new Promise((resolve, reject) => {
      unwind = reject;
      const goOn = (step: () => void): void =>
        queue.add(occupant, () => {
          unwind = undefined;
          step();
        });
      waited.then(
        (value) => goOn(() => resolve(value)),
        (error: Error) => goOn(() => reject(error)),
      );
    });
  }

  /** Says how it ended, unless it is gone already. */
  function leave(last: FromThread): void {
    if (isGone) return;
    outbox.post(last);
    close();
  }

  function close(): void {
    isGone = true;
    occupant.isGone = true;
    const left = live;
    live = undefined;
    pending = [];
    current = undefined;
    line.close();
    unwind?.(uncatchableError("the guest has ended"));
    unwind = undefined;
    // Not before the guest is unwound: what the binder has disposed of waits for good, with its stack.
    void callOver.finally(() => left?.dispose());
    deps.onGone();
  }

  function open(): void {
    board.begin(order.ticket);
    // Not awaited in place: what it throws at once must not leave the processor taken.
    attempt(() => deps.instantiate({ order, line, suspend })).then(opened, notOpened);
  }

  function opened(instantiated: LiveGuest): void {
    queue.leave(occupant);
    if (isGone) return instantiated.dispose();
    live = instantiated;
    outbox.post({ kind: "opened", copy: order.copy });
    beginPending();
  }

  function notOpened(error: unknown): void {
    queue.leave(occupant);
    if (!isFault(error, Reason.MODULE_IMPORT_UNKNOWN)) return broken(error);
    leave({ kind: "refused", copy: order.copy, importName: error.subject, message: error.message });
  }

  /** Something came out of the guest that ends it. */
  function broken(error: unknown): void {
    queue.leave(occupant);
    leave({ kind: "ended", copy: order.copy, ending: endingFromError(error) });
  }

  /** Other guests get the processor between two calls, if they wait for it. */
  function beginPending(): void {
    if (live === undefined || current !== undefined || isBeginAhead || pending.length === 0) return;
    isBeginAhead = true;
    queue.add(occupant, begin);
  }

  function begin(): void {
    isBeginAhead = false;
    const guest = live;
    const next = guest === undefined ? undefined : pending.shift();
    if (guest === undefined || next === undefined) return queue.leave(occupant);
    const { ticket, order: call, isLast } = next;
    // Forbidden: it is begun elsewhere, and the copy is about to be disposed of.
    if (!board.begin(ticket)) return queue.leave(occupant);
    occupant.cpuUsedUs = 0;
    const incoming =
      call.kind === "request" ? new IncomingCall({ copy: order.copy, ticket, order: call, outbox }) : undefined;
    current = { ticket, incoming };
    const answer = attempt(() => guest.call(call, incoming));
    // Lost here: nothing, the same failure is looked at below.
    callOver = answer.catch(() => undefined);
    answer.then((outcome) => finished(ticket, outcome, isLast), broken);
  }

  function finished(ticket: number, outcome: CallOutcome, isLast: boolean): void {
    queue.leave(occupant);
    if (isGone) return;
    current?.incoming?.end();
    current = undefined;
    outbox.post({ kind: "finished", copy: order.copy, ticket, outcome, isGone: isLast });
    if (isLast) close();
    else beginPending();
  }

  queue.add(occupant, open);
  return {
    line,
    call(message) {
      if (isGone) return;
      pending.push(message);
      beginPending();
    },
    withdraw(ticket) {
      const index = pending.findIndex((each) => each.ticket === ticket);
      const [withdrawn] = index === -1 ? [] : pending.splice(index, 1);
      if (withdrawn === undefined) return;
      const { isLast } = withdrawn;
      outbox.post({ kind: "finished", copy: order.copy, ticket, outcome: { kind: "withdrawn" }, isGone: isLast });
      if (isLast) close();
    },
    accept(message) {
      if ("ask" in message) return line.accept(message);
      if (current?.ticket === message.ticket) current.incoming?.accept(message);
    },
    doom() {
      occupant.isGone = true;
    },
    dispose() {
      if (!isGone) close();
      outbox.post({ kind: "gone", copy: order.copy });
    },
  };
}

async function attempt<Result>(work: () => Promise<Result>): Promise<Result> {
  return work();
}
