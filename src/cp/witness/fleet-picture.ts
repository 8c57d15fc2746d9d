/** The fleet as decisions about generations need it: small, plain, and the same for the same fleet. Pure. */
import type { Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import { InstanceState, OnNodeLoss, TerminationCause, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../gen/wasmatrix/v1/node_pb.ts";
import { nodeStateAt, type HeldNode, type SilencePolicy } from "../fleet-view.ts";
import { ledgerValue, ledgerValues } from "../fold/ledger.ts";
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

/** The whole picture. */
export type FleetPicture = {
  readonly standing: ReadonlyMap<string, NodeStanding>;
  /** Nodes that take no new instances: they are likely to go away. */
  readonly cordoned: ReadonlySet<string>;
  readonly instances: readonly InstancePicture[];
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

/** Draws the picture of every instance that has a witness copy, wants one, or is held by several nodes. */
export function pictureOf(
  nodes: Iterable<HeldNode>,
  several: Iterable<string>,
  standing: ReadonlyMap<string, NodeStanding>,
): FleetPicture {
  const all = [...nodes];
  const copies = new Map<string, Witness[]>();
  const concerned = new Set(several);
  for (const { fold } of all) {
    for (const witness of ledgerValues(fold.witnesses)) {
      concerned.add(witness.instanceId);
      copies.set(witness.instanceId, [...(copies.get(witness.instanceId) ?? []), witness]);
    }
    for (const instance of ledgerValues(fold.instances)) if (restartsElsewhere(instance)) concerned.add(instance.id);
  }
  const instances = [...concerned].toSorted().map((instanceId): InstancePicture => {
    const sightings = all.flatMap(({ nodeId, fold }): Sighting[] => {
      const instance = ledgerValue(fold.instances, instanceId);
      if (instance === undefined) return [];
      const { generation, witnessNodeId } = instance;
      const isLive = !hasEnded(instance);
      return [
        {
          nodeId,
          generation,
          isLive,
          hasBegun: hasBegun(instance),
          restartsElsewhere: restartsElsewhere(instance),
          witnessNodeId,
        },
      ];
    });
    return { instanceId, sightings, copies: copies.get(instanceId) ?? [] };
  });
  const cordoned = all.filter(({ fold }) => fold.announced.info.cordoned).map(({ nodeId }) => nodeId);
  return { standing, cordoned: new Set(cordoned), instances };
}

/** Whether the instance has become ready in its present generation. */
export function hasBegun({ state, lastTermination }: Pick<Instance, "state" | "lastTermination">): boolean {
  if (state === InstanceState.RUNNING) return true;
  return lastTermination !== undefined && lastTermination.cause !== TerminationCause.START_FAILED;
}

/** Whether the instance is to survive its node. */
export function restartsElsewhere({ onNodeLoss }: Pick<Instance, "onNodeLoss">): boolean {
  return onNodeLoss === OnNodeLoss.RESTART_ELSEWHERE;
}
