/** Reports of simulated nodes, in the bytes in which they travel. */
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { snapshotPages } from "../../src/agent/report-plan.ts";
import { ReportStatusRequestSchema, type ReportStatusRequest } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind, WitnessSchema, type Fact, type Witness } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import type { Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { WatchReportsResponseSchema } from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import {
  EPOCH,
  factOf,
  instanceOf,
  loadOf,
  nodeIdOf,
  nodeInfoOf,
  providersOf,
  type FleetShape,
} from "./fleet-shapes.ts";

/** The instances of a node. */
export function instancesOf(shape: FleetShape, node: number): readonly Instance[] {
  const first = node * shape.instancesPerNode;
  return Array.from({ length: shape.instancesPerNode }, (_, index) => instanceOf(shape, first + index, node));
}

/** Sequence number of a node's youngest fact: its instances have started, which are two facts each. */
export function sequenceOf(shape: FleetShape): number {
  return 2 * shape.instancesPerNode;
}

/** All that a node holds, in the pages of a real agent; the first brings `recentFacts` of its youngest facts along. */
export function snapshotReports(shape: FleetShape, node: number, recentFacts: number): readonly ReportStatusRequest[] {
  const instances = instancesOf(shape, node);
  const sequence = sequenceOf(shape);
  const pages = snapshotPages({
    sequence,
    instances,
    providers: providersOf(node),
    witnesses: witnessesOf(shape, node),
  });
  const facts = youngest(instances, Math.min(recentFacts, sequence));
  return pages.map((snapshot, index) =>
    reportOf(
      node,
      shape.instancesPerNode,
      sequence - (index === 0 ? facts.length : 0),
      index === 0 ? facts : [],
      snapshot,
    ),
  );
}

/** One report; it says of the node what it always says. */
export function reportOf(
  node: number,
  load: number,
  after: number,
  facts: readonly Fact[] = [],
  snapshot?: ReportStatusRequest["snapshot"],
): ReportStatusRequest {
  return create(ReportStatusRequestSchema, {
    info: nodeInfoOf(node),
    epoch: EPOCH,
    afterSequence: BigInt(after),
    facts: [...facts],
    load: loadOf(load),
    sendTime: timestampFromMs(1_790_000_000_000 + after),
    ...(snapshot === undefined ? {} : { snapshot }),
  });
}

/** A report as one message of a stream. */
export function streamedBytes(report: ReportStatusRequest): Uint8Array {
  return toBinary(WatchReportsResponseSchema, create(WatchReportsResponseSchema, { report }));
}

/** The copies that a node keeps of start orders of the node before it. */
function witnessesOf(shape: FleetShape, node: number): readonly Witness[] {
  if (shape.everyRestartsElsewhere === 0) return [];
  const holder = (node + shape.nodes - 1) % shape.nodes;
  return instancesOf(shape, holder)
    .filter(({ witnessNodeId }) => witnessNodeId !== "")
    .map(({ id, name, moduleDigest, nodeId }) =>
      create(WitnessSchema, {
        instanceId: id,
        generation: 1n,
        nodeId,
        witnessNodeId: nodeIdOf(node),
        name,
        moduleDigest,
      }),
    );
}

function youngest(instances: readonly Instance[], count: number): readonly Fact[] {
  const all = instances.flatMap((instance, index) => [
    factOf(2 * index + 1, instance, FactKind.INSTANCE_STARTING),
    factOf(2 * index + 2, instance),
  ]);
  return count === 0 ? [] : all.slice(-count);
}
