/** Orders on which generation of an instance lives here, and who keeps its start order: journalled before they are answered. */
import { fault, Reason } from "../../fault.ts";
import { FactKind } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { FactSink, InstanceLife } from "../instance-life.ts";
import type { InstanceRecord } from "../instance-record.ts";
import { notThatGeneration, witnessCopyFrom } from "./generations.ts";

/** See the top of the file. */
export interface GenerationOrders {
  /**
   * Ends an instance of a lower generation than the one that is named, because that one runs elsewhere; resolves when it has
   * ended. Idempotent; `undefined` for an unknown instance.
   */
  fence(id: string, byGeneration: bigint, requestId: string): Promise<InstanceRecord | undefined>;
  /** Records which node is an instance's witness from now on, and answers what that one is to keep. Throws `GENERATION_SUPERSEDED` and `INSTANCE_NOT_RUNNING`. */
  changeWitness(
    change: { readonly instanceId: string; readonly generation: bigint; readonly witnessNodeId: string },
    requestId: string,
  ): WitnessCopy;
  /** Gives a live instance a higher generation without touching its guest. Idempotent. Throws `GENERATION_SUPERSEDED`, `INSTANCE_NOT_RUNNING`, or `INVALID_REQUEST` for one that is not higher. */
  adoptGeneration(
    adoption: { readonly instanceId: string; readonly fromGeneration: bigint; readonly generation: bigint },
    requestId: string,
  ): InstanceRecord;
}

/** What the orders need. */
export type GenerationOrdersDeps = {
  readonly facts: FactSink;
  /** Journals what `next` makes of a live record; throws if there is none, or what `next` throws, and changes nothing then. */
  readonly change: (id: string, action: string, next: (record: InstanceRecord) => InstanceRecord) => InstanceLife;
  readonly find: (id: string) => InstanceLife | undefined;
  /** Ends a life because a higher generation was placed. */
  readonly end: (life: InstanceLife, requestId: string) => Promise<void>;
};

/** The orders on the instances of a supervisor. */
export function createGenerationOrders({ facts, change, find, end }: GenerationOrdersDeps): GenerationOrders {
  return {
    async fence(id, byGeneration, requestId) {
      const life = find(id);
      if (life === undefined) return undefined;
      if (life.record.generation < byGeneration) await end(life, requestId);
      return life.record;
    },
    changeWitness({ instanceId, generation, witnessNodeId }, requestId) {
      const life = change(instanceId, "change the witness of", (record) => {
        if (record.generation !== generation) throw notThatGeneration(record, generation);
        return { ...record, witnessNodeId };
      });
      facts.instance(FactKind.WITNESS_CHANGED, life.record, `Witness is node "${witnessNodeId}" now`, requestId);
      return witnessCopyFrom(life.record);
    },
    adoptGeneration({ instanceId, fromGeneration, generation }, requestId) {
      if (generation <= fromGeneration) {
        throw fault(
          Reason.INVALID_REQUEST,
          `Cannot give instance "${instanceId}" generation ${generation}: it is not above ${fromGeneration}`,
          { subject: "generation" },
        );
      }
      const before = find(instanceId)?.record.generation;
      const life = change(instanceId, "change the generation of", (record) => {
        if (record.generation === generation) return record;
        if (record.generation !== fromGeneration) throw notThatGeneration(record, fromGeneration);
        return { ...record, generation };
      });
      const message = `Goes on as generation ${generation}: it could not be placed elsewhere`;
      if (before !== generation) facts.instance(FactKind.GENERATION_ADOPTED, life.record, message, requestId);
      return life.record;
    },
  };
}
