/**
 * One instance from admission to its end: carries out what `transitions.ts` decides. Every transition is journalled
 * before it becomes a fact.
 */
import type { Clock, Entropy } from "../clock.ts";
import { fault, isFault, Reason, type Fault } from "../fault.ts";
import type { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import type { Log } from "../log.ts";
import type { Guest, GuestStart, Runtime } from "../runtime/runtime.ts";
import type { GuestRights } from "./guest-rights.ts";
import { hasEnded, type InstanceRecord } from "./instance-record.ts";
import { isRefusal } from "./refusal.ts";
import type { Durability, Journal } from "./journal.ts";
import { HEALTHY_RUN_MS, type RunEnding } from "./restart-policy.ts";
import {
  ended,
  healthy,
  restarting,
  running,
  shutDown,
  stopOrdered,
  stopped,
  type Moment,
  type Transition,
} from "./transitions.ts";

/** What a life reports to. */
export interface FactSink {
  /** Takes what happened to an instance, whole, as it is now. */
  instance(kind: FactKind, record: InstanceRecord, message: string, requestId: string): void;
}

/** What a life is given. */
export type LifeDeps = {
  readonly runtime: Runtime;
  readonly journal: Journal;
  readonly facts: FactSink;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** How the guest of a record is started; the record is as it is now. */
  readonly guestStart: (record: InstanceRecord) => GuestStart;
  readonly rights: Pick<GuestRights, "left">;
  /** Called after each transition, with the guest if it takes calls now. */
  readonly onStep: (record: InstanceRecord, guest: Guest | undefined) => void;
  /** Called when the instance has ended for good. */
  readonly onEnded: (id: string) => void;
};

/** One instance. */
export interface InstanceLife {
  /** As it is now. */
  readonly record: InstanceRecord;
  /** The guest, if it takes calls now. */
  readonly guest: Guest | undefined;
  /** Settles when the first start has come to something: the fault if it failed. Never rejects. */
  readonly firstStart: Promise<Fault | undefined>;
  /** Journals the transition, then makes it a fact. An order that cannot be journalled throws and changes nothing. */
  commit(transition: Transition, durability: Durability, requestId: string): void;
  /** Replaces the record without a fact. An order that cannot be journalled throws and changes nothing. */
  amend(record: InstanceRecord, durability: Durability): void;
  /** Tells the guest what it may do in its own thread now. Resolves when that is in force, at once if there is no guest. Never rejects. */
  applyRights(): Promise<void>;
  /** Starts the guest for the first time. */
  begin(): void;
  /** Waits for the restart that the record says, at once if its time has passed. */
  awaitRestart(): void;
  /** Stops: journalled before anything else. Resolves when it has ended; a second stop may shorten the grace of the first. */
  stop(graceMs: number, requestId: string): Promise<void>;
  /** The agent goes down: records what the next one does about it, then ends the guest within the grace. */
  shutDown(graceMs: number): Promise<void>;
}

/** Makes the life of an admitted or journalled record; nothing runs yet. */
export function createInstanceLife(initial: InstanceRecord, deps: LifeDeps): InstanceLife {
  const { runtime, clock, journal } = deps;
  const log = deps.log.with({ instance: initial.id });
  const done = Promise.withResolvers<void>();
  let record = initial;
  let guest: Guest | undefined;
  let launching: Promise<Fault | undefined> = Promise.resolve(undefined);
  let firstStart = launching;
  let cancelTimer: () => void = () => undefined;
  let shuttingDown = false;
  /** Grows with each change of what the guest may do in its own thread. */
  let rightsVersion = 0;

  const moment = (): Moment => ({ nowMs: clock.nowMs(), fraction: deps.entropy.fraction() });

  const commit = (transition: Transition, durability: Durability, requestId: string): void => {
    try {
      journal.put(transition.record, durability);
    } catch (error) {
      if (durability === "order") throw error;
      // What happened has happened: the agent goes by it, and after its own death by the older record.
      log.error("transition not journalled", { state: transition.record.state }, error);
    }
    record = transition.record;
    deps.facts.instance(transition.factKind, record, transition.message, requestId);
    log.info(transition.message, { state: record.state, requestId: requestId === "" ? undefined : requestId });
    deps.onStep(record, record.state === "running" ? guest : undefined);
    if (!hasEnded(record)) return;
    cancelTimer();
    done.resolve();
    deps.onEnded(record.id);
  };

  /** One attempt at a run; answers the fault if the guest did not become ready. */
  const launch = async (): Promise<Fault | undefined> => {
    let started: Guest;
    try {
      let version = rightsVersion;
      started = await runtime.start(deps.guestStart(record));
      // Something may have been revoked while the guest was being made ready: it takes no call before it knows.
      for (; version !== rightsVersion; await setRights(started)) version = rightsVersion;
    } catch (error) {
      const failure = isFault(error)
        ? error
        : fault(Reason.INTERNAL, `Cannot start instance "${record.id}": the runtime failed`, { cause: error });
      if (!isFault(error)) log.error("runtime failed to start a guest", {}, error);
      if (!shuttingDown) afterRun({ kind: "start-failed", message: failure.message, permanent: isRefusal(failure) });
      return failure;
    }
    if (shuttingDown || record.state === "stopping") {
      // The order came while the guest was being made ready: it never takes a call.
      await started.kill();
      if (!shuttingDown) commit(stopped(record, undefined, clock.nowMs()), "observation", "");
      return undefined;
    }
    guest = started;
    commit(running(record, clock.nowMs()), "observation", "");
    cancelTimer = clock.after(HEALTHY_RUN_MS, noteHealthy);
    void watch(started);
    return undefined;
  };

  const setRights = async (to: Guest): Promise<void> => {
    try {
      await Promise.race([to.setRights(deps.rights.left(record)), to.ended]);
    } catch (error) {
      // A guest that cannot be told what it may no longer do must not go on doing it.
      log.error("guest not told its rights", {}, error);
      await to.kill();
    }
  };

  const watch = async (started: Guest): Promise<void> => {
    const ending = await started.ended;
    guest = undefined;
    cancelTimer();
    if (!shuttingDown) afterRun(ending);
  };

  const afterRun = (ending: RunEnding): void => {
    commit(ended(record, ending, moment()), "observation", "");
    if (record.state === "backoff") awaitRestart();
  };

  const noteHealthy = (): void => {
    if (record.retriesInRow > 0) amend(healthy(record), "observation");
  };

  const amend = (next: InstanceRecord, durability: Durability): void => {
    try {
      journal.put(next, durability);
    } catch (error) {
      if (durability === "order") throw error;
      // Counts of retries and denials are lost if the agent dies now; the instance itself is not concerned.
      log.error("record not journalled", {}, error);
    }
    record = next;
  };

  const awaitRestart = (): void => {
    const leftMs = Math.max(0, (record.nextRestartMs ?? 0) - clock.nowMs());
    // A clock that was set back since makes no wait longer than the policy's longest.
    cancelTimer = clock.after(Math.min(leftMs, record.policy.backoffMaxMs), () => {
      if (record.state !== "backoff" || shuttingDown) return;
      commit(restarting(record), "observation", "");
      launching = launch();
    });
  };

  const endGuest = async (graceMs: number): Promise<void> => {
    const current = guest;
    if (current === undefined) return;
    try {
      await current.drain(graceMs);
    } catch (error) {
      // Draining is politeness; that the guest ends is not.
      log.warn("guest not drained", { why: String(error) });
      await current.kill();
    }
  };

  return {
    get record() {
      return record;
    },
    get guest() {
      return record.state === "running" ? guest : undefined;
    },
    get firstStart() {
      return firstStart;
    },
    commit,
    amend,
    async applyRights() {
      rightsVersion += 1;
      if (guest !== undefined) await setRights(guest);
      else await launching;
    },
    begin() {
      launching = firstStart = launch();
    },
    awaitRestart,
    async stop(graceMs, requestId) {
      if (hasEnded(record)) return;
      if (record.state === "stopping") {
        // The guest drains already; this caller may be less patient than the first.
        const cancel = clock.after(graceMs, () => void guest?.kill());
        await done.promise;
        return cancel();
      }
      const waiting = record.state === "backoff";
      commit(stopOrdered(record, graceMs), "order", requestId);
      cancelTimer();
      if (waiting) commit(stopped(record, undefined, clock.nowMs()), "observation", requestId);
      else await Promise.all([endGuest(graceMs), done.promise]);
    },
    async shutDown(graceMs) {
      if (shuttingDown || hasEnded(record)) return;
      shuttingDown = true;
      cancelTimer();
      // Recorded before the guest ends: a second signal may kill the agent at any moment from here on. A power cut
      // that comes first finds the instance live, and the next agent resumes it all the same.
      commit(shutDown(record, clock.nowMs()), "observation", "");
      await endGuest(graceMs);
    },
  };
}
