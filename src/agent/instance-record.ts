/** What the agent knows of one instance, and its form in the contract. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  InstanceSchema,
  InstanceState,
  Isolation,
  OnNodeLoss,
  Reuse,
  TerminationCause,
  TerminationSchema,
  type Instance,
  type InstanceSpec,
  type PermissionUse,
  type Termination,
} from "../gen/wasmatrix/v1/instance_pb.ts";
import type { Grant } from "../providers/permissions.ts";
import type { GuestKind, GuestLimits } from "../runtime/runtime.ts";
import { assignmentFromGrant, grantFromAssignment } from "./assignments.ts";
import { guestKindFromProto, protoFromGuestKind } from "./guest-kind.ts";
import { limitsFromProto, protoFromLimits } from "./instance-limits.ts";
import { policyFromProto, protoFromPolicy } from "./policy-proto.ts";
import type { RestartPolicy } from "./restart-policy.ts";

/** Where an instance is in its life; the last four have ended for good. */
export type LifeState = "starting" | "running" | "backoff" | "stopping" | "stopped" | "exited" | "failed" | "lost";

/** How the last run ended. */
export type LastEnding = {
  readonly cause:
    | "exited"
    | "trapped"
    | "limit"
    | "stopped"
    | "start-failed"
    | "agent-lost"
    | "host-failed"
    | "superseded";
  /** Of an exit; otherwise 0. */
  readonly exitCode: number;
  /** Of a limit: its field name in the contract; otherwise empty. */
  readonly limit: string;
  readonly message: string;
  readonly timeMs: number;
};

/** Everything that the agent knows of one instance. Replaced, never changed. */
export type InstanceRecord = {
  readonly id: string;
  readonly generation: bigint;
  readonly nodeId: string;
  /** As it was ordered, environment and standard input included; treated as immutable. */
  readonly spec: InstanceSpec;
  readonly kind: GuestKind;
  readonly limits: GuestLimits;
  readonly policy: RestartPolicy;
  /** What it may do now; begins as the spec's assignments and changes with grants and revocations. */
  readonly grants: readonly Grant[];
  readonly state: LifeState;
  readonly createdMs: number;
  /** When the present run began to take calls. */
  readonly startedMs: number | undefined;
  /** Restarts since it was created. */
  readonly restartCount: number;
  /** Restarts since the last healthy minute. */
  readonly retriesInRow: number;
  /** In state "backoff": when it is started again. */
  readonly nextRestartMs: number | undefined;
  readonly lastEnding: LastEnding | undefined;
  /** Operations that were refused for want of an assignment. */
  readonly deniedCount: number;
  /** The node that keeps a copy of its start order; empty for none. */
  readonly witnessNodeId: string;
  /** A higher generation was placed elsewhere, and this one is being ended for that. Not kept in the journal. */
  readonly isSuperseded?: boolean;
};

/** Whether it has ended for good. */
export function hasEnded(record: InstanceRecord): boolean {
  return ENDED_STATES.has(record.state);
}

/** The record as the contract has it; values of environment and configuration, and standard input, stay behind. `uses` are counted elsewhere. */
export function instanceFromRecord(record: InstanceRecord, uses: readonly PermissionUse[] = []): Instance {
  return create(InstanceSchema, {
    id: record.id,
    name: record.spec.name,
    labels: { ...record.spec.labels },
    generation: record.generation,
    moduleDigest: record.spec.moduleDigest,
    kind: protoFromGuestKind(record.kind),
    nodeId: record.nodeId,
    state: STATE_TO_PROTO[record.state],
    assignments: record.grants.map(assignmentFromGrant),
    restartPolicy: protoFromPolicy(record.policy),
    limits: protoFromLimits(record.limits),
    args: [...record.spec.args],
    envNames: Object.keys(record.spec.env).toSorted(),
    createTime: timestampFromMs(record.createdMs),
    ...optionalTime("startTime", record.startedMs),
    restartCount: record.restartCount,
    ...optionalTime("nextRestartTime", record.nextRestartMs),
    ...(record.lastEnding === undefined ? {} : { lastTermination: terminationFromEnding(record.lastEnding) }),
    deniedCount: BigInt(record.deniedCount),
    permissionUses: [...uses],
    isolation: record.spec.isolation || Isolation.SHARED,
    reuse: record.spec.reuse || Reuse.INSTANCE,
    configNames: Object.keys(record.spec.config).toSorted(),
    onNodeLoss: record.spec.onNodeLoss || OnNodeLoss.NONE,
    witnessNodeId: record.witnessNodeId,
  });
}

