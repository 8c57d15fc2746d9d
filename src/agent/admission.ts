/** Whether this node takes an instance. Pure: the agent is the authority, a control plane only proposes. */
import { equals, toBinary } from "@bufbuild/protobuf";
import { fault, Reason } from "../fault.ts";
import { InstanceSchema, InstanceSpecSchema, type InstanceSpec } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { GuestKind, ModuleShape } from "../runtime/runtime.ts";
import { checkedGrants, type ProviderDirectory } from "./assignments.ts";
import { limitBoundsFrom, limitsWithin, reservedMemoryBytes } from "./instance-limits.ts";
import { hasEnded, instanceFromRecord, type InstanceRecord } from "./instance-record.ts";
import { policyFromProto } from "./policy-proto.ts";
import { assertImportsDecided } from "./undecided-imports.ts";

/** How much a node takes. */
export type NodeCapacity = {
  /** Live instances. */
  readonly instancesMax: number;
  /** Sum of what live instances are counted with (`reservedMemoryBytes`). */
  readonly memoryMaxBytes: number;
};

/** How much of it is taken. */
export type NodeLoad = { readonly instances: number; readonly memoryBytes: number };

/** What a start order says. */
export type StartOrder = {
  readonly id: string;
  readonly generation: bigint;
  readonly spec: InstanceSpec;
  /** The request that caused it, for facts; may be empty. */
  readonly requestId: string;
  /** The node that keeps a copy of the order; none if missing or empty. */
  readonly witnessNodeId?: string;
};

/** An instance as it is reported may be this long at most: arguments, labels and assignments fill reports. */
export const INSTANCE_MAX_BYTES: number = 256 * 1024;

/** Names and values of environment variables, or of configuration, all together, in UTF-16 units. */
export const ENVIRONMENT_MAX_CHARACTERS: number = 256 * 1024;

/** The load that the live ones among `records` make. */
export function loadOf(records: Iterable<InstanceRecord>): NodeLoad {
  let instances = 0;
  let memoryBytes = 0;
  for (const record of records) {
    if (hasEnded(record)) continue;
    instances += 1;
    memoryBytes += reservedMemoryBytes(record.limits);
  }
  return { instances, memoryBytes };
}

/**
 * The record of an admitted instance, in state "starting". Throws `LIMIT_INVALID`, `MODULE_KIND_UNSUPPORTED`, `PERMISSION_INVALID`,
 * `PROVIDER_NOT_FOUND`, `CAPABILITY_DENIED` (an import of effects that the order says nothing about), `INVALID_REQUEST` or
 * `NODE_AT_CAPACITY`.
 */
export function admit(
  order: StartOrder,
  node: {
    readonly nodeId: string;
    readonly capacity: NodeCapacity;
    readonly load: NodeLoad;
    readonly kinds: readonly GuestKind[];
    readonly providers: ProviderDirectory;
    /** What the module was found to be. */
    readonly shape: Pick<ModuleShape, "kind" | "imports">;
    readonly nowMs: number;
  },
): InstanceRecord {
  const { id, spec } = order;
  const { kind } = node.shape;
  if (!node.kinds.includes(kind)) {
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot start instance "${id}": this node does not host ${kind} guests (it hosts ${node.kinds.join(", ")})`,
      {
        subject: spec.moduleDigest,
      },
    );
  }
  const record: InstanceRecord = {
    id,
    generation: order.generation,
    nodeId: node.nodeId,
    spec,
    kind,
    limits: limitsWithin(spec.limits, limitBoundsFrom(node.capacity)),
    policy: policyFromProto(spec.restartPolicy),
    grants: checkedGrants(spec.assignments, node.providers),
    state: "starting",
    createdMs: node.nowMs,
    startedMs: undefined,
    restartCount: 0,
    retriesInRow: 0,
    nextRestartMs: undefined,
    lastEnding: undefined,
    deniedCount: 0,
    witnessNodeId: order.witnessNodeId ?? "",
  };
  // Only what nobody has run yet: an instance that is placed anew may have lost its last assignment by a revocation meanwhile.
  if (order.generation <= 1n) assertImportsDecided(id, node.shape, record.grants);
  assertValuesFit(record);
  assertReportable(record);
  assertRoom(record, node.capacity, node.load);
  return record;
}

/**
 * Throws `IDEMPOTENCY_CONFLICT` if the id of `order` was used for another spec. What was placed anew carries the assignments of
 * that moment, which may have changed since: they do not count there.
 */
export function assertSameOrder(known: Pick<StartOrder, "id" | "spec" | "generation">, order: StartOrder): void {
  const compared = (spec: InstanceSpec): InstanceSpec => (order.generation > 1n ? { ...spec, assignments: [] } : spec);
  if (equals(InstanceSpecSchema, compared(known.spec), compared(order.spec))) return;
  throw fault(
    Reason.IDEMPOTENCY_CONFLICT,
    `Cannot start instance "${order.id}": the id belongs to an instance with another spec`,
    { subject: order.id },
  );
}

/** Throws `INVALID_REQUEST` if the instance would not fit into a report. */
export function assertReportable(record: InstanceRecord): void {
  const bytes = toBinary(InstanceSchema, instanceFromRecord(record)).length;
  if (bytes <= INSTANCE_MAX_BYTES) return;
  throw fault(
    Reason.INVALID_REQUEST,
    `Cannot accept instance "${record.id}": arguments, labels and assignments together exceed ${INSTANCE_MAX_BYTES} bytes (got ${bytes})`,
    { subject: record.id },
  );
}

function assertValuesFit({ id, spec }: InstanceRecord): void {
  for (const [what, values] of [
    ["environment", spec.env],
    ["configuration", spec.config],
  ] as const) {
    const characters = Object.entries(values).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (characters <= ENVIRONMENT_MAX_CHARACTERS) continue;
    throw fault(
      Reason.INVALID_REQUEST,
      `Cannot accept instance "${id}": its ${what} exceeds ${ENVIRONMENT_MAX_CHARACTERS} characters (got ${characters})`,
      { subject: id },
    );
  }
}

function assertRoom(record: InstanceRecord, capacity: NodeCapacity, load: NodeLoad): void {
  const refuse = (what: string): never => {
    throw fault(Reason.NODE_AT_CAPACITY, `Cannot start instance "${record.id}": ${what}`, { subject: record.nodeId });
  };
  if (load.instances >= capacity.instancesMax)
    refuse(`the node runs ${load.instances} of at most ${capacity.instancesMax} instances`);
  const memoryBytes = load.memoryBytes + reservedMemoryBytes(record.limits);
  if (memoryBytes > capacity.memoryMaxBytes) {
    refuse(`memory limits would add up to ${memoryBytes} of at most ${capacity.memoryMaxBytes} bytes`);
  }
}
