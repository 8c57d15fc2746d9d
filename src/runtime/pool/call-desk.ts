/** The calls of one guest: those that wait, and those that were sent to its copies. */
import { fault, isFault, Reason, type Fault } from "../../fault.ts";
import { callerTooSlow, callNotBegun, canceled, interrupted } from "../guest-ending.ts";
import type { CallerSignal, GuestLimits, GuestStart } from "../runtime.ts";
import type { Deadlines } from "./deadlines.ts";
import type { CallMessage, GuestCall } from "./guest-call.ts";
import { recallCalls, type GuestCopy, type Tenant } from "./guest-copy.ts";
import type { Pool } from "./pool.ts";
import type { CallOutcome } from "./protocol.ts";
import { QueuedCall, type CallKeeper, type CallTime } from "./queued-call.ts";

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

/**
 * Calls that a guest's only copy is sent beyond the one that it carries out. Waking a thread costs more than a short call does,
 * so calls that would only wait here wait there: one message then takes many, and brings many answers back.
 */
const SENT_AHEAD_MAX = 16;

/** See the top of the file. A class, as one object for each guest should be small. */
export class CallDesk implements CallKeeper {
  readonly #deps: CallDeskDeps;
  /** What each copy that may still run was sent, in the order in which it carries it out. */
  readonly #lines = new Map<GuestCopy, QueuedCall[]>();
  #queue: QueuedCall[] = [];
  /** Copies with something in their line, and calls in the lines beyond the first of each. */
  #busyCopies = 0;
  #sentAhead = 0;
  #isOpen = false;

  constructor(deps: CallDeskDeps) {
    this.#deps = deps;
  }

  /** All copies of the guest that may still run. */
  get copies(): Iterable<GuestCopy> {
    return this.#lines.keys();
  }

  get isBusy(): boolean {
    return this.#busyCopies > 0 || this.#queue.length > 0;
  }

  /** Opens a copy; throws `NODE_AT_CAPACITY`. */
  openCopy(): GuestCopy {
    const copy = this.#deps.pool.open(this.#deps.tenant);
    this.#lines.set(copy, []);
    return copy;
  }

  /** Copies take calls from now on. */
  open(): void {
    this.#isOpen = true;
    this.dispatch();
  }

  /** Takes a call; throws `CALL_QUEUE_FULL`, and `CANCELED` for a caller that is gone already. */
  enqueue(call: GuestCall, time: CallTime, signal: CallerSignal | undefined): void {
    const { id } = this.#deps.tenant;
    const { concurrentCallsMax, queuedCallsMax } = this.#deps.start.limits;
    if (signal?.aborted === true) throw canceled(id);
    const waiting = this.#queue.length + this.#sentAhead;
    if (this.#busyCopies >= concurrentCallsMax && waiting >= queuedCallsMax) {
      const state = `${waiting} calls wait already (queuedCallsMax is ${queuedCallsMax})`;
      throw fault(Reason.CALL_QUEUE_FULL, `Cannot call instance "${id}": ${state}`, { subject: id });
    }
    this.#queue.push(new QueuedCall({ call, time, signal, keeper: this }));
    this.dispatch();
  }

  accept(copy: GuestCopy, message: CallMessage): void {
    const first = this.#lines.get(copy)?.[0];
    if (first?.ticket === message.ticket) first.call.accept(message);
  }

  /** A copy has come to the end of a call, and is gone if that was its last. */
  finished(
    copy: GuestCopy,
    { ticket, outcome, isGone }: { ticket: number; outcome: CallOutcome; isGone: boolean },
  ): void {
    const line = this.#lines.get(copy);
    const index = line?.findIndex((each) => each.ticket === ticket) ?? -1;
    const queued = line?.[index];
    if (line === undefined || queued === undefined) return;
    this.#takeOut(line, index);
    if (isGone) this.#lines.delete(copy);
    else if (line.length === 0) this.#deps.pool.idle(copy);
    else if (index === 0) this.#isNext(line[0]);
    queued.settled();
    queued.call.finish(outcome);
    this.dispatch();
  }

