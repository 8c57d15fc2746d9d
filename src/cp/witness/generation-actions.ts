/** What can be done about generations and witnesses, one order or a few at a time. Retries are the callers'. */
import type { CallOptions } from "@connectrpc/connect";
import type { Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { Log } from "../../log.ts";
import type { StartOutcome } from "../start/start-order.ts";
import type { GenerationStep } from "./generation-plan.ts";
import { keepCopy, type KeepCopyDeps } from "./keep-copy.ts";

/** What the actions need. */
export type GenerationActionsDeps = KeepCopyDeps & {
  readonly log: Log;
  /** The nodes that fit the order of a copy, best first, without these; none if none fits. */
  readonly candidates: (copy: WitnessCopy, without: readonly string[]) => readonly string[];
  /** Gives the start order of a copy to its node. */
  readonly start: (copy: WitnessCopy, witnessNodeId: string, call: CallOptions) => Promise<StartOutcome>;
  /** Nodes that may be a witness of an instance on this node, best first. */
  readonly witnesses: (nodeId: string) => readonly string[];
  /** For one order. */
  readonly orderTimeoutMs: number;
};

/** See the top of the file. All throw what the orders throw. */
export interface GenerationActions {
  /** Carries out a step of a plan, if it is still called for. */
  carryOut(step: GenerationStep): Promise<void>;
  /** The whole copy that a witness keeps. */
  readCopy(witnessNodeId: string, instanceId: string): Promise<WitnessCopy>;
  /** Moves the copy to its next generation, on another node; of several callers one succeeds. */
  claim(witnessNodeId: string, copy: WitnessCopy, nodeId: string): Promise<WitnessCopy>;
  /** Gives the start order of a copy to its node. */
  start(copy: WitnessCopy, witnessNodeId: string): Promise<StartOutcome>;
  /** Ends the instance on a node if its generation is below this one, and answers it as it is then. */
  fence(nodeId: string, instanceId: string, byGeneration: bigint): Promise<Instance | undefined>;
  /** Makes the generation that lives on a node the highest again. The witness's copy is as it was last read. */
  keepHere(
    witnessNodeId: string,
    copy: WitnessCopy,
    holder: { readonly nodeId: string; readonly generation: bigint },
  ): Promise<void>;
}

/** Nodes that are tried for one generation before the next look. */
const CANDIDATES_MAX = 4;

/** Makes the actions. */
export function createGenerationActions(deps: GenerationActionsDeps): GenerationActions {
  const { agents, log } = deps;
  const call: CallOptions = { timeoutMs: deps.orderTimeoutMs };

  const readCopy: GenerationActions["readCopy"] = async (witnessNodeId, instanceId) => {
    const doing = `Cannot read the order of instance "${instanceId}"`;
    const { copy } = await agents.fleetOrder(witnessNodeId, doing, (agent) => agent.readWitness({ instanceId }, call));
    if (copy === undefined) throw new Error("a witness answered without a copy");
    return copy;
  };

  const claim: GenerationActions["claim"] = async (witnessNodeId, { instanceId, generation }, nodeId) => {
    const order = { instanceId, expectedGeneration: generation, nodeId };
    const doing = `Cannot place instance "${instanceId}" anew`;
    const { copy } = await agents.fleetOrder(witnessNodeId, doing, (agent) => agent.claimGeneration(order, call));
    if (copy === undefined) throw new Error("a witness answered without a copy");
    return copy;
  };

  const fence: GenerationActions["fence"] = async (nodeId, instanceId, byGeneration) => {
    const order = { instanceId, supersededByGeneration: byGeneration };
    const doing = `Cannot end instance "${instanceId}"`;
    const { instance } = await agents.fleetOrder(nodeId, doing, (agent) => agent.fenceInstance(order, call));
    return instance;
  };

  const keepHere: GenerationActions["keepHere"] = async (witnessNodeId, copy, holder) => {
    const { instanceId } = copy;
    const { generation } = copy.nodeId === holder.nodeId ? copy : await claim(witnessNodeId, copy, holder.nodeId);
    const order = { instanceId, fromGeneration: holder.generation, generation };
    const doing = `Cannot let instance "${instanceId}" go on`;
    await agents.fleetOrder(holder.nodeId, doing, (agent) => agent.adoptGeneration(order, call));
    log.info("instance goes on where it is", { instance: instanceId, node: holder.nodeId });
  };

  /** Gives an instance another witness, and answers which and what it keeps; nothing if there is no other node. */
  const replaceWitness = async (step: {
    readonly instanceId: string;
    readonly nodeId: string;
    readonly generation: bigint;
    readonly formerWitnessNodeId: string;
  }): Promise<{ readonly witnessNodeId: string; readonly copy: WitnessCopy } | undefined> => {
    const { instanceId, nodeId, generation, formerWitnessNodeId } = step;
    const fitting = deps.witnesses(nodeId);
    // One that has lost its copy, and nothing else, is the witness again.
    const witnessNodeId = fitting.includes(formerWitnessNodeId) ? formerWitnessNodeId : fitting[0];
    if (witnessNodeId === undefined) return undefined;
    const doing = `Cannot give instance "${instanceId}" another witness`;
    const { copy } = await agents.fleetOrder(nodeId, doing, (agent) =>
      agent.changeWitness({ instanceId, generation, witnessNodeId }, call),
    );
    if (copy === undefined) throw new Error("a node answered without a copy");
    await keepCopy(deps, { witnessNodeId, copy }, call);
    log.info("instance has another witness", { instance: instanceId, witness: witnessNodeId });
    return { witnessNodeId, copy };
  };

  /** Claims the next generation for the best node, and starts it there; a node that refuses costs a generation. */
  const placeAnew = async (step: {
    readonly instanceId: string;
    readonly witnessNodeId: string;
    readonly generation: bigint;
  }): Promise<void> => {
    const { instanceId, witnessNodeId } = step;
    let copy = await readCopy(witnessNodeId, instanceId);
    if (copy.stopped || copy.generation !== step.generation) return;
    const tried = [copy.nodeId];
    for (let tries = 0; tries < CANDIDATES_MAX; tries++) {
      const nodeId = bestCandidate(deps.candidates(copy, tried), witnessNodeId);
      if (nodeId === undefined) return;
      copy = await claim(witnessNodeId, copy, nodeId);
      log.info("instance is placed anew", { instance: instanceId, node: nodeId, generation: String(copy.generation) });
      const outcome = await deps.start(copy, witnessNodeId, call);
      if (outcome.kind !== "passed-over") return;
      tried.push(nodeId);
    }
  };

  const carryOut: GenerationActions["carryOut"] = async (step) => {
    const { instanceId } = step;
    switch (step.kind) {
      case "place-anew":
        return placeAnew(step);
      case "start": {
        const copy = await readCopy(step.witnessNodeId, instanceId);
        if (copy.stopped || copy.generation !== step.generation || copy.nodeId !== step.nodeId) return;
        const outcome = await deps.start(copy, step.witnessNodeId, call);
        return outcome.kind === "passed-over" ? placeAnew(step) : undefined;
      }
      case "fence":
        log.warn("instance of an older generation is ended", { instance: instanceId, node: step.nodeId });
        return void (await fence(step.nodeId, instanceId, step.byGeneration));
      case "keep-here": {
        const renewed = { ...step, formerWitnessNodeId: "" };
        const witness =
          step.witnessNodeId === ""
            ? await replaceWitness(renewed)
            : { witnessNodeId: step.witnessNodeId, copy: await readCopy(step.witnessNodeId, instanceId) };
        if (witness === undefined || witness.copy.stopped) return;
        // Of a new witness a claim is made in any case: what the gone one gave lies below.
        const copy = step.witnessNodeId === "" ? { ...witness.copy, nodeId: "" } : witness.copy;
        return keepHere(witness.witnessNodeId, copy, step);
      }
      case "stop":
        log.warn("instance that was stopped while its node was away is ended", {
          instance: instanceId,
          node: step.nodeId,
        });
        return void (await agents.order(step.nodeId, `Cannot stop instance "${instanceId}"`, (agent) =>
          agent.stopInstance({ instanceId, grace: { seconds: 0n, nanos: 0 } }, call),
        ));
      case "drop": {
        const order = { instanceId, generation: step.generation, instanceEnded: step.instanceEnded };
        const doing = `Cannot drop the order of instance "${instanceId}"`;
        return void (await agents.fleetOrder(step.witnessNodeId, doing, (agent) => agent.dropWitness(order, call)));
      }
      case "replace-witness":
        return void (await replaceWitness(step));
    }
  };

  return {
    carryOut,
    readCopy,
    claim,
    fence,
    keepHere,
    start: (copy, witnessNodeId) => deps.start(copy, witnessNodeId, call),
  };
}

/** The first that is not the witness: it and the instance would be lost together. The witness itself only if there is nobody else. */
export function bestCandidate(candidates: readonly string[], witnessNodeId: string): string | undefined {
  return candidates.find((nodeId) => nodeId !== witnessNodeId) ?? candidates[0];
}
