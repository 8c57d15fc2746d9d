/** What the nodes and instances of a simulated fleet look like: as real agents report them, all different, and the same in each run. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { FactKind, FactSchema, type Fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import {
  CapabilityType,
  GuestKind,
  InstanceSchema,
  InstanceState,
  Isolation,
  OnNodeLoss,
  RestartMode,
  Reuse,
  type Instance,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import {
  LoadSchema,
  NodeInfoSchema,
  ProviderSchema,
  ProviderState,
  type Load,
  type NodeInfo,
  type Provider,
} from "../../src/gen/wasmatrix/v1/node_pb.ts";

/** The present life of every agent. */
export const EPOCH = "0199f3a2c4d5e6f7";
/** When everything began, in milliseconds since the Unix epoch. */
const BEGAN_MS = 1_790_000_000_000;
const MEBIBYTE = 1024 ** 2;
const MODULES = 200;

/** How a fleet is made up. */
export type FleetShape = {
  readonly nodes: number;
  readonly instancesPerNode: number;
  /** Instances that have one name. */
  readonly perName: number;
  /** Every how manyeth instance is to survive its node; 0 for none. */
  readonly everyRestartsElsewhere: number;
};

/** The id of a node. */
export function nodeIdOf(node: number): string {
  return `node-${String(node).padStart(5, "0")}`;
}

/** The base URL of its agent. */
export function addressOf(node: number): string {
  return `http://${nodeIdOf(node)}.bench:7421`;
}

/** The number of the node behind a base URL. */
export function nodeFromAddress(address: string): number {
  return Number(/node-(\d+)/.exec(address)?.[1] ?? Number.NaN);
}

/** The digest of a module. */
export function digestOf(module: number): string {
  return `sha256:${(module % MODULES).toString(16).padStart(64, "c0ffee")}`;
}

/** What its agent says of itself. */
export function nodeInfoOf(node: number): NodeInfo {
  return create(NodeInfoSchema, {
    nodeId: nodeIdOf(node),
    address: addressOf(node),
    ingressAddress: `http://${nodeIdOf(node)}.bench:7422`,
    labels: { zone: `z${node % 3}`, rack: `r${node % 40}` },
    capacity: { instancesMax: 1_000, memoryMaxBytes: BigInt(128 * 1024 * MEBIBYTE) },
    protocolVersion: 2,
    softwareVersion: "0.1.0",
    guestKinds: [GuestKind.HTTP, GuestKind.COMMAND, GuestKind.FUNCTIONS, GuestKind.MESSAGING],
    moduleDigests: Array.from({ length: 8 }, (_, index) => digestOf(node + index * 23)),
  });
}

/** Its providers. */
export function providersOf(node: number): readonly Provider[] {
  const nodeId = nodeIdOf(node);
  const state = ProviderState.RUNNING;
  return [
    create(ProviderSchema, { id: "kv", type: CapabilityType.KV, backend: "sqlite", state, nodeId }),
    create(ProviderSchema, { id: "http", type: CapabilityType.HTTP, backend: "fetch", state, nodeId }),
    create(ProviderSchema, { id: "messaging", type: CapabilityType.MESSAGING, backend: "in-process", state, nodeId }),
  ];
}

/** What it has given away. */
export function loadOf(instances: number): Load {
  return create(LoadSchema, { instances, memoryBytes: BigInt(instances * 64 * MEBIBYTE) });
}

/** The id of an instance: spread evenly, as hashes of keys are. */
export function instanceIdOf(number: number): string {
  return ((BigInt(number) * 0x9e3779b97f4a7c15f39cc0605cedc835n) % 36n ** 20n).toString(36).padStart(20, "0");
}

/** An instance as its agent reports it. */
export function instanceOf(shape: FleetShape, number: number, node: number): Instance {
  const isMovable = shape.everyRestartsElsewhere > 0 && number % shape.everyRestartsElsewhere === 0;
  return create(InstanceSchema, {
    id: instanceIdOf(number),
    name: `svc-${Math.floor(number / shape.perName)}`,
    labels: {
      app: `app-${number % 500}`,
      tier: number % 3 === 0 ? "job" : "web",
      ...(number % 10_007 === 0 ? { canary: "yes" } : {}),
    },
    generation: 1n,
    moduleDigest: digestOf(number),
    kind: GuestKind.HTTP,
    nodeId: nodeIdOf(node),
    state: number % 20 === 19 ? InstanceState.STOPPED : InstanceState.RUNNING,
    assignments: [
      { providerId: "kv", type: CapabilityType.KV, permissions: ["kv:read", "kv:write"], bucket: `b${number % 50}` },
    ],
    restartPolicy: {
      mode: RestartMode.ON_FAILURE,
      maxRetries: 5,
      backoff: durationFromMs(1_000),
      backoffMax: durationFromMs(60_000),
    },
    limits: {
      memoryMaxBytes: BigInt(64 * MEBIBYTE),
      callTimeoutMs: 30_000,
      startTimeoutMs: 10_000,
      queuedCallsMax: 128,
      requestBodyMaxBytes: BigInt(16 * MEBIBYTE),
      responseBodyMaxBytes: BigInt(64 * MEBIBYTE),
      concurrentCallsMax: 1,
      openHandlesMax: 10_000,
      outputMaxBytesPerMinute: BigInt(64 * MEBIBYTE),
      outputMaxLinesPerMinute: 600_000,
    },
    envNames: ["LOG_LEVEL"],
    createTime: timestampFromMs(BEGAN_MS + number),
    startTime: timestampFromMs(BEGAN_MS + number + 20),
    isolation: Isolation.SHARED,
    reuse: Reuse.INSTANCE,
    onNodeLoss: isMovable ? OnNodeLoss.RESTART_ELSEWHERE : OnNodeLoss.NONE,
    witnessNodeId: isMovable ? nodeIdOf((node + 1) % shape.nodes) : "",
  });
}

/** A fact about an instance. */
export function factOf(sequence: number, instance: Instance, kind: FactKind = FactKind.INSTANCE_RUNNING): Fact {
  return create(FactSchema, {
    nodeId: instance.nodeId,
    epoch: EPOCH,
    sequence: BigInt(sequence),
    time: timestampFromMs(BEGAN_MS + sequence),
    kind,
    instance,
    message: "takes calls",
    requestId: "req-0123456789abcdef",
  });
}
