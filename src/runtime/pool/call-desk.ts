/** The calls of one guest: those that wait, and those that its copies carry out. */
import { fault, isFault, Reason, type Fault } from "../../fault.ts";
import { callerTooSlow, callNotBegun, canceled, interrupted } from "../guest-ending.ts";
import type { GuestLimits, GuestStart } from "../runtime.ts";
import type { Deadlines } from "./deadlines.ts";
import type { CallMessage, GuestCall } from "./guest-call.ts";
import type { GuestCopy, Tenant } from "./guest-copy.ts";
import type { Pool } from "./pool.ts";
import type { CallOutcome } from "./protocol.ts";

/** The wall time that a call may take, and the limit that says so. */
export type CallTime = { readonly limit: "callTimeoutMs" | "commandTimeoutMs"; readonly ms: number | undefined };

/** What the desk needs of its guest. */
export type CallDeskDeps = {
  readonly tenant: Tenant;
  readonly start: Pick<GuestStart, "limits" | "reuse">;
  readonly pool: Pool;
  readonly deadlines: Deadlines;
  /** A call has used up its time, by the guest's own doing. */
  readonly onExceed: (limit: CallTime["limit"]) => void;
  /** There is no call any more. */
  readonly onIdle: () => void;
};

/** After its caller has been sent away, a guest that was waiting for the caller gets this long to return. */
const LET_GO_MS = 1_000;

/** How long a guest goes on for a caller that has gone away. */
const VANISHED_MS = 1_000;

type QueuedCall = {
  readonly call: GuestCall;
  readonly time: CallTime;
  /** Stops listening to the caller's signal. */
  readonly unlisten: () => void;
  /** Set while a copy carries it out. */
  running: { readonly copy: GuestCopy; readonly ticket: number; cancelDeadline: () => void } | undefined;
  /** Its caller wants nothing more of it. */
  isCallerGone: boolean;
};

/** See the top of the file. A class, as one object for each guest should be small. */
export class CallDesk {
  /** All copies of the guest that may still run. */
  readonly copies: Set<GuestCopy> = new Set();
  readonly #deps: CallDeskDeps;
  readonly #running = new Map<GuestCopy, QueuedCall>();
  #queue: QueuedCall[] = [];
  #isOpen = false;

  constructor(deps: CallDeskDeps) {
    this.#deps = deps;
  }

  get isBusy(): boolean {
    return this.#running.size > 0 || this.#queue.length > 0;
  }

  /** Opens a copy; throws `NODE_AT_CAPACITY`. */
  openCopy(): GuestCopy {
    const copy = this.#deps.pool.open(this.#deps.tenant);
    this.copies.add(copy);
    return copy;
  }

  /** Copies take calls from now on. */
  open(): void {
    this.#isOpen = true;
    this.dispatch();
  }

  /** Takes a call; throws `CALL_QUEUE_FULL`, and `CANCELED` for a caller that is gone already. */
  enqueue(call: GuestCall, time: CallTime, signal: AbortSignal | undefined): void {
    const { id } = this.#deps.tenant;
    const { concurrentCallsMax, queuedCallsMax } = this.#deps.start.limits;
    if (signal?.aborted === true) throw canceled(id);
    if (this.#running.size >= concurrentCallsMax && this.#queue.length >= queuedCallsMax) {
      const state = `${this.#queue.length} calls wait already (queuedCallsMax is ${queuedCallsMax})`;
      throw fault(Reason.CALL_QUEUE_FULL, `Cannot call instance "${id}": ${state}`, { subject: id });
    }
    const abort = (): void => this.#vanish(queued);
    const unlisten = (): void => signal?.removeEventListener("abort", abort);
    const queued: QueuedCall = { call, time, unlisten, running: undefined, isCallerGone: false };
    signal?.addEventListener("abort", abort, { once: true });
    this.#queue.push(queued);
    this.dispatch();
  }

  accept(copy: GuestCopy, message: CallMessage): void {
    const queued = this.#running.get(copy);
    if (queued?.running?.ticket === message.ticket) queued.call.accept(message);
  }

  /** A copy has come to the end of its call, and is gone if that was its last. */
  finished(copy: GuestCopy, outcome: CallOutcome, isGone: boolean): void {
    const queued = this.#running.get(copy);
    this.#running.delete(copy);
    if (isGone) this.copies.delete(copy);
    else this.#deps.pool.idle(copy);
    if (queued !== undefined) {
      this.#settle(queued);
      queued.call.finish(outcome);
    }
    this.dispatch();
  }

  /** A copy is no more. Its call is begun anew elsewhere, the only retry of a call, if nothing of it has happened. */
  lost(copy: GuestCopy, hasBegun: boolean): void {
    this.copies.delete(copy);
    const queued = this.#running.get(copy);
    this.#running.delete(copy);
    if (queued === undefined) return;
    queued.running?.cancelDeadline();
    queued.running = undefined;
    if (!hasBegun && !queued.isCallerGone) this.#queue.unshift(queued);
    else this.#refuse(queued, interrupted(this.#deps.tenant.id));
  }

