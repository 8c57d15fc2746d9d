/** Places the order of a witness copy, and gives it. */
import type { CallOptions } from "@connectrpc/connect";
import { isFault } from "../../fault.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import { placeInstance, type PlacementNode } from "../placement.ts";
import { giveStartOrder, type StartOrderDeps, type StartOutcome } from "../start/start-order.ts";
import { placementRequestFromSpec } from "../start/placement-request.ts";

/** The nodes that fit a copy, best first, without these. Throws what `placeInstance` throws if none fits. */
export function placeCopy(
  nodes: readonly PlacementNode[],
  copy: WitnessCopy,
  without: readonly string[],
): readonly string[] {
  if (copy.spec === undefined) return [];
  const others = nodes.filter(({ info }) => !without.includes(info.nodeId));
  return placeInstance(others, placementRequestFromSpec(copy.instanceId, copy.spec));
}

/** The same, but none if none fits. */
export function placeCopyIfAny(
  nodes: readonly PlacementNode[],
  copy: WitnessCopy,
  without: readonly string[],
): readonly string[] {
  try {
    return placeCopy(nodes, copy, without);
  } catch (error) {
    // Lost: which requirement failed where. Nobody waits for this start; it is tried again when nodes change.
    if (isFault(error)) return [];
    throw error;
  }
}

/** Gives the start order of a copy to the node that it names. */
export async function giveCopy(
  deps: StartOrderDeps,
  { instanceId, generation, nodeId, spec }: WitnessCopy,
  witnessNodeId: string,
  call: CallOptions,
): Promise<StartOutcome> {
  if (spec === undefined) throw new Error("a witness copy has no order");
  return giveStartOrder(deps, { instanceId, generation, nodeId, spec, witnessNodeId }, call);
}