  /** A copy is no more. Those of its calls that had not begun are begun anew elsewhere, the only retry of a call. */
  lost(copy: GuestCopy, begun: readonly number[]): void {
    this.#sendAgain(this.#takeAway(copy), begun);
  }

  /** The guest has ended. */
  close(whyRunning: Fault, whyQueued: Fault): void {
    this.#isOpen = false;
    for (const line of this.#lines.values())
      for (const [index, queued] of line.splice(0).entries())
        this.#refuse(queued, index === 0 ? whyRunning : whyQueued);
    this.#busyCopies = 0;
    this.#sentAhead = 0;
    for (const queued of this.#queue.splice(0)) this.#refuse(queued, whyQueued);
  }

  /** Sends calls that wait to copies that are free, and some ahead to copies that are not. */
  dispatch(): void {
    while (this.#isOpen && this.#queue.length > 0) {
      let copy: GuestCopy | undefined;
      try {
        copy = this.#copyForNext();
      } catch (error) {
        const next = this.#queue.shift();
        if (next !== undefined) this.#refuse(next, isFault(error) ? error : interrupted(this.#deps.tenant.id));
        continue;
      }
      const next = copy === undefined ? undefined : this.#queue.shift();
      if (copy === undefined || next === undefined) break;
      this.#send(copy, next);
    }
    if (!this.isBusy) this.#deps.onIdle();
  }

  vanished(queued: QueuedCall): void {
    const isSent = queued.copy !== undefined;
    queued.isCallerGone = !isSent;
    queued.call.abandon(canceled(this.#deps.tenant.id));
    if (isSent) return this.callerGone(queued);
    this.#queue = this.#queue.filter((each) => each !== queued);
    if (!this.isBusy) this.#deps.onIdle();
  }

  /**
   * What has not begun will not. What has may go on for a while, with its writes thrown away: many programs take a failed
   * write for a reason to trap, and most are done soon. Then its reads and writes fail, so that it can return.
   */
  callerGone(queued: QueuedCall): void {
    const { copy, ticket } = queued;
    if (copy === undefined || queued.isCallerGone) return;
    queued.isCallerGone = true;
    copy.thread.post({ kind: "withdraw", copy: copy.number, ticket });
    if (this.#lines.get(copy)?.[0] === queued) this.#awaitEnd(queued, VANISHED_MS);
  }

  #copyForNext(): GuestCopy | undefined {
    const { limits, reuse } = this.#deps.start;
    if (this.#busyCopies < limits.concurrentCallsMax) return this.#freeCopy() ?? this.openCopy();
    // Of several copies nobody knows which will be free first.
    return reuse === "none" || limits.concurrentCallsMax > 1 ? undefined : this.#copyAhead();
  }

  /** The copy that was used last: its memory is the most likely to be in the processor's cache. */
  #freeCopy(): GuestCopy | undefined {
    const { pool, start } = this.#deps;
    let free: GuestCopy | undefined;
    for (const [copy, line] of this.#lines) {
      if (line.length > 0 || (start.reuse === "none" && copy.isUsed)) continue;
      if (pool.isUsable(copy)) free = copy;
      else this.#giveUp(copy);
    }
    return free;
  }

  /** The copy that is busy, unless its line is long. */
  #copyAhead(): GuestCopy | undefined {
    for (const [copy, line] of this.#lines)
      if (line.length > 0 && line.length <= SENT_AHEAD_MAX && this.#deps.pool.isUsable(copy)) return copy;
    return undefined;
  }

  #send(copy: GuestCopy, queued: QueuedCall): void {
    const line = this.#lines.get(copy);
    if (line === undefined) return;
    queued.copy = copy;
    queued.ticket = this.#deps.pool.call(copy, queued.call.order, this.#deps.start.reuse === "none");
    line.push(queued);
    queued.call.begin(queued);
    if (line.length > 1) {
      this.#sentAhead += 1;
      return;
    }
    this.#busyCopies += 1;
    this.#isNext(queued);
  }

  /** A call is the first in its line: its time runs. */
  #isNext(queued: QueuedCall | undefined): void {
    if (queued === undefined) return;
    if (queued.isCallerGone) return this.#awaitEnd(queued, VANISHED_MS);
    const { ms } = queued.time;
    if (ms !== undefined) queued.cancelDeadline = this.#deps.deadlines.after(ms, () => this.#overdue(queued));
  }

  #takeOut(line: QueuedCall[], index: number): void {
    line.splice(index, 1);
    if (line.length === 0) this.#busyCopies -= 1;
    else this.#sentAhead -= 1;
  }

  /** Takes a copy off the list and gives what is in its line. */
  #takeAway(copy: GuestCopy): readonly QueuedCall[] {
    const line = this.#lines.get(copy) ?? [];
    this.#lines.delete(copy);
    if (line.length > 0) this.#busyCopies -= 1;
    this.#sentAhead -= Math.max(0, line.length - 1);
    return line;
  }

  #sendAgain(line: readonly QueuedCall[], begun: readonly number[]): void {
    const again: QueuedCall[] = [];
    for (const queued of line) {
      if (begun.includes(queued.ticket) || queued.isCallerGone) this.#refuse(queued, interrupted(this.#deps.tenant.id));
      else again.push(queued);
    }
    for (const queued of again) queued.unsent();
    this.#queue.unshift(...again);
  }

