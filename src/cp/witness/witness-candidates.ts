/** Which nodes can keep the start order of an instance. */
import type { Clock } from "../../clock.ts";
import { NodeState } from "../../gen/wasmatrix/v1/node_pb.ts";
import { FLEET_PROTOCOL_VERSION } from "../../protocol-version.ts";
import { nodeStateAt, type HeldNode, type SilencePolicy } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import { ledgerSize } from "../fold/ledger.ts";

/** What choosing needs. */
export type WitnessCandidatesDeps = {
  readonly fleet: Pick<Fleet, "nodes">;
  readonly clock: Pick<Clock, "steadyMs">;
  readonly silence: SilencePolicy;
};

/**
 * Nodes that can be dialled, know what a witness is, and report in time, but for this one, those with fewer copies first. Cordoned ones,
 * which are likely to go away, only if there are no others.
 */
export function witnessCandidates(deps: WitnessCandidatesDeps, without: string): readonly string[] {
  const steadyMs = deps.clock.steadyMs();
  const fitting = [...deps.fleet.nodes()]
    .filter((node) => node.nodeId !== without && node.fold.announced.info.address !== "")
    .filter((node) => node.fold.announced.info.protocolVersion >= FLEET_PROTOCOL_VERSION)
    .filter((node) => nodeStateAt(node, steadyMs, deps.silence) === NodeState.AVAILABLE)
    .toSorted((a, b) => copiesOf(a) - copiesOf(b) || (a.nodeId < b.nodeId ? -1 : 1));
  const staying = fitting.filter(({ fold }) => !fold.announced.info.cordoned);
  return (staying.length > 0 ? staying : fitting).map(({ nodeId }) => nodeId);
}

function copiesOf({ fold }: HeldNode): number {
  return ledgerSize(fold.witnesses);
}
