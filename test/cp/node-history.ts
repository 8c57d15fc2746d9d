/** A node's life as the tests imagine it: a list of facts, and what the node holds after each of them. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import type { NodeReport } from "../../src/cp/fold.ts";
import { heldFactFromMessage } from "../../src/cp/fold/held-fact.ts";
import { heldInstanceFromMessage } from "../../src/cp/fold/held-instance.ts";
import { FactKind, FactSchema, SnapshotSchema, type Fact, type Snapshot } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { GuestKind, InstanceSchema, InstanceState, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import {
  CapacitySchema,
  LoadSchema,
  NodeInfoSchema,
  ProviderSchema,
  ProviderState,
  type NodeInfo,
  type Provider,
} from "../../src/gen/wasmatrix/v1/node_pb.ts";

/** An id of the real length that ends in `number`. */
export function idOf(number: number): string {
  return `i${String(number)}`.padEnd(20, "0");
}

export function instanceOf(
  fields: { id: string; nodeId?: string; name?: string; state?: InstanceState; createdMs?: number } & Partial<
    Pick<
      Instance,
      "moduleDigest" | "restartCount" | "deniedCount" | "kind" | "generation" | "labels" | "args" | "limits"
    >
  >,
): Instance {
  const { createdMs = 1_000, ...rest } = fields;
  return create(InstanceSchema, {
    nodeId: "n1",
    state: InstanceState.RUNNING,
    kind: GuestKind.HTTP,
    generation: 1n,
    createTime: timestampFromMs(createdMs),
    ...rest,
  });
}

export function nodeInfoOf(
  fields: Partial<
    Pick<
      NodeInfo,
      | "nodeId"
      | "address"
      | "ingressAddress"
      | "labels"
      | "moduleDigests"
      | "guestKinds"
      | "protocolVersion"
      | "sharedFolders"
      | "sharedEnvNames"
      | "cordoned"
    >
  > & { instancesMax?: number; memoryMaxBytes?: bigint } = {},
): NodeInfo {
  const { instancesMax = 100, memoryMaxBytes = 100n * 64n * 1024n ** 2n, ...rest } = fields;
  return create(NodeInfoSchema, {
    nodeId: "n1",
    address: "http://n1.test",
    protocolVersion: 1,
    capacity: create(CapacitySchema, { instancesMax, memoryMaxBytes }),
    ...rest,
  });
}

/** A report as the fold reads it, from messages as an agent makes them. */
export function reportOf(
  fields: Partial<Omit<NodeReport, "facts" | "snapshot">> & {
    readonly facts?: readonly Fact[];
    readonly snapshot?: Snapshot;
  } = {},
): NodeReport {
  const { facts = [], snapshot, ...rest } = fields;
  return {
    info: nodeInfoOf(),
    epoch: "e1",
    afterSequence: 0n,
    load: undefined,
    leaving: false,
    sentNs: 0n,
    ...rest,
    facts: facts.map(heldFactFromMessage),
    snapshot: snapshot && { ...snapshot, instances: snapshot.instances.map(heldInstanceFromMessage) },
  };
}

/** What a node holds, and the facts that led there. */
export type Life = {
  readonly epoch: string;
  readonly facts: readonly Fact[];
  /** `states[n]` is what the node holds after n facts. */
  readonly states: readonly NodeHolding[];
};
export type NodeHolding = {
  readonly instances: ReadonlyMap<string, Instance>;
  readonly providers: ReadonlyMap<string, Provider>;
};

type Step =
  | { readonly kind: "instance"; readonly number: number; readonly state: InstanceState }
  | { readonly kind: "forget"; readonly number: number }
  | { readonly kind: "provider"; readonly running: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("instance" as const),
      number: fc.integer({ min: 0, max: 5 }),
      state: fc.constantFrom<InstanceState[]>(1, 2, 3, 4, 5, 6, 7),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("forget" as const), number: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("provider" as const), running: fc.boolean() }) },
);

