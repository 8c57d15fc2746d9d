/**
 * Carries out what `generation-plan.ts` finds to do: after each report, and every interval. Several control planes may do so at
 * once; the witness decides between them. This is the only layer that retries these steps: by looking again.
 */
import type { Clock, Entropy } from "../../clock.ts";
import { isFault, reasonName } from "../../fault.ts";
import type { Log } from "../../log.ts";
import type { SilencePolicy } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import { watchContinuity } from "./continuity.ts";
import { watchConcerns } from "./concerns.ts";
import { isConcerned } from "./fleet-picture.ts";
import type { GenerationActions } from "./generation-actions.ts";
import { planGenerations, type GenerationStep } from "./generation-plan.ts";
import { watchStandings } from "./node-standings.ts";

/** What keeping needs. */
export type GenerationKeeperDeps = {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly silence: SilencePolicy;
  readonly log: Log;
  readonly actions: Pick<GenerationActions, "carryOut">;
  /** Whether nothing is to be done about an instance now. Default: never. */
  readonly isOnHold?: (instanceId: string) => boolean;
};

/** See the top of the file. */
export interface GenerationKeeper {
  /** May be called twice. */
  close(): void;
}

/** How often it looks without being told: silence makes no report. */
const LOOK_MS = 1_000;
/** Reports within this time are one look. */
const GATHER_MS = 50;
/** An order that another control plane may be giving at this moment is left to it for so long. */
const PATIENCE_MS = 4_000;
const NEEDS_PATIENCE: ReadonlySet<GenerationStep["kind"]> = new Set(["start", "keep-here", "replace-witness"]);
/** A step that failed is left alone for so long, doubling up to the longest. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 10_000;
/** Steps that are carried out at once: a node may have been lost with thousands of instances. */
const STEPS_AT_ONCE = 64;

/** A step that is called for: since when, how often it failed, and when it may be tried (again). */
type Waiting = { readonly sinceMs: number; failures: number; notBeforeMs: number; isUnderWay: boolean };

/** Begins to keep. */
export function keepGenerations(deps: GenerationKeeperDeps): GenerationKeeper {
  const { fleet, clock, entropy, silence, log } = deps;
  const continuity = watchContinuity(clock);
  const concerns = watchConcerns(fleet);
  const standings = watchStandings({ fleet, silence });
  /** What is called for now, by instance; instances of which nothing is wanted are left out. */
  const plans = new Map<string, readonly GenerationStep[]>();
  /** By the keys of steps. */
  const waiting = new Map<string, Waiting>();
  let cancelTimer = (): void => {};
  let isClosed = false;
  let isSoon = false;
  let underWay = 0;
  /** A step had to wait for others: look again as soon as one is done. */
  let isFull = false;

  const look = (): void => {
    if (isClosed) return;
    isSoon = false;
    isFull = false;
    const steadyMs = clock.steadyMs();
    const moment = { steadyMs, unbrokenMs: continuity.unbrokenMs() };
    for (const nodeId of standings.look(moment)) concerns.touchNode(nodeId);
    planAnew();
    // A node that nobody here has heard of counts as gone; who has just come up has heard of nobody.
    const isNew = moment.unbrokenMs <= silence.lostAfterMs;
    const steps = [...plans.values()]
      .flat()
      .filter((step) => !(isNew && concernsStranger(step)) && deps.isOnHold?.(step.instanceId) !== true);
    const called = new Set(steps.map(keyOf));
    for (const [key, entry] of waiting) if (!called.has(key) && !entry.isUnderWay) waiting.delete(key);
    for (const step of steps) consider(step, steadyMs);
    cancelTimer();
    cancelTimer = clock.after(LOOK_MS * (0.75 + entropy.fraction() / 2), look);
  };

  /** Only what has changed is planned anew: of a million instances a report is about a few. */
  const planAnew = (): void => {
    for (const instanceId of concerns.takeTouched()) {
      const picture = concerns.pictureOf(instanceId);
      const steps = isConcerned(picture) ? planGenerations(picture, standings.nodes) : [];
      if (steps.length > 0) plans.set(instanceId, steps);
      else plans.delete(instanceId);
    }
  };

  const consider = (step: GenerationStep, steadyMs: number): void => {
    const key = keyOf(step);
    const patienceMs = NEEDS_PATIENCE.has(step.kind) ? PATIENCE_MS : 0;
    const entry = waiting.get(key) ?? {
      sinceMs: steadyMs,
      failures: 0,
      notBeforeMs: steadyMs + patienceMs,
      isUnderWay: false,
    };
    waiting.set(key, entry);
    if (entry.isUnderWay || steadyMs < entry.notBeforeMs) return;
    isFull ||= underWay >= STEPS_AT_ONCE;
    if (!isFull) void attempt(step, entry);
  };

  const attempt = async (step: GenerationStep, entry: Waiting): Promise<void> => {
    underWay += 1;
    entry.isUnderWay = true;
    try {
      await deps.actions.carryOut(step);
      // The next report shows what came of it; until then the step may still be called for.
      entry.notBeforeMs = clock.steadyMs() + BACKOFF_FIRST_MS;
    } catch (error) {
      entry.failures += 1;
      entry.notBeforeMs = clock.steadyMs() + Math.min(BACKOFF_FIRST_MS * 2 ** (entry.failures - 1), BACKOFF_MAX_MS);
      const why = isFault(error) ? `${reasonName(error.reason)} ${error.message}` : String(error);
      log[entry.failures === 1 ? "warn" : "debug"](`could not ${step.kind}`, { instance: step.instanceId, why });
    } finally {
      entry.isUnderWay = false;
      underWay -= 1;
      if (isFull) lookSoon();
    }
  };

  const lookSoon = (): void => {
    if (isSoon || isClosed) return;
    isSoon = true;
    cancelTimer();
    cancelTimer = clock.after(GATHER_MS, look);
  };
  const unlisten = fleet.onChange(lookSoon);
  cancelTimer = clock.after(LOOK_MS, look);

  return {
    close() {
      isClosed = true;
      cancelTimer();
      unlisten();
      concerns.close();
      standings.close();
      continuity.close();
    },
  };

  /** Whether the step follows from the silence of a node that was never heard here. */
  function concernsStranger(step: GenerationStep): boolean {
    if (step.kind === "replace-witness")
      return step.formerWitnessNodeId !== "" && fleet.node(step.formerWitnessNodeId) === undefined;
    return step.kind === "place-anew" || (step.kind === "keep-here" && step.witnessNodeId === "");
  }
}

function keyOf(step: GenerationStep): string {
  return Object.values(step).map(String).join("/");
}
