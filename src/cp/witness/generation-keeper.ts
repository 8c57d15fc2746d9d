/**
 * Carries out what `generation-plan.ts` finds to do: after each report, and every interval. Several control planes may do so at
 * once; the witness decides between them. This is the only layer that retries these steps: by looking again.
 */
import type { CallOptions } from "@connectrpc/connect";
import type { Clock, Entropy } from "../../clock.ts";
import { isFault, reasonName } from "../../fault.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { Log } from "../../log.ts";
import type { SilencePolicy } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import type { NodeAgents } from "../node-agents.ts";
import type { StartOutcome } from "../start/start-order.ts";
import { watchContinuity } from "./continuity.ts";
import { pictureOf, standingOf, type NodeStanding } from "./fleet-picture.ts";
import { planGenerations, type GenerationStep } from "./generation-plan.ts";

/** What keeping needs. */
export type GenerationKeeperDeps = {
  readonly fleet: Fleet;
  readonly agents: NodeAgents;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly silence: SilencePolicy;
  readonly log: Log;
  /** The nodes that fit the order of a copy, best first, without these. Throws if none does. */
  readonly candidates: (copy: WitnessCopy, without: readonly string[]) => readonly string[];
  /** Gives the start order of a copy to its node. */
  readonly start: (copy: WitnessCopy, witnessNodeId: string, call: CallOptions) => Promise<StartOutcome>;
  /** For one order. */
  readonly orderTimeoutMs: number;
};

/** See the top of the file. */
export interface GenerationKeeper {
  /** May be called twice. */
  close(): void;
}

