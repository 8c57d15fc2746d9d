/** The fleet as decisions about generations need it: small, plain, and the same for the same fleet. Pure. */
import type { Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import { InstanceState, OnNodeLoss, TerminationCause, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../gen/wasmatrix/v1/node_pb.ts";
import { nodeStateAt, type HeldNode, type SilencePolicy } from "../fleet-view.ts";
import type { HeldInstance } from "../fold/held-instance.ts";
import { ledgerValue } from "../fold/ledger.ts";
import { hasEnded } from "../instance-life.ts";

/** How far a node's reports can be trusted now. */
export type NodeStanding =
  /** It reports, and all that it has is known. */
  | "heard"
  /** It may be there or not. */
  | "doubtful"
  /** It has been silent for so long that it counts as gone. */
  | "gone";

/** One instance on one node. */
export type Sighting = {
  readonly nodeId: string;
  readonly generation: bigint;
  readonly isLive: boolean;
  /** It is ready, or was before it ended or restarted. */
  readonly hasBegun: boolean;
  readonly restartsElsewhere: boolean;
  /** The node that the holder takes for its witness; empty for none. */
  readonly witnessNodeId: string;
};

/** Everything that is known of one instance that is to survive its node. */
export type InstancePicture = {
  readonly instanceId: string;
  readonly sightings: readonly Sighting[];
  readonly copies: readonly Witness[];
};

/** The nodes, as plans ask about them. */
export type NodesPicture = {
  /** Of a node that nobody has heard of: gone. */
  readonly standing: (nodeId: string) => NodeStanding;
  /** Whether it takes no new instances: it is likely to go away. */
  readonly isLeaving: (nodeId: string) => boolean;
  /** Whether a node other than this one reports and is not about to go. */
  readonly hasOther: (nodeId: string) => boolean;
};

/** What a silent node counts as. `unbrokenMs`: for how long this control plane has listened without a pause. */
export function standingOf(
  node: HeldNode,
  moment: { readonly steadyMs: number; readonly unbrokenMs: number },
  silence: SilencePolicy,
): NodeStanding {
  const state = nodeStateAt(node, moment.steadyMs, silence);
  const silentMs = moment.steadyMs - node.times.lastReportSteadyMs;
  // One that left in order gets as long to come back, after an upgrade say, as one that fell silent.
  const isGone = (state === NodeState.LOST || state === NodeState.LEFT) && silentMs > silence.lostAfterMs;
  if (isGone) return moment.unbrokenMs > silence.suspectAfterMs ? "gone" : "doubtful";
  return state === NodeState.AVAILABLE && node.fold.coverage !== undefined ? "heard" : "doubtful";
}

/** Draws the picture of one instance: `holders` are the nodes that hold it, `copies` what witnesses keep of its order. */
export function pictureOf(
  instanceId: string,
  holders: Iterable<HeldNode>,
  copies: readonly Witness[],
): InstancePicture {
  const sightings = [...holders].flatMap(({ nodeId, fold }): Sighting[] => {
    const held = ledgerValue(fold.instances, instanceId);
    return held === undefined ? [] : [sightingOf(nodeId, held)];
  });
  return { instanceId, sightings, copies };
}

/** Whether anything can be called for: it has a witness copy, wants one, or is held by several nodes. */
export function isConcerned({ sightings, copies }: InstancePicture): boolean {
  return copies.length > 0 || sightings.length > 1 || sightings.some((sighting) => sighting.restartsElsewhere);
}

function sightingOf(nodeId: string, held: HeldInstance): Sighting {
  const { generation, state, witnessNodeId } = held;
  return {
    nodeId,
    generation,
    isLive: !hasEnded(held),
    hasBegun: state === InstanceState.RUNNING || hasBegun(held.whole()),
    restartsElsewhere: restartsElsewhere(held),
    witnessNodeId,
  };
}

/** Whether the instance has become ready in its present generation. */
export function hasBegun({ state, lastTermination }: Instance): boolean {
  if (state === InstanceState.RUNNING) return true;
  return lastTermination !== undefined && lastTermination.cause !== TerminationCause.START_FAILED;
}

/** Whether the instance is to survive its node. */
export function restartsElsewhere({ onNodeLoss }: Pick<Instance, "onNodeLoss">): boolean {
  return onNodeLoss === OnNodeLoss.RESTART_ELSEWHERE;
}
