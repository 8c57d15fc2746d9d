/** What placement is asked for an order. Pure. */
import type { GuestKind, InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { PlacementRequest } from "../placement.ts";
import { needsOfSpec, unsharedCount } from "./spec-needs.ts";

/** The request for a spec whose module digest is filled in; wishes that are the caller's own come beside it. */
export function placementRequestFromSpec(
  instanceId: string,
  spec: InstanceSpec,
  wishes: {
    readonly nodeId?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly kinds?: readonly GuestKind[];
  } = {},
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
