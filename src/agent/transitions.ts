/** How an instance's record changes with what happens to it, and which fact says so. Pure. */
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import { limitFieldName } from "./instance-limits.ts";
import type { InstanceRecord, LastEnding } from "./instance-record.ts";
import { decideRestart, isCleanExit, type RestartDecision, type RunEnding } from "./restart-policy.ts";

/** One step in an instance's life. */
export type Transition = {
  readonly record: InstanceRecord;
  readonly factKind: FactKind;
  /** A sentence for people. */
  readonly message: string;
};

/** Time and chance of a decision. */
export type Moment = { readonly nowMs: number; /** In [0, 1). */ readonly fraction: number };

/** The agent took it on. */
export function admitted(record: InstanceRecord): Transition {
  return { record, factKind: FactKind.INSTANCE_STARTING, message: `Admitted as ${record.kind} guest` };
}

/** The guest is ready. */
export function running(record: InstanceRecord, nowMs: number): Transition {
  return {
    record: { ...record, state: "running", startedMs: nowMs, nextRestartMs: undefined },
    factKind: FactKind.INSTANCE_RUNNING,
    message:
      record.restartCount === 0
        ? "Running"
        : `Running again, ${record.restartCount} ${record.restartCount === 1 ? "restart" : "restarts"} in all`,
  };
}

/** A run ended, or could not begin: the policy decides. An instance that was asked to stop is stopped, however it ended. */
export function ended(record: InstanceRecord, ending: RunEnding, moment: Moment): Transition {
  if (record.state === "stopping") return stopped(record, ending, moment.nowMs);
  const lastEnding = lastEndingFrom(ending, moment.nowMs);
  const decision = decideRestart({
    policy: record.policy,
    history: {
      retriesInRow: record.retriesInRow,
      runningSinceMs: ending.kind === "agent-lost" ? undefined : record.startedMs,
    },
    ending,
    ...moment,
  });
  if (decision.kind === "give-up") return givenUp({ ...record, lastEnding }, ending, decision.why);
  const waitMs = decision.atMs - moment.nowMs;
  return {
    record: {
      ...record,
      state: "backoff",
      startedMs: undefined,
      nextRestartMs: decision.atMs,
      retriesInRow: decision.attempt,
      lastEnding,
    },
    factKind: FactKind.INSTANCE_RESTARTING,
    message: `${lastEnding.message}; restart ${retryText(record, decision.attempt)} in ${waitMs} ms`,
  };
}

/** The wait is over: a restart begins. */
export function restarting(record: InstanceRecord): Transition {
  return {
    record: { ...record, state: "starting", nextRestartMs: undefined, restartCount: record.restartCount + 1 },
    factKind: FactKind.INSTANCE_STARTING,
    // It did not fail: it went down with the agent, which now is back.
    message: record.retriesInRow === 0 ? "Back with the agent" : `Restart ${retryText(record, record.retriesInRow)}`,
  };
}

/** It ran a healthy minute: the next restart is the first of a row. No fact: nothing happened that anyone waits for. */
export function healthy(record: InstanceRecord): InstanceRecord {
  return { ...record, retriesInRow: 0 };
}

/** A stop was ordered. */
export function stopOrdered(record: InstanceRecord, graceMs: number): Transition {
  return {
    record: { ...record, state: "stopping", nextRestartMs: undefined },
    factKind: FactKind.INSTANCE_STOPPING,
    message: `Stop ordered; calls in flight may take ${graceMs} ms to finish`,
  };
}

/** It ended after a stop was ordered; `ending` is how, if a guest ran. */
export function stopped(record: InstanceRecord, ending: RunEnding | undefined, nowMs: number): Transition {
  const lastEnding = lastEndingFrom(ending ?? { kind: "stopped" }, nowMs);
  if (record.isSuperseded === true) return superseded(record, nowMs);
  return {
    record: { ...record, state: "stopped", startedMs: undefined, nextRestartMs: undefined, lastEnding },
    factKind: FactKind.INSTANCE_STOPPED,
    message:
      ending === undefined || ending.kind === "stopped"
        ? "Stopped as ordered"
        : `Stopped as ordered: ${lastEnding.message}`,
  };
}

function superseded(record: InstanceRecord, nowMs: number): Transition {
  const message = "Ended: a higher generation was placed on another node";
  const lastEnding: LastEnding = { cause: "superseded", exitCode: 0, limit: "", message, timeMs: nowMs };
  return {
    record: { ...record, state: "stopped", startedMs: undefined, nextRestartMs: undefined, lastEnding },
    factKind: FactKind.INSTANCE_SUPERSEDED,
    message,
  };
}