  #giveUp(copy: GuestCopy): void {
    const begun = recallCalls(copy);
    this.#sendAgain(this.#takeAway(copy), begun);
    void this.#deps.pool.dispose(copy);
  }

  /** A call goes on without its caller, for `graceMs`, until what it does for the caller fails. */
  #awaitEnd(queued: QueuedCall, graceMs: number): void {
    const { deadlines } = this.#deps;
    queued.cancelDeadline?.();
    queued.cancelDeadline = deadlines.after(graceMs, () => {
      queued.call.letGo();
      queued.cancelDeadline = deadlines.after(LET_GO_MS, () => this.#dropUnwanted(queued));
    });
  }

  /** The copy waits for something that nobody needs any more; one that computes has the rest of its time. */
  #dropUnwanted(queued: QueuedCall): void {
    const { copy, time } = queued;
    if (copy === undefined) return;
    if (copy.thread.board.running().copy === copy.number) {
      const restMs = Math.max(0, (time.ms ?? 0) - VANISHED_MS - LET_GO_MS);
      queued.cancelDeadline = this.#deps.deadlines.after(restMs, () => this.#deps.onExceed(time.limit));
      return;
    }
    this.#giveUp(copy);
    this.dispatch();
  }

  #overdue(queued: QueuedCall): void {
    const { call, copy, ticket, time } = queued;
    if (copy === undefined) return;
    const { tenant, start, onExceed } = this.#deps;
    const hasBegun = copy.thread.board.hasBegun(ticket);
    if (hasBegun && (!call.isHeldByCaller || copy.thread.board.running().copy === copy.number))
      return onExceed(time.limit);
    // A slow caller holds the guest, or others its thread, which is not its fault: the caller goes, the guest may stay.
    call.abandon(hasBegun ? callerTooSlow(tenant.id, start.limits) : callNotBegun(tenant.id, start.limits));
    queued.isCallerGone = false;
    this.callerGone(queued);
    this.#awaitEnd(queued, 0);
  }

  #refuse(queued: QueuedCall, why: Fault): void {
    queued.settled();
    queued.call.fail(why);
  }
}

/** What a call may take. */
export function callTime(limits: GuestLimits): CallTime {
  return { limit: "callTimeoutMs", ms: limits.callTimeoutMs };
}
