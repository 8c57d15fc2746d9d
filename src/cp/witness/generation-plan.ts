/**
 * What has to be done so that every instance that is to survive its node lives once, at its highest generation, and has a
 * witness. Pure: the same picture gives the same plan, and carrying a plan out twice does no harm.
 */
import type { Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { InstancePicture, NodesPicture, Sighting } from "./fleet-picture.ts";

/** One thing to do. */
export type GenerationStep =
  /** The node of this generation is gone: place the next one. */
  | {
      readonly kind: "place-anew";
      readonly instanceId: string;
      readonly witnessNodeId: string;
      readonly generation: bigint;
    }
  /** It was placed on this node, which reports and does not have it: give the order again. */
  | {
      readonly kind: "start";
      readonly instanceId: string;
      readonly witnessNodeId: string;
      readonly generation: bigint;
      readonly nodeId: string;
    }
  /** A higher generation has begun elsewhere: end this one. */
  | { readonly kind: "fence"; readonly instanceId: string; readonly nodeId: string; readonly byGeneration: bigint }
  /** A higher generation was placed elsewhere and came to nothing: this one goes on, under a generation higher still. */
  | {
      readonly kind: "keep-here";
      readonly instanceId: string;
      readonly nodeId: string;
      readonly generation: bigint;
      /** Empty if that one is gone. */
      readonly witnessNodeId: string;
    }
  /** It was stopped, and this node does not know. */
  | { readonly kind: "stop"; readonly instanceId: string; readonly nodeId: string }
  /** The copy is of no more use. */
  | {
      readonly kind: "drop";
      readonly instanceId: string;
      readonly witnessNodeId: string;
      readonly generation: bigint;
      readonly instanceEnded: boolean;
    }
  /** The instance's witness is gone or about to go, is the instance's own node, or has lost its copy. */
  | {
      readonly kind: "replace-witness";
      readonly instanceId: string;
      readonly nodeId: string;
      readonly generation: bigint;
      readonly formerWitnessNodeId: string;
    };

/** The steps that the picture of an instance calls for. */
export function planGenerations(
  { instanceId, sightings, copies }: InstancePicture,
  nodes: NodesPicture,
): readonly GenerationStep[] {
  const highest = [...sightings, ...copies].reduce((max, { generation }) => (generation > max ? generation : max), 0n);
  // A stop is of the instance, whichever generation its witness knew of.
  const isStopped = copies.some(({ stopped }) => stopped);
  const isHeard = ({ nodeId }: Sighting): boolean => nodes.standing(nodeId) === "heard";
  // Until the highest generation has begun, the one before it goes on: better one that is to go than none.
  const hasBegun = sightings.some((each) => each.generation === highest && each.hasBegun);
  const steps = sightings
    .filter((sighting) => sighting.isLive && isHeard(sighting))
    .flatMap((sighting): readonly GenerationStep[] => {
      const { nodeId, generation } = sighting;
      if (isStopped) return [{ kind: "stop", instanceId, nodeId }];
      if (generation === highest) return witnessSteps(instanceId, sighting, copies, nodes);
      if (hasBegun) return [{ kind: "fence", instanceId, nodeId, byGeneration: highest }];
      return keepHereSteps(instanceId, sighting, { sightings, copies, highest, nodes });
    });
  for (const copy of copies) {
    if (copy.stopped || nodes.standing(copy.witnessNodeId) !== "heard") continue;
    steps.push(...(isStopped ? [dropped(copy, true)] : copySteps(copy, { sightings, copies, highest, nodes })));
  }
  return steps;
}

type Around = {
  readonly sightings: readonly Sighting[];
  readonly copies: readonly Witness[];
  readonly highest: bigint;
  readonly nodes: NodesPicture;
};

/** What to do with the older generation while the newer one has not begun. */
function keepHereSteps(
  instanceId: string,
  { nodeId, generation }: Sighting,
  { sightings, copies, highest, nodes }: Around,
): readonly GenerationStep[] {
  const next = sightings.filter((each) => each.isLive && nodes.standing(each.nodeId) === "heard");
  // Of several, as after two moves that were broken off, the latest goes on; the others are fenced once it has.
  if (next.some((each) => each.generation > generation)) return [];
  const copy = copies.find((each) => each.generation === highest);
  const keep = (witnessNodeId: string): GenerationStep[] => [
    { kind: "keep-here", instanceId, nodeId, generation, witnessNodeId },
  ];
  if (copy === undefined) return [];
  const witness = nodes.standing(copy.witnessNodeId);
  if (witness === "gone") return keep("");
  if (witness === "doubtful") return [];
  const hasFailed = sightings.some((each) => each.generation === highest && !each.isLive && !each.hasBegun);
  return copy.nodeId === nodeId || hasFailed ? keep(copy.witnessNodeId) : [];
}

/** Whether a live instance has the witness that it wants. */
function witnessSteps(
  instanceId: string,
  { nodeId, generation, restartsElsewhere, witnessNodeId }: Sighting,
  copies: readonly Witness[],
  nodes: NodesPicture,
): readonly GenerationStep[] {
  if (!restartsElsewhere) return [];
  const witness = witnessNodeId === "" ? "gone" : nodes.standing(witnessNodeId);
  const hasCopy = copies.some((copy) => copy.witnessNodeId === witnessNodeId && copy.generation === generation);
  const isPoor = witnessNodeId === nodeId || nodes.isLeaving(witnessNodeId);
  if (witness === "doubtful") return [];
  if (witness === "heard" && hasCopy && !(isPoor && nodes.hasOther(nodeId))) return [];
  return [{ kind: "replace-witness", instanceId, nodeId, generation, formerWitnessNodeId: witnessNodeId }];
}

function dropped({ instanceId, witnessNodeId, generation }: Witness, instanceEnded: boolean): GenerationStep {
  return { kind: "drop", instanceId, witnessNodeId, generation, instanceEnded };
}

/** What a copy calls for that does not say stopped, as no other one does. */
function copySteps(copy: Witness, { sightings, copies, highest, nodes }: Around): readonly GenerationStep[] {
  const { instanceId, witnessNodeId, generation, nodeId } = copy;
  const holder = sightings.find((sighting) => sighting.nodeId === nodeId);
  const isCurrent = holder?.generation === generation;
  const others = sightings.filter((each) => each.generation === generation && each.nodeId !== nodeId);
  // Another witness has gone on from here: this copy must never place anything. Nor must one whose order another node carried out.
  if (generation < highest || (!isCurrent && others.length > 0)) return [dropped(copy, false)];
  const holderStanding = nodes.standing(nodeId);
  if (holderStanding === "doubtful") return [];
  // What is known to have ended does not begin again because its node went away.
  if (isCurrent && !holder.isLive) return isReplaced(holder, sightings, nodes) ? [] : [dropped(copy, true)];
  if (holderStanding === "gone") {
    const lives = others.some((each) => each.isLive && nodes.standing(each.nodeId) !== "gone");
    // Of two witnesses, as after one was gone for a while, the one that the holder named last decides.
    const named = copies.find((each) => each.generation === generation && each.witnessNodeId === holder?.witnessNodeId);
    const decides = named === undefined || named === copy || nodes.standing(named.witnessNodeId) === "gone";
    return lives || !decides ? [] : [{ kind: "place-anew", instanceId, witnessNodeId, generation }];
  }
  if (isCurrent) {
    return holder.witnessNodeId !== "" && holder.witnessNodeId !== witnessNodeId ? [dropped(copy, false)] : [];
  }
  // One that lives there under an older generation is kept, not started again: see `keepHereSteps`.
  return holder?.isLive === true ? [] : [{ kind: "start", instanceId, witnessNodeId, generation, nodeId }];
}

/** Whether this generation never became ready while an older one may live: that one goes on, and the instance has not ended. */
function isReplaced({ hasBegun, generation }: Sighting, sightings: readonly Sighting[], nodes: NodesPicture): boolean {
  return (
    !hasBegun &&
    sightings.some((each) => each.isLive && each.generation < generation && nodes.standing(each.nodeId) !== "gone")
  );
}
