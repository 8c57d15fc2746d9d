/** One simulated run: hosts, faults, callers, and the checks that watch them. */
import type { Log } from "../../src/log.ts";
import { silentLog } from "../../src/log.ts";
import { createCallers, type Callers } from "./callers.ts";
import type { Fault, WorldSize } from "./fault-plan.ts";
import { createNetwork, type Fate, type Network } from "./network.ts";
import { createRandom, type Random } from "./random.ts";
import { createSafety, type Safety } from "./safety.ts";
import { createSimAgent, type SimAgent } from "./sim-agent.ts";
import { createSimControlPlane, type SimControlPlane } from "./sim-control-plane.ts";
import { createTimeline, type Timeline } from "./timeline.ts";
import { installVirtualGlobals, settlePromises } from "./virtual-globals.ts";

/** What a run is made of. */
export type RunPlan = {
  readonly seed: number;
  readonly size: WorldSize;
  readonly faults: readonly Fault[];
  /** Operations of callers while there is trouble. */
  readonly operations: number;
};

/** How a run ended. */
export type RunOutcome = {
  /** What was violated, in words; undefined if nothing. */
  readonly violation: string | undefined;
  readonly steps: number;
  /** All that happened, a line each; the same for the same plan. */
  readonly trace: readonly string[];
};

/** Virtual time of quiet at the end, after which views must equal the truth. */
const HEAL_MS = 40_000;
const START_MS = 1_700_000_000_000;

/** The parts that faults and checks reach into. */
export type World = {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly agents: readonly SimAgent[];
  readonly controlPlanes: readonly SimControlPlane[];
  readonly safety: Safety;
  readonly callers: Callers;
};

/** Runs a plan to its end, or to its first violation. The globals of this process are virtual meanwhile. */
export async function runWorld(plan: RunPlan): Promise<RunOutcome> {
  const random = createRandom(plan.seed, "world");
  const trace: string[] = [];
  const timeline = createTimeline(START_MS, settlePromises);
  const note = (line: string): void => void trace.push(`${(timeline.nowMs - START_MS).toFixed(1)} ${line}`);
  const restore = installVirtualGlobals(timeline, random.fork("globals"));
  const crashes: string[] = [];
  const onRejection = (reason: unknown): void => void crashes.push(`unhandled rejection: ${String(reason instanceof Error ? reason.stack : reason)}`);
  process.on("unhandledRejection", onRejection);
  try {
    const weather = createWeather(random.fork("weather"));
    const network = createNetwork(timeline, random.fork("network"), weather.fate, note);
    const log: Log = silentLog;
    const safety = createSafety({ timeline });
    const names = Array.from({ length: plan.size.controlPlanes }, (_, index) => `cp-${index}`);
    const controlPlanes = names.map((name) => createSimControlPlane({ name, timeline, network, random: random.fork(name), log }));
    const agents = Array.from({ length: plan.size.nodes }, (_, index) =>
      createSimAgent({
        nodeId: `node-${index}`,
        timeline,
        network,
        random: random.fork(`node-${index}`),
        log,
        controlPlanes: names.map((name) => `http://${name}`),
        instancesMax: 6,
        onRecord: safety.noteRecord,
        onStarted: safety.noteStarted,
      }),
    );
    const callers = createCallers({ timeline, network, random: random.fork("callers"), controlPlanes: names, safety, note });
    const world: World = { timeline, network, random, agents, controlPlanes, safety, callers };
    for (const controlPlane of controlPlanes) controlPlane.boot();
    for (const agent of agents) agent.boot();
    for (const fault of plan.faults) timeline.after(fault.atMs, () => apply(world, weather, fault, note));
    callers.begin(plan.operations, plan.size.troubleMs);

    const run = async (untilMs: number): Promise<string | undefined> => {
      while (await timeline.step(untilMs)) {
        const violation = crashes[0] ?? safety.violation(world);
        if (violation !== undefined) return violation;
      }
      return undefined;
    };
    let violation = await run(START_MS + plan.size.troubleMs + LONGEST_FAULT_MS);
    if (violation === undefined) {
      weather.clear();
      note("healed");
      violation = await run(timeline.nowMs + HEAL_MS);
    }
    if (violation === undefined) violation = await callers.finalCheck(world, run);
    if (violation !== undefined) note(`VIOLATION ${violation}`);
    return { violation, steps: timeline.steps, trace };
  } finally {
    process.off("unhandledRejection", onRejection);
    restore();
  }
}