/** Its record is no longer kept. */
export function forgotten(record: InstanceRecord, why: string): Transition {
  return { record, factKind: FactKind.INSTANCE_FORGOTTEN, message: why };
}

/**
 * The agent goes down in order. That is no stop of the user's: what its policy restarts comes back with the agent, as
 * restart that waits no longer; the rest is lost.
 */
export function shutDown(record: InstanceRecord, nowMs: number): Transition {
  if (record.state === "stopping") return stopped(record, undefined, nowMs);
  const lastEnding = lastEndingFrom({ kind: "agent-lost", message: "The agent was shut down" }, nowMs);
  if (record.policy.mode === "never") return lost({ ...record, lastEnding });
  // One that waited for its restart goes on waiting; the time does not start anew.
  const nextRestartMs = record.nextRestartMs ?? nowMs;
  return {
    record: {
      ...record,
      state: "backoff",
      startedMs: undefined,
      nextRestartMs,
      lastEnding: record.state === "backoff" ? record.lastEnding : lastEnding,
    },
    factKind: FactKind.INSTANCE_RESTARTING,
    message: "The agent was shut down; the instance comes back with it",
  };
}

/** What becomes of a journalled record when the agent comes up; `undefined`: nothing, it has ended, or waits for its restart already. */
export function resumed(record: InstanceRecord, moment: Moment): Transition | undefined {
  switch (record.state) {
    case "starting":
    case "running": {
      const ending: RunEnding = { kind: "agent-lost", message: "The agent died while the instance was live" };
      if (record.policy.mode === "never") return lost({ ...record, lastEnding: lastEndingFrom(ending, moment.nowMs) });
      return ended(record, ending, moment);
    }
    case "stopping":
      return stopped(record, undefined, moment.nowMs);
    case "backoff":
    case "stopped":
    case "exited":
    case "failed":
    case "lost":
      return undefined;
  }
}

/** The journalled form of an ending. */
export function lastEndingFrom(ending: RunEnding, timeMs: number): LastEnding {
  const base = { exitCode: 0, limit: "", timeMs };
  switch (ending.kind) {
    case "exited":
      return { ...base, cause: "exited", exitCode: ending.exitCode, message: `Exited with code ${ending.exitCode}` };
    case "trapped":
      return { ...base, cause: "trapped", message: `Trapped: ${shortened(ending.message)}` };
    case "limit":
      return { ...base, cause: "limit", limit: limitFieldName(ending.limit), message: shortened(ending.message) };
    case "stopped":
      return { ...base, cause: "stopped", message: "Stopped" };
    case "host-failed":
      return { ...base, cause: "host-failed", message: `Worker failed: ${shortened(ending.message)}` };
    case "start-failed":
      return { ...base, cause: "start-failed", message: shortened(ending.message) };
    case "agent-lost":
      return { ...base, cause: "agent-lost", message: ending.message };
  }
}

/** Messages come from guests as well; a report must not swell with them. */
const MESSAGE_MAX_CHARACTERS = 1_000;

function shortened(message: string): string {
  return message.length <= MESSAGE_MAX_CHARACTERS
    ? message
    : `${message.slice(0, MESSAGE_MAX_CHARACTERS)}…`.toWellFormed();
}

function givenUp(
  record: InstanceRecord,
  ending: RunEnding,
  why: (RestartDecision & { kind: "give-up" })["why"],
): Transition {
  const state = why === "stopped" ? "stopped" : isCleanExit(ending) ? "exited" : "failed";
  const factKind = {
    stopped: FactKind.INSTANCE_STOPPED,
    exited: FactKind.INSTANCE_EXITED,
    failed: FactKind.INSTANCE_FAILED,
  }[state];
  const message = record.lastEnding?.message ?? "Ended";
  return {
    record: { ...record, state, startedMs: undefined, nextRestartMs: undefined },
    factKind,
    message:
      why === "retries-exhausted"
        ? `${message}; given up after ${record.policy.maxRetries} restarts in a row`
        : message,
  };
}

function lost(record: InstanceRecord): Transition {
  return {
    record: { ...record, state: "lost", startedMs: undefined, nextRestartMs: undefined },
    factKind: FactKind.INSTANCE_LOST,
    message: `${record.lastEnding?.message ?? "The agent died"}; restart policy never does not bring the instance back`,
  };
}

function retryText(record: InstanceRecord, attempt: number): string {
  return record.policy.maxRetries > 0 ? `${attempt} of ${record.policy.maxRetries}` : `${attempt}`;
}
