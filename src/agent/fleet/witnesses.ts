/** The witness copies that this node keeps, durable before they are answered, and reported as facts. */
import { create } from "@bufbuild/protobuf";
import { fault, Reason } from "../../fault.ts";
import { FactKind, WitnessSchema, type Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { FleetJournal } from "./fleet-journal.ts";
import { claimedWitness, keptWitness } from "./witness-rules.ts";

/** What keeping copies needs. */
export type WitnessesDeps = {
  readonly nodeId: string;
  readonly journal: FleetJournal;
  readonly onFact: (kind: FactKind, witness: Witness, message: string, requestId: string) => void;
  /** Default 20,000. */
  readonly copiesMax?: number;
};

/** See the top of the file. */
export interface Witnesses {
  /** All, as they are reported, by instance id. */
  list(): readonly Witness[];
  /** Whether a copy needs this module. */
  needsModule(digest: string): boolean;
  /** The generation of a copy that says stopped, if there is one. */
  stoppedUpTo(instanceId: string): bigint | undefined;
  /** Throws `GENERATION_SUPERSEDED`, or `NODE_AT_CAPACITY` if no more copies are taken. */
  keep(copy: WitnessCopy, requestId: string): Witness;
  /** Throws `GENERATION_SUPERSEDED` or `INSTANCE_NOT_FOUND`. */
  claim(
    claim: { readonly instanceId: string; readonly expectedGeneration: bigint; readonly nodeId: string },
    requestId: string,
  ): WitnessCopy;
  /** The whole copy; throws `INSTANCE_NOT_FOUND`. */
  read(instanceId: string): WitnessCopy;
  /**
   * Drops a copy of this generation or a lower one; another, or none, is left as it is. Of an instance that has ended and was placed
   * anew before, a copy that says stopped stays: an older generation may still come back with its node.
   */
  drop(
    order: { readonly instanceId: string; readonly generation: bigint; readonly instanceEnded: boolean },
    requestId: string,
  ): void;
}

const COPIES_DEFAULT_MAX = 20_000;
/** Of the oldest copies, so many are looked at when room is wanted. */
const FORGET_AT_ONCE = 1_000;

/** Reads what the journal holds and goes on from there. */
export function createWitnesses({ nodeId, journal, onFact, copiesMax = COPIES_DEFAULT_MAX }: WitnessesDeps): Witnesses {
  const copies = new Map(journal.witnesses().map((copy) => [copy.instanceId, copy]));
  const reported = (copy: WitnessCopy): Witness =>
    create(WitnessSchema, {
      instanceId: copy.instanceId,
      generation: copy.generation,
      nodeId: copy.nodeId,
      stopped: copy.stopped,
      witnessNodeId: nodeId,
      name: copy.spec?.name ?? "",
      moduleDigest: copy.spec?.moduleDigest ?? "",
    });
  /** Makes room by the copies that only say that something was stopped. */
  const forgetStopped = (): void => {
    for (const { instanceId, stopped } of [...copies.values()].slice(0, FORGET_AT_ONCE)) {
      if (!stopped) continue;
      journal.removeWitness(instanceId);
      copies.delete(instanceId);
    }
  };
  const put = (copy: WitnessCopy, message: string, requestId: string): void => {
    journal.putWitness(copy);
    copies.set(copy.instanceId, copy);
    onFact(FactKind.WITNESS_KEPT, reported(copy), message, requestId);
  };

  return {
    list: () => [...copies.values()].toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1)).map(reported),
    needsModule: (digest) => [...copies.values()].some((copy) => !copy.stopped && copy.spec?.moduleDigest === digest),
    stoppedUpTo(instanceId) {
      const copy = copies.get(instanceId);
      return copy?.stopped === true ? copy.generation : undefined;
    },
    keep(asked, requestId) {
      const held = copies.get(asked.instanceId);
      if (held === undefined && copies.size >= copiesMax) forgetStopped();
      if (held === undefined && copies.size >= copiesMax) {
        throw fault(
          Reason.NODE_AT_CAPACITY,
          `Cannot keep a copy of instance "${asked.instanceId}": node "${nodeId}" keeps ${copiesMax} already`,
          { subject: nodeId },
        );
      }
      const copy = keptWitness(held, asked);
      const what = copy.stopped
        ? "Stopped: it is not to be placed again"
        : `Keeps the order of generation ${copy.generation}`;
      put(copy, `${what} (placed on ${copy.nodeId})`, requestId);
      return reported(copy);
    },
    claim(claim, requestId) {
      const copy = claimedWitness(copies.get(claim.instanceId), claim);
      put(copy, `Generation ${copy.generation} is placed on ${copy.nodeId}`, requestId);
      return copy;
    },
    read(instanceId) {
      const copy = copies.get(instanceId);
      if (copy !== undefined) return copy;
      throw fault(
        Reason.INSTANCE_NOT_FOUND,
        `Cannot read the copy of instance "${instanceId}": node "${nodeId}" keeps none`,
        {
          subject: instanceId,
        },
      );
    },
    drop({ instanceId, generation, instanceEnded }, requestId) {
      const copy = copies.get(instanceId);
      if (copy === undefined || copy.generation > generation) return;
      if (instanceEnded && copy.generation > 1n) {
        if (!copy.stopped) put({ ...copy, stopped: true }, "Ended: it is not to be placed again", requestId);
        return;
      }
      journal.removeWitness(instanceId);
      copies.delete(instanceId);
      onFact(FactKind.WITNESS_DROPPED, reported(copy), "Copy of the order dropped", requestId);
    },
  };
}