function lifeFromSteps(epoch: string, inherited: NodeHolding, steps: readonly Step[]): Life {
  const states: NodeHolding[] = [inherited];
  const facts: Fact[] = [];
  for (const each of steps) {
    const before = states.at(-1) ?? inherited;
    const instances = new Map(before.instances);
    const providers = new Map(before.providers);
    const sequence = BigInt(facts.length + 1);
    const common = { nodeId: "n1", epoch, sequence, time: timestampFromMs(1_000 + facts.length) };
    if (each.kind === "provider") {
      const provider = create(ProviderSchema, {
        id: "kv",
        nodeId: "n1",
        state: each.running ? ProviderState.RUNNING : ProviderState.STOPPED,
      });
      providers.set("kv", provider);
      facts.push(
        create(FactSchema, {
          ...common,
          kind: each.running ? FactKind.PROVIDER_STARTED : FactKind.PROVIDER_STOPPED,
          provider,
        }),
      );
    } else {
      const state = each.kind === "instance" ? each.state : InstanceState.STOPPED;
      const instance = instanceOf({
        id: idOf(each.number),
        state,
        name: `name${each.number % 2}`,
        restartCount: facts.length,
      });
      if (each.kind === "forget") instances.delete(instance.id);
      else instances.set(instance.id, instance);
      const kind = each.kind === "forget" ? FactKind.INSTANCE_FORGOTTEN : FactKind.INSTANCE_RUNNING;
      facts.push(create(FactSchema, { ...common, kind, instance }));
    }
    states.push({ instances, providers });
  }
  return { epoch, facts, states };
}

/** Two lives of one node, the second beginning with what the first left behind. */
export const lives: fc.Arbitrary<readonly [Life, Life]> = fc
  .tuple(fc.array(step, { maxLength: 12 }), fc.array(step, { maxLength: 12 }))
  .map(([first, second]) => {
    const one = lifeFromSteps("e1", { instances: new Map(), providers: new Map() }, first);
    const left = one.states.at(-1) ?? { instances: new Map(), providers: new Map() };
    return [one, lifeFromSteps("e2", left, second)];
  });

/** The report of facts (`from`, `to`] of a life. */
export function factsReport(life: Life, from: number, to: number): NodeReport {
  return reportOf({
    epoch: life.epoch,
    afterSequence: BigInt(from),
    facts: life.facts.slice(from, to),
    load: create(LoadSchema, { instances: life.states[to]?.instances.size ?? 0 }),
    sentNs: BigInt(to * 10),
  });
}

/** An agent cuts what it holds at one moment into the same pages each time. */
const PAGE_SIZE = 2;

/** The pages of the snapshot after `sequence` facts of a life. */
export function snapshotReports(life: Life, sequence: number): readonly NodeReport[] {
  const pageSize = PAGE_SIZE;
  const holding = life.states[sequence];
  const instances = [...(holding?.instances.values() ?? [])];
  const pageCount = Math.max(1, Math.ceil(instances.length / pageSize));
  return Array.from({ length: pageCount }, (_, page) =>
    reportOf({
      epoch: life.epoch,
      afterSequence: BigInt(sequence),
      sentNs: BigInt(sequence * 10 + 1),
      snapshot: create(SnapshotSchema, {
        sequence: BigInt(sequence),
        page,
        pageCount,
        instances: instances.slice(page * pageSize, (page + 1) * pageSize),
        providers: page === 0 ? [...(holding?.providers.values() ?? [])] : [],
      }),
    }),
  );
}

/** Reports that a node may send in a life: overlapping runs of facts, snapshots at some moments, heartbeats. */
export function reportsOf(life: Life): fc.Arbitrary<readonly NodeReport[]> {
  const moment = fc.integer({ min: 0, max: life.facts.length });
  const facts = fc.tuple(moment, moment).map(([a, b]) => [factsReport(life, Math.min(a, b), Math.max(a, b))]);
  const snapshot = moment.map((at) => snapshotReports(life, at));
  // Fewer snapshots than the fold keeps unfinished: beyond that bound order may show, until the next one.
  return fc
    .tuple(fc.array(facts, { maxLength: 8 }), fc.array(snapshot, { maxLength: 3 }))
    .map(([a, b]) => [...a, ...b].flat());
}
