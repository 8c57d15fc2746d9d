/** What placement is asked for an order. Pure. */
import type { GuestKind, InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { PlacementRequest } from "../placement.ts";
import { needsOfSpec, unsharedCount } from "./spec-needs.ts";

/** What a caller wants beside the spec. */
export type PlacementWishes = {
  readonly nodeId?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly kinds?: readonly GuestKind[];
};

/** Equal for orders whose requests differ in nothing but the instance's id. */
export function placementShape(spec: InstanceSpec, wishes: PlacementWishes = {}): string {
  const { nodeId = "", labels = {}, kinds = [] } = wishes;
  return JSON.stringify([spec.moduleDigest, nodeId, Object.entries(labels).toSorted(byName), kinds, needsOfSpec(spec)]);
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

/** The request for a spec whose module digest is filled in; wishes that are the caller's own come beside it. */
export function placementRequestFromSpec(
  instanceId: string,
  spec: InstanceSpec,
  wishes: PlacementWishes = {},
): PlacementRequest {
  const needs = needsOfSpec(spec);
  return {
    instanceId,
    nodeId: wishes.nodeId ?? "",
    labels: wishes.labels ?? {},
    kinds: wishes.kinds ?? [],
    memoryBytes: needs.memoryBytes,
    moduleDigest: spec.moduleDigest,
    protocolVersion: needs.protocolVersion,
    providers: needs.providers,
    unsharedCount: (info) => unsharedCount(info, needs),
  };
}
