/** The plan that a seed stands for. */
import { drawFaults, type Fault, type WorldSize } from "./fault-plan.ts";
import { createRandom } from "./random.ts";

/** What a run is made of. */
export type RunPlan = {
  readonly seed: number;
  readonly size: WorldSize;
  /** How control planes and agents find each other. */
  readonly discovery: "push" | "static" | "etcd" | "push-and-static";
  /** Nodes whose agents are of protocol version 1, by index. */
  readonly oldNodes: readonly number[];
  /** Control planes that do not know of NodeFleetService, by index. */
  readonly oldControlPlanes: readonly number[];
  /** Nodes that join later, by index. */
  readonly lateNodes: readonly number[];
  /** Operations of callers while there is trouble. */
  readonly operations: number;
  readonly faults: readonly Fault[];
  /** Whether a control plane comes up empty at the end, and has to be whole within one report interval. */
  readonly endsWithColdStart: boolean;
};

/** Draws it: the same plan for the same seed, for ever. */
export function planFromSeed(seed: number): RunPlan {
  const random = createRandom(seed, "plan");
  const size: WorldSize = {
    nodes: random.pick([1, 2, 3, 3, 4, 5]),
    controlPlanes: random.pick([1, 2, 2, 3]),
    troubleMs: random.pick([6_000, 10_000, 16_000]),
  };
  const isMixed = random.chance(0.15);
  // What is old reports by itself, and is reported to.
  const discovery = isMixed
    ? random.pick(["push", "push-and-static"] as const)
    : random.pick(["push", "push", "static", "etcd", "push-and-static"] as const);
  const some = (of: number, share: number): readonly number[] => indexes(of).filter(() => random.chance(share));
  return {
    seed,
    size,
    discovery,
    oldNodes: isMixed ? some(size.nodes, 0.4) : [],
    oldControlPlanes: isMixed ? some(size.controlPlanes, 0.3) : [],
    lateNodes: random.chance(0.2) ? some(size.nodes - 1, 0.4) : [],
    operations: random.whole(6, 16),
    faults: drawFaults(random.fork("faults"), size, discovery === "etcd"),
    endsWithColdStart: random.chance(0.3),
  };
}

function indexes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
