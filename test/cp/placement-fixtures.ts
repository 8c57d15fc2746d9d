/** Nodes and requests as placement sees them. */
import type { PlacementNode, PlacementRequest } from "../../src/cp/placement.ts";
import { NodeState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { nodeInfoOf } from "./node-history.ts";

/** The module of `requestOf`. */
export const DIGEST: string = `sha256:${"0".repeat(64)}`;

export const MEBIBYTE: number = 1024 ** 2;

/** An idle node that is available, with changes. */
export function nodeOf(
  nodeId: string,
  fields: Partial<Omit<PlacementNode, "info">> & Parameters<typeof nodeInfoOf>[0] = {},
): PlacementNode {
  const {
    state = NodeState.AVAILABLE,
    rebuilding = false,
    instances = 0,
    memoryBytes = 0,
    sameName = 0,
    providers = [],
    ...info
  } = fields;
  return { info: nodeInfoOf({ nodeId, ...info }), state, rebuilding, instances, memoryBytes, sameName, providers };
}

/** A request for 64 MiB anywhere, with changes. */
export function requestOf(fields: Partial<PlacementRequest> = {}): PlacementRequest {
  return {
    instanceId: "a1",
    nodeId: "",
    labels: {},
    kinds: [],
    memoryBytes: 64 * MEBIBYTE,
    moduleDigest: DIGEST,
    protocolVersion: 0,
    providers: [],
    unsharedCount: () => 0,
    ...fields,
  };
}