  /** The guest has ended. */
  close(whyRunning: Fault, whyQueued: Fault): void {
    this.#isOpen = false;
    for (const queued of this.#running.values()) this.#refuse(queued, whyRunning);
    this.#running.clear();
    for (const queued of this.#queue.splice(0)) this.#refuse(queued, whyQueued);
  }

  /** Sends calls that wait to copies that are free. */
  dispatch(): void {
    const { pool, start } = this.#deps;
    while (this.#isOpen && this.#queue.length > 0 && this.#running.size < start.limits.concurrentCallsMax) {
      let copy: GuestCopy;
      try {
        copy = this.#freeCopy() ?? this.openCopy();
      } catch (error) {
        const next = this.#queue.shift();
        if (next !== undefined) this.#refuse(next, isFault(error) ? error : interrupted(this.#deps.tenant.id));
        continue;
      }
      const next = this.#queue.shift();
      if (next === undefined) return;
      const { ticket } = pool.call(copy, next.call, start.reuse === "none");
      next.call.begin({
        ticket,
        send: (message) => copy.thread.post({ ...message, copy: copy.number }),
        callerGone: () => this.#callerGone(next, VANISHED_MS),
      });
      const { ms } = next.time;
      const cancelDeadline = ms === undefined ? () => {} : this.#deps.deadlines.after(ms, () => this.#overdue(next));
      next.running = { copy, ticket, cancelDeadline };
      this.#running.set(copy, next);
    }
    if (!this.isBusy) this.#deps.onIdle();
  }

  /** The copy that was used last: its memory is the most likely to be in the processor's cache. */
  #freeCopy(): GuestCopy | undefined {
    const { pool, start } = this.#deps;
    let free: GuestCopy | undefined;
    for (const copy of this.copies) {
      if (this.#running.has(copy) || (start.reuse === "none" && copy.isUsed)) continue;
      if (pool.isUsable(copy)) free = copy;
      else this.#giveUp(copy);
    }
    return free;
  }

  #giveUp(copy: GuestCopy): void {
    this.copies.delete(copy);
    void this.#deps.pool.dispose(copy);
  }

  #vanish(queued: QueuedCall): void {
    queued.isCallerGone = queued.running === undefined;
    queued.call.abandon(canceled(this.#deps.tenant.id));
    if (queued.running !== undefined) return this.#callerGone(queued, VANISHED_MS);
    this.#queue = this.#queue.filter((each) => each !== queued);
    if (!this.isBusy) this.#deps.onIdle();
  }

  /**
   * What has not begun will not. What has may go on for `graceMs`, with its writes thrown away: many programs take a failed
   * write for a reason to trap, and most are done soon. Then its reads and writes fail, so that it can return.
   */
  #callerGone(queued: QueuedCall, graceMs: number): void {
    const { running } = queued;
    if (running === undefined || queued.isCallerGone) return;
    queued.isCallerGone = true;
    running.copy.thread.post({ kind: "withdraw", copy: running.copy.number, ticket: running.ticket });
    running.cancelDeadline();
    running.cancelDeadline = this.#deps.deadlines.after(graceMs, () => {
      queued.call.letGo();
      running.cancelDeadline = this.#deps.deadlines.after(LET_GO_MS, () => this.#dropUnwanted(queued));
    });
  }

  /** The copy waits for something that nobody needs any more; one that computes has the rest of its time. */
  #dropUnwanted(queued: QueuedCall): void {
    const { running, time } = queued;
    if (running === undefined) return;
    const { copy } = running;
    if (copy.thread.board.running().copy === copy.number) {
      const restMs = Math.max(0, (time.ms ?? 0) - VANISHED_MS - LET_GO_MS);
      running.cancelDeadline = this.#deps.deadlines.after(restMs, () => this.#deps.onExceed(time.limit));
      return;
    }
    this.#running.delete(copy);
    this.#settle(queued);
    this.#giveUp(copy);
    this.dispatch();
  }

  #overdue(queued: QueuedCall): void {
    const { call, running, time } = queued;
    if (running === undefined) return;
    const { tenant, start, onExceed } = this.#deps;
    const { copy, ticket } = running;
    const hasBegun = copy.thread.board.hasBegun(ticket);
    if (hasBegun && (!call.isHeldByCaller || copy.thread.board.running().copy === copy.number))
      return onExceed(time.limit);
    // A slow caller holds the guest, or others its thread, which is not its fault: the caller goes, the guest may stay.
    call.abandon(hasBegun ? callerTooSlow(tenant.id, start.limits) : callNotBegun(tenant.id, start.limits));
    queued.isCallerGone = false;
    this.#callerGone(queued, 0);
  }

  #refuse(queued: QueuedCall, why: Fault): void {
    this.#settle(queued);
    queued.call.fail(why);
  }

  #settle(queued: QueuedCall): void {
    queued.running?.cancelDeadline();
    queued.running = undefined;
    queued.unlisten();
  }
}

/** What a call may take. */
export function callTime(limits: GuestLimits): CallTime {
  return { limit: "callTimeoutMs", ms: limits.callTimeoutMs };
}
