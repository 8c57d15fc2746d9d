/**
 * What has to be done so that every instance that is to survive its node lives once, at its highest generation, and has a
 * witness. Pure: the same picture gives the same plan, and carrying a plan out twice does no harm.
 */
import type { Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { FleetPicture, InstancePicture, NodeStanding, Sighting } from "./fleet-picture.ts";

/** One thing to do. */
export type GenerationStep =
  /** The node of this generation is gone: place the next one. */
  | { readonly kind: "place-anew"; readonly instanceId: string; readonly witnessNodeId: string; readonly generation: bigint }
  /** It was placed on this node, which reports and does not have it: give the order again. */
  | { readonly kind: "start"; readonly instanceId: string; readonly witnessNodeId: string; readonly generation: bigint; readonly nodeId: string }
  /** A higher generation was placed: end this one. */
  | { readonly kind: "fence"; readonly instanceId: string; readonly nodeId: string; readonly byGeneration: bigint }
  /** It was stopped, and this node does not know. */
  | { readonly kind: "stop"; readonly instanceId: string; readonly nodeId: string }
  /** The copy is of no more use. */
  | { readonly kind: "drop"; readonly instanceId: string; readonly witnessNodeId: string; readonly generation: bigint; readonly instanceEnded: boolean }
  /** The instance's witness is gone, or has lost its copy. */
  | { readonly kind: "replace-witness"; readonly instanceId: string; readonly nodeId: string; readonly generation: bigint; readonly formerWitnessNodeId: string };

/** The steps that the picture calls for, by instance id. */
export function planGenerations({ standing, instances }: FleetPicture): readonly GenerationStep[] {
  return instances.flatMap((instance) => planOne(instance, (nodeId) => standing.get(nodeId) ?? "gone"));
}

type Standing = (nodeId: string) => NodeStanding;

function planOne({ instanceId, sightings, copies }: InstancePicture, standing: Standing): readonly GenerationStep[] {
  const highest = [...sightings, ...copies].reduce((max, { generation }) => (generation > max ? generation : max), 0n);
  const stoppedAt = copies.reduce((max, { stopped, generation }) => (stopped && generation > max ? generation : max), 0n);
  const ofNodes = sightings.filter(({ nodeId, isLive }) => isLive && standing(nodeId) === "heard");
  const steps = ofNodes.flatMap((sighting): readonly GenerationStep[] => {
    const { nodeId, generation } = sighting;
    if (generation < highest) return [{ kind: "fence", instanceId, nodeId, byGeneration: highest }];
    if (generation <= stoppedAt) return [{ kind: "stop", instanceId, nodeId }];
    return witnessSteps(instanceId, sighting, copies, standing);
  });
  for (const copy of copies) {
    if (standing(copy.witnessNodeId) === "heard") steps.push(...copySteps(copy, { sightings, highest, standing }));
  }
  return steps;
}

/** Whether a live instance has the witness that it wants. */
function witnessSteps(
  instanceId: string,
  { nodeId, generation, restartsElsewhere, witnessNodeId }: Sighting,
  copies: readonly Witness[],
  standing: Standing,
): readonly GenerationStep[] {
  if (!restartsElsewhere) return [];
  const witness = witnessNodeId === "" ? "gone" : standing(witnessNodeId);
  const hasCopy = copies.some((copy) => copy.witnessNodeId === witnessNodeId && copy.generation === generation);
  if (witness === "doubtful" || (witness === "heard" && hasCopy)) return [];
  return [{ kind: "replace-witness", instanceId, nodeId, generation, formerWitnessNodeId: witnessNodeId }];
}

function copySteps(
  copy: Witness,
  { sightings, highest, standing }: { readonly sightings: readonly Sighting[]; readonly highest: bigint; readonly standing: Standing },
): readonly GenerationStep[] {
  const { instanceId, witnessNodeId, generation, nodeId } = copy;
  const drop = (instanceEnded: boolean): GenerationStep => ({ kind: "drop", instanceId, witnessNodeId, generation, instanceEnded });
  const holder = sightings.find((sighting) => sighting.nodeId === nodeId);
  const holderStanding = standing(nodeId);
  // Another witness has gone on from here, or the holder names another one: this copy must never place anything.
  if (generation < highest) return copy.stopped ? [] : [drop(false)];
  if (copy.stopped) return [];
  const isCurrent = holder?.generation === generation;
  if (holderStanding === "heard") {
    if (!isCurrent) return [{ kind: "start", instanceId, witnessNodeId, generation, nodeId }];
    if (!holder.isLive) return [drop(true)];
    return holder.witnessNodeId !== "" && holder.witnessNodeId !== witnessNodeId ? [drop(false)] : [];
  }
  // What is known to have ended does not begin again because its node went away.
  if (holderStanding === "gone") return isCurrent && !holder.isLive ? [drop(true)] : [{ kind: "place-anew", instanceId, witnessNodeId, generation }];
  return [];
}
