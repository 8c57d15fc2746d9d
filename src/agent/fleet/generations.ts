/** Which generation of an instance may run here, and what its witness is to keep. Pure. */
import { create } from "@bufbuild/protobuf";
import { fault, Reason, type Fault } from "../../fault.ts";
import { WitnessCopySchema, type WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { StartOrder } from "../admission.ts";
import { assignmentFromGrant } from "../assignments.ts";
import type { InstanceRecord } from "../instance-record.ts";
import { nextClaimFloor } from "./witness-rules.ts";

/** Throws `NODE_CORDONED`, or `GENERATION_SUPERSEDED` if this node was told that the instance was stopped, or that its first generation goes elsewhere. */
export function assertPlacedHere(
  { id, generation }: StartOrder,
  node: {
    readonly nodeId: string;
    readonly isCordoned: boolean;
    readonly placedOn: string | undefined;
    readonly stoppedUpTo: bigint | undefined;
  },
): void {
  const { nodeId, placedOn, stoppedUpTo } = node;
  if (stoppedUpTo !== undefined && generation <= stoppedUpTo) {
    throw fault(
      Reason.GENERATION_SUPERSEDED,
      `Cannot start instance "${id}" on node "${nodeId}": generation ${stoppedUpTo} of it was stopped`,
      { subject: id },
    );
  }
  if (node.isCordoned) {
    throw fault(Reason.NODE_CORDONED, `Cannot start instance "${id}": node "${nodeId}" is cordoned`, {
      subject: nodeId,
    });
  }
  if (generation > 1n || placedOn === undefined || placedOn === nodeId) return;
  throw fault(
    Reason.GENERATION_SUPERSEDED,
    `Cannot start instance "${id}" on node "${nodeId}": it was placed on node "${placedOn}"`,
    { subject: id },
  );
}

/** Throws `GENERATION_SUPERSEDED` unless the order is of a later generation than the record. */
export function assertNewer(known: InstanceRecord, order: StartOrder): void {
  if (order.generation <= known.generation) throw notThatGeneration(known, order.generation);
}

/** The fault for an order on another generation than the one that is here. */
export function notThatGeneration(record: InstanceRecord, asked: bigint): Fault {
  return fault(
    Reason.GENERATION_SUPERSEDED,
    `Cannot act on generation ${asked} of instance "${record.id}": node "${record.nodeId}" has generation ${record.generation}`,
    { subject: record.id },
  );
}

/** The order of an instance as it would be given now, for a new witness. */
export function witnessCopyFrom(record: InstanceRecord): WitnessCopy {
  return create(WitnessCopySchema, {
    instanceId: record.id,
    generation: record.generation,
    nodeId: record.nodeId,
    spec: { ...record.spec, assignments: record.grants.map(assignmentFromGrant) },
    claimFloor: nextClaimFloor(record.generation),
  });
}