/** By then every fault of a plan has ended by itself. */
const LONGEST_FAULT_MS = 21_000;

type Weather = {
  fate(from: string, to: string): Fate;
  /** The function returned ends it. */
  block(blocks: (from: string, to: string) => boolean): () => void;
  storm: { lost: number; cut: number; again: number; slowMs: number };
  clear(): void;
};

function createWeather(random: Random): Weather {
  const blocks = new Set<(from: string, to: string) => boolean>();
  const calm = { lost: 0, cut: 0, again: 0, slowMs: 0 };
  const weather: Weather = {
    storm: calm,
    fate(from, to) {
      const delayMs = 0.5 + random.fraction() * 10 + (random.chance(0.2) ? random.fraction() * weather.storm.slowMs : 0);
      for (const isBlocked of blocks) if (isBlocked(from, to)) return { kind: "lost" };
      if (random.chance(weather.storm.lost)) return { kind: "lost" };
      if (random.chance(weather.storm.cut)) return { kind: "cut", delayMs, share: random.fraction() };
      return random.chance(weather.storm.again) ? { kind: "arrives", delayMs, again: random.whole(1, 5_000) } : { kind: "arrives", delayMs };
    },
    block(isBlocked) {
      blocks.add(isBlocked);
      return () => void blocks.delete(isBlocked);
    },
    clear() {
      blocks.clear();
      weather.storm = calm;
    },
  };
  return weather;
}

function apply(world: World, weather: Weather, fault: Fault, note: (line: string) => void): void {
  const { timeline, agents, controlPlanes } = world;
  note(`FAULT ${JSON.stringify(fault)}`);
  switch (fault.kind) {
    case "crash-agent": {
      const agent = agents[fault.node];
      if (agent?.running === undefined) return;
      agent.kill();
      if (fault.disk === "power-cut") agent.disk.losePower();
      if (fault.disk === "wiped") agent.disk.wipe();
      if (fault.disk === "stale") agent.disk.restoreBackup();
      world.safety.noteDisk(agent.nodeId, fault.disk);
      timeline.after(fault.downMs, () => void (agent.running ?? agent.boot()));
      return;
    }
    case "pause-agent": {
      const process = agents[fault.node]?.running?.process;
      process?.pause();
      timeline.after(fault.forMs, () => process?.resume());
      return;
    }
    case "crash-control-plane": {
      const controlPlane = controlPlanes[fault.index];
      controlPlane?.kill();
      timeline.after(fault.downMs, () => void (controlPlane?.process ?? controlPlane?.boot()));
      return;
    }
    case "pause-control-plane": {
      const process = controlPlanes[fault.index]?.process;
      process?.pause();
      timeline.after(fault.forMs, () => process?.resume());
      return;
    }
    case "one-way":
      timeline.after(
        fault.forMs,
        weather.block((from, to) => (fault.from === "*" || from === fault.from) && to === fault.to),
      );
      return;
    case "partition":
      timeline.after(
        fault.forMs,
        weather.block((from, to) => (from === fault.host) !== (to === fault.host)),
      );
      return;
    case "bad-weather":
      weather.storm = fault;
      timeline.after(fault.forMs, () => {
        if (weather.storm === fault) weather.storm = { lost: 0, cut: 0, again: 0, slowMs: 0 };
      });
      return;
    case "clock-jump": {
      const host = [...agents.map(({ nodeId, skew }) => ({ name: nodeId, skew })), ...controlPlanes].find(({ name }) => name === fault.host);
      if (host !== undefined) host.skew.offsetMs += fault.byMs;
      return;
    }
    case "back-up":
      agents[fault.node]?.disk.backUp();
  }
}