/** The other way round, for the journal: what `Instance` leaves out comes beside it. */
export function recordFromInstance(
  instance: Instance,
  beside: { readonly spec: InstanceSpec; readonly retriesInRow: number },
): InstanceRecord {
  return {
    id: instance.id,
    generation: instance.generation,
    nodeId: instance.nodeId,
    spec: beside.spec,
    kind: guestKindFromProto(instance.kind),
    limits: limitsFromProto(instance.limits),
    policy: policyFromProto(instance.restartPolicy),
    grants: instance.assignments.map(grantFromAssignment),
    state: stateFromProto(instance.state),
    createdMs: msFromTime(instance.createTime) ?? 0,
    startedMs: msFromTime(instance.startTime),
    restartCount: instance.restartCount,
    retriesInRow: beside.retriesInRow,
    nextRestartMs: msFromTime(instance.nextRestartTime),
    lastEnding: instance.lastTermination === undefined ? undefined : endingFromTermination(instance.lastTermination),
    deniedCount: Number(instance.deniedCount),
    witnessNodeId: instance.witnessNodeId,
  };
}

const ENDED_STATES: ReadonlySet<LifeState> = new Set<LifeState>(["stopped", "exited", "failed", "lost"]);

const STATE_TO_PROTO: Readonly<Record<LifeState, InstanceState>> = {
  starting: InstanceState.STARTING,
  running: InstanceState.RUNNING,
  backoff: InstanceState.BACKOFF,
  stopping: InstanceState.STOPPING,
  stopped: InstanceState.STOPPED,
  exited: InstanceState.EXITED,
  failed: InstanceState.FAILED,
  lost: InstanceState.LOST,
};

const CAUSE_TO_PROTO: Readonly<Record<LastEnding["cause"], TerminationCause>> = {
  exited: TerminationCause.EXITED,
  trapped: TerminationCause.TRAPPED,
  limit: TerminationCause.LIMIT,
  stopped: TerminationCause.STOPPED,
  "start-failed": TerminationCause.START_FAILED,
  "agent-lost": TerminationCause.AGENT_LOST,
  "host-failed": TerminationCause.HOST_FAILED,
  superseded: TerminationCause.SUPERSEDED,
};

function stateFromProto(state: InstanceState): LifeState {
  return keyOf(STATE_TO_PROTO, state) ?? unreadable(`state ${state}`);
}

function terminationFromEnding(ending: LastEnding): Termination {
  return create(TerminationSchema, {
    cause: CAUSE_TO_PROTO[ending.cause],
    exitCode: ending.exitCode,
    limit: ending.limit,
    message: ending.message,
    time: timestampFromMs(ending.timeMs),
  });
}

function endingFromTermination(termination: Termination): LastEnding {
  return {
    cause: keyOf(CAUSE_TO_PROTO, termination.cause) ?? unreadable(`cause ${termination.cause}`),
    exitCode: termination.exitCode,
    limit: termination.limit,
    message: termination.message,
    timeMs: msFromTime(termination.time) ?? 0,
  };
}

function optionalTime<Name extends string>(name: Name, ms: number | undefined): { [Key in Name]?: Timestamp } {
  const fields: { [Key in Name]?: Timestamp } = {};
  if (ms !== undefined) fields[name] = timestampFromMs(ms);
  return fields;
}

function msFromTime(time: Timestamp | undefined): number | undefined {
  return time === undefined ? undefined : timestampMs(time);
}

function keyOf<Key extends string>(table: Readonly<Record<Key, number>>, value: number): Key | undefined {
  for (const key in table) if (table[key] === value) return key;
  return undefined;
}

/** Only a journal of a newer program has such a value; its reader skips the row and says so. */
function unreadable(what: string): never {
  throw new RangeError(`${what} is not known to this version`);
}