/** Nodes that are tried for one generation before the next look. */
const CANDIDATES_MAX = 4;
/** How often it looks without being told: silence makes no report. */
const LOOK_MS = 1_000;
/** Reports within this time are one look. */
const GATHER_MS = 50;
/** An order that another control plane may be giving at this moment is left to it for so long. */
const PATIENCE_MS = 4_000;
/** A step that failed is left alone for so long, doubling up to the longest. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;

/** Begins to keep. */
export function keepGenerations(deps: GenerationKeeperDeps): GenerationKeeper {
  const { fleet, agents, clock, entropy, silence, log } = deps;
  const continuity = watchContinuity(clock);
  /** Steps by their key: since when they are called for, and when they may be tried (again). */
  const waiting = new Map<string, { readonly sinceMs: number; failures: number; notBeforeMs: number; isUnderWay: boolean }>();
  let cancelTimer = (): void => {};
  let isClosed = false;
  let isSoon = false;

  const look = (): void => {
    if (isClosed) return;
    isSoon = false;
    const steadyMs = clock.steadyMs();
    const moment = { steadyMs, unbrokenMs: continuity.unbrokenMs() };
    const standing = new Map<string, NodeStanding>();
    for (const node of fleet.nodes()) standing.set(node.nodeId, standingOf(node, moment, silence));
    // A node that nobody here has heard of counts as gone; who has just come up has heard of nobody.
    const isNew = moment.unbrokenMs <= silence.lostAfterMs;
    const steps = planGenerations(pictureOf(fleet.nodes(), fleet.doubledIds(), standing)).filter(
      (step) => !(isNew && concernsStranger(step, standing)),
    );
    const called = new Set(steps.map(keyOf));
    for (const [key, entry] of waiting) if (!called.has(key) && !entry.isUnderWay) waiting.delete(key);
    for (const step of steps) consider(step, steadyMs);
    cancelTimer();
    cancelTimer = clock.after(LOOK_MS * (0.75 + entropy.fraction() / 2), look);
  };

  const consider = (step: GenerationStep, steadyMs: number): void => {
    const key = keyOf(step);
    const patienceMs = step.kind === "start" || step.kind === "replace-witness" ? PATIENCE_MS : 0;
    const entry = waiting.get(key) ?? { sinceMs: steadyMs, failures: 0, notBeforeMs: steadyMs + patienceMs, isUnderWay: false };
    waiting.set(key, entry);
    if (entry.isUnderWay || steadyMs < entry.notBeforeMs) return;
    entry.isUnderWay = true;
    void carryOut(step)
      .then(
        () => {
          // The next report shows what came of it; until then the step may still be called for.
          entry.notBeforeMs = clock.steadyMs() + BACKOFF_FIRST_MS;
        },
        (error: unknown) => {
          entry.failures += 1;
          entry.notBeforeMs = clock.steadyMs() + Math.min(BACKOFF_FIRST_MS * 2 ** (entry.failures - 1), BACKOFF_MAX_MS);
          const why = isFault(error) ? `${reasonName(error.reason)} ${error.message}` : String(error);
          log[entry.failures === 1 ? "warn" : "debug"](`could not ${step.kind}`, { instance: step.instanceId, why });
        },
      )
      .finally(() => (entry.isUnderWay = false));
  };

  const carryOut = async (step: GenerationStep): Promise<void> => {
    const { instanceId } = step;
    const call = { timeoutMs: deps.orderTimeoutMs };
    const doing = `Cannot keep generations of instance "${instanceId}"`;
    switch (step.kind) {
      case "place-anew":
        return placeAnew(step, call);
      case "start": {
        const copy = await readCopy(step.witnessNodeId, instanceId);
        if (copy.stopped || copy.generation !== step.generation || copy.nodeId !== step.nodeId) return;
        const outcome = await deps.start(copy, step.witnessNodeId, call);
        if (outcome.kind === "passed-over") return placeAnew(step, call);
        return;
      }
      case "fence":
        log.warn("instance of an older generation is ended", { instance: instanceId, node: step.nodeId });
        await agents.fleetOrder(step.nodeId, doing, (agent) =>
          agent.fenceInstance({ instanceId, supersededByGeneration: step.byGeneration }, call),
        );
        return;
      case "stop":
        log.warn("instance that was stopped while its node was away is ended", { instance: instanceId, node: step.nodeId });
        await agents.order(step.nodeId, doing, (agent) =>
          agent.stopInstance({ instanceId, grace: { seconds: 0n, nanos: 0 } }, call),
        );
        return;
      case "drop":
        await agents.fleetOrder(step.witnessNodeId, doing, (agent) =>
          agent.dropWitness({ instanceId, generation: step.generation, instanceEnded: step.instanceEnded }, call),
        );
        return;
      case "replace-witness":
        return replaceWitness(step, call);
    }
  };

  const readCopy = async (witnessNodeId: string, instanceId: string): Promise<WitnessCopy> => {
    const { copy } = await agents.fleetOrder(witnessNodeId, `Cannot read the order of instance "${instanceId}"`, (agent) =>
      agent.readWitness({ instanceId }, { timeoutMs: deps.orderTimeoutMs }),
    );
    if (copy === undefined) throw new Error("a witness answered without a copy");
    return copy;
  };

  /** Claims the next generation for the best node, and starts it there; a node that refuses costs a generation. */
  const placeAnew = async (
    step: { readonly instanceId: string; readonly witnessNodeId: string; readonly generation: bigint },
    call: CallOptions,
  ): Promise<void> => {
    const { instanceId, witnessNodeId } = step;
    let copy = await readCopy(witnessNodeId, instanceId);
    if (copy.stopped || copy.generation !== step.generation) return;
    const tried = [copy.nodeId];
    for (let tries = 0; tries < CANDIDATES_MAX; tries++) {
      const [nodeId] = preferOthers(deps.candidates(copy, tried), witnessNodeId);
      if (nodeId === undefined) return;
      const claim = { instanceId, expectedGeneration: copy.generation, nodeId };
      const claimed = await agents.fleetOrder(witnessNodeId, `Cannot place instance "${instanceId}" anew`, (agent) =>
        agent.claimGeneration(claim, call),
      );
      if (claimed.copy === undefined) return;
      copy = claimed.copy;
      log.info("instance is placed anew", { instance: instanceId, node: nodeId, generation: String(copy.generation) });
      const outcome = await deps.start(copy, witnessNodeId, call);
      if (outcome.kind !== "passed-over") return;
      tried.push(nodeId);
    }
  };

  const replaceWitness = async (
    step: Extract<GenerationStep, { kind: "replace-witness" }>,
    call: CallOptions,
  ): Promise<void> => {
    const { instanceId, nodeId, generation } = step;
    const [witnessNodeId] = [...fleet.nodes()]
      .filter((node) => node.nodeId !== nodeId && standingOf(node, { steadyMs: clock.steadyMs(), unbrokenMs: 0 }, silence) === "heard")
      .map((node) => node.nodeId)
      .toSorted((a, b) => Number(b === step.formerWitnessNodeId) - Number(a === step.formerWitnessNodeId) || (a < b ? -1 : 1));
    if (witnessNodeId === undefined) return;
    const doing = `Cannot give instance "${instanceId}" another witness`;
    const { copy } = await agents.fleetOrder(nodeId, doing, (agent) =>
      agent.changeWitness({ instanceId, generation, witnessNodeId }, call),
    );
    if (copy === undefined) return;
    await agents.fleetOrder(witnessNodeId, doing, (agent) => agent.keepWitness({ copy }, call));
    log.info("instance has another witness", { instance: instanceId, witness: witnessNodeId });
  };

  const unlisten = fleet.onChange(() => {
    if (isSoon) return;
    isSoon = true;
    cancelTimer();
    cancelTimer = clock.after(GATHER_MS, look);
  });
  cancelTimer = clock.after(LOOK_MS, look);

  return {
    close() {
      isClosed = true;
      cancelTimer();
      unlisten();
      continuity.close();
    },
  };
}

/** Whether the step follows from the silence of a node that was never heard here. */
function concernsStranger(step: GenerationStep, standing: ReadonlyMap<string, NodeStanding>): boolean {
  if (step.kind === "replace-witness") return step.formerWitnessNodeId !== "" && !standing.has(step.formerWitnessNodeId);
  return step.kind === "place-anew";
}

/** The witness itself only if there is nobody else: it and the instance would be lost together. */
function preferOthers(candidates: readonly string[], witnessNodeId: string): readonly string[] {
  const others = candidates.filter((nodeId) => nodeId !== witnessNodeId);
  return others.length > 0 ? others : candidates;
}

function keyOf(step: GenerationStep): string {
  return Object.values(step).map(String).join("/");
}
