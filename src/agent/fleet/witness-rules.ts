/** How witness copies change: which order replaces which, and what the next generation is. Pure. */
import { create } from "@bufbuild/protobuf";
import { fault, Reason, type Fault } from "../../fault.ts";
import { WitnessCopySchema, type WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";

/** Generations that one witness may give before the next witness begins: a stale witness and its successor never give the same one. */
const CLAIMS_OF_ONE_WITNESS = 1_000n;

/** The copy to hold after an order to keep one; throws `GENERATION_SUPERSEDED` if the held one is newer, or says stopped where the new one does not. */
export function keptWitness(held: WitnessCopy | undefined, asked: WitnessCopy): WitnessCopy {
  const copy = create(WitnessCopySchema, asked);
  if (held === undefined) return copy;
  if (held.generation > asked.generation) throw superseded(held, `generation ${asked.generation}`);
  if (held.generation === asked.generation && held.stopped && !asked.stopped) throw superseded(held, "a live copy");
  // A floor is never lowered: it keeps two witnesses apart.
  return { ...copy, claimFloor: held.claimFloor > copy.claimFloor ? held.claimFloor : copy.claimFloor };
}

/** The copy after a claim; throws `INSTANCE_NOT_FOUND`, or `GENERATION_SUPERSEDED` if it is not what the caller expects. */
export function claimedWitness(
  held: WitnessCopy | undefined,
  claim: { readonly instanceId: string; readonly expectedGeneration: bigint; readonly nodeId: string },
): WitnessCopy {
  if (held === undefined) {
    throw fault(
      Reason.INSTANCE_NOT_FOUND,
      `Cannot place instance "${claim.instanceId}" anew: no copy of its order is here`,
      {
        subject: claim.instanceId,
      },
    );
  }
  if (held.stopped || held.generation !== claim.expectedGeneration) {
    throw superseded(held, `a claim on generation ${claim.expectedGeneration}`);
  }
  const next = held.generation + 1n;
  return { ...held, generation: next > held.claimFloor ? next : held.claimFloor, nodeId: claim.nodeId };
}

/** The floor for the successor of a witness whose copy was of this generation. */
export function nextClaimFloor(generation: bigint): bigint {
  return (generation / CLAIMS_OF_ONE_WITNESS + 1n) * CLAIMS_OF_ONE_WITNESS + 1n;
}

function superseded(held: WitnessCopy, by: string): Fault {
  const state = held.stopped ? "was stopped" : `is placed on node "${held.nodeId}"`;
  return fault(
    Reason.GENERATION_SUPERSEDED,
    `Cannot change the copy of instance "${held.instanceId}" by ${by}: generation ${held.generation} ${state}`,
    { subject: held.instanceId },
  );
}
