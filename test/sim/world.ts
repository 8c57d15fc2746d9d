/** One simulated run: hosts, faults, callers, and the checks that watch them. */
import { silentLog, type Log } from "../../src/log.ts";
import { applyFault } from "./apply-fault.ts";
import { createCallers, type Callers } from "./callers.ts";
import { watchAnswers } from "./checks/answers.ts";
import { watchPromises } from "./checks/promises.ts";
import { watchReports } from "./checks/reports.ts";
import { watchRuns, type Runs } from "./checks/runs.ts";
import { watchTraffic } from "./checks/traffic.ts";
import { faultsEndMs } from "./fault-plan.ts";
import { createHistory, joinWatchers, noteAll, type History } from "./history.ts";
import { differenceFromTruth, hasRoom, unmetOf, viewsWithinMs, type Unmet } from "./liveness.ts";
import { createNetwork } from "./network.ts";
import { createRandom } from "./random.ts";
import type { RunPlan } from "./seed-plan.ts";
import { createSimAgent, type SimAgent } from "./sim-agent.ts";
import { createSimControlPlane, type SimControlPlane } from "./sim-control-plane.ts";
import { createSimEtcd, type SimEtcd } from "./sim-etcd.ts";
import { createTimeline, type Timeline } from "./timeline.ts";
import { installVirtualGlobals, settlePromises } from "./virtual-globals.ts";
import { createWeather, type Weather } from "./weather.ts";

/** How a run ended. */
export type RunOutcome = {
  /** What was violated, in words; undefined if nothing. */
  readonly violation: string | undefined;
  readonly steps: number;
  /** Starts that were acknowledged, and how many of those could not be sure of their homes: checks are weaker for them. */
  readonly started: number;
  readonly excused: number;
  /** All that happened, a line each, if it was asked for; the same for the same plan. */
  readonly trace: readonly string[];
};

/** The parts that faults and checks reach into. */
export type World = {
  readonly plan: RunPlan;
  readonly timeline: Timeline;
  readonly weather: Weather;
  readonly etcd: SimEtcd;
  readonly agents: readonly SimAgent[];
  readonly controlPlanes: readonly SimControlPlane[];
  /** Nodes that never come back. */
  readonly gone: Set<string>;
  readonly history: History;
  readonly note: (line: string) => void;
};

/** Virtual time begins here. */
const START_MS = 1_700_000_000_000;
/** More events than any run has that gets anywhere. */
const STEPS_MAX = 100_000;
/** How often views are compared with the truth. */
const LOOK_MS = 1_200;
/** One report interval, by clocks that drift, and time to travel. */
const COLD_START_MS = 5_000 * 1.02 + 500;
const INSTANCES_MAX = 6;

/** Runs a plan to its end, or to its first violation. The globals of this process are virtual meanwhile. */
export async function runWorld(
  plan: RunPlan,
  options: { readonly trace: boolean; readonly log?: Log },
): Promise<RunOutcome> {
  const random = createRandom(plan.seed, "world");
  const trace: string[] = [];
  const timeline = createTimeline(START_MS, settlePromises);
  const note = (line: string): void => {
    if (options.trace) trace.push(`${(timeline.nowMs - START_MS).toFixed(1)} ${line}`);
  };
  const history = createHistory(note);
  const onRejection = (reason: unknown): void =>
    history.fail(`unhandled rejection: ${String(reason instanceof Error ? (reason.stack ?? reason.message) : reason)}`);
  const restore = installVirtualGlobals(timeline, random.fork("globals"));
  process.on("unhandledRejection", onRejection);
  try {
    const world = createWorld(plan, {
      timeline,
      random,
      history,
      note,
      log: options.log ?? silentLog,
      isTraced: options.trace,
    });
    await troubleAndHeal(world);
    if (history.failure !== undefined) note(`VIOLATION ${history.failure}`);
    const { started, excused } = history;
    return {
      violation: history.failure,
      steps: timeline.steps,
      started: started.size,
      excused: [...started].filter((id) => excused.has(id)).length,
      trace,
    };
  } finally {
    process.off("unhandledRejection", onRejection);
    restore();
  }
}

type WholeWorld = World & {
  readonly callers: Callers;
  readonly runs: Runs;
  readonly mend: () => void;
  readonly judgeReports: () => void;
};

function createWorld(
  plan: RunPlan,
  deps: {
    readonly timeline: Timeline;
    readonly random: ReturnType<typeof createRandom>;
    readonly history: History;
    readonly note: (line: string) => void;
    readonly log: Log;
    readonly isTraced: boolean;
  },
): WholeWorld {
  const { timeline, random, history, note, log } = deps;
  const weather = createWeather(random.fork("weather"));
  const runs = watchRuns({ history, timeline, instancesMax: () => INSTANCES_MAX });
  const answers = watchAnswers(history);
  const reports = watchReports(history);
  const watchers = [runs, answers, reports, watchPromises(history), watchTraffic(history, timeline)];
  const watcher = joinWatchers(deps.isTraced ? [noteAll(note), ...watchers] : watchers);
  const network = createNetwork({
    timeline,
    random: random.fork("network"),
    weather,
    note,
    watcher: {
      onSend: (from, to, path) => watcher.onSend(from.process.name, to, path),
      onArrival: (from, to) => void history.contacts.set(`${to.process.name} ${from}`, timeline.nowMs),
    },
  });
  const etcd = createSimEtcd({ timeline, weather, random: random.fork("etcd") });
  const nodeIds = Array.from({ length: plan.size.nodes }, (_, index) => `node-${index}`);
  const names = Array.from({ length: plan.size.controlPlanes }, (_, index) => `cp-${index}`);
  const pushes = plan.discovery === "push" || plan.discovery === "push-and-static";
  const lists = plan.discovery === "static" || plan.discovery === "push-and-static";
  const store = plan.discovery === "etcd" ? etcd : undefined;
  const controlPlanes = names.map((name, index) => {
    const isOld = plan.oldControlPlanes.includes(index);
    return createSimControlPlane({
      name,
      timeline,
      network,
      random: random.fork(name),
      log: log.with({ host: name }),
      staticAgents: lists && !isOld ? nodeIds.map((nodeId) => `http://${nodeId}`) : [],
      etcd: store,
      isOld,
      onReport: watcher.onReport,
      onReservationFailed: (id, why) => history.excuse(id, why),
      note: deps.isTraced ? note : undefined,
    });
  });
  const agents = nodeIds.map((nodeId, index) =>
    createSimAgent({
      nodeId,
      timeline,
      network,
      random: random.fork(nodeId),
      log: log.with({ host: nodeId }),
      controlPlanes: pushes ? names.map((name) => `http://${name}`) : [],
      etcd: store,
      instancesMax: INSTANCES_MAX,
      isOld: plan.oldNodes.includes(index),
      watcher,
    }),
  );
  const gone = new Set<string>();
  const joined = new Set<string>();
  const members = (): readonly string[] => [...joined].filter((nodeId) => !gone.has(nodeId));
  const callers = createCallers({
    timeline,
    network,
    random: random.fork("callers"),
    controlPlanes,
    history,
    answers,
    members,
    note,
  });
  const world = { plan, timeline, weather, etcd, agents, controlPlanes, gone, history, note };
  for (const controlPlane of controlPlanes) controlPlane.boot();
  agents.forEach((agent, index) => {
    timeline.after(plan.lateNodes.includes(index) ? random.whole(1_000, 8_000) : 0, () => {
      joined.add(agent.nodeId);
      if (!gone.has(agent.nodeId)) agent.boot();
    });
  });
  for (const fault of plan.faults) timeline.after(fault.atMs, () => applyFault(world, fault));
  callers.begin(plan.operations, plan.size.troubleMs);
  return { ...world, callers, runs, mend: network.mend, judgeReports: () => reports.judge(random.fork("reports")) };
}

async function troubleAndHeal(world: WholeWorld): Promise<void> {
  const { plan, timeline, weather, history, note, callers } = world;
  await run(world, START_MS + Math.max(plan.size.troubleMs, faultsEndMs(plan.faults)) + 100);
  weather.clear();
  world.mend();
  note("healed");
  const healedMs = timeline.nowMs;
  await runUntilMet(world, healedMs, () => unmetOf(world, callers, world.runs));
  for (const { name } of world.controlPlanes) {
    if (history.failure !== undefined || !world.agents.some(hasRoom)) break;
    const failed = await waitFor(world, callers.probe(name));
    if (failed !== undefined) history.fail(`${name} does not place a start that could be placed: ${failed}`);
  }
  if (plan.endsWithColdStart && history.failure === undefined) await coldStart(world);
  world.judgeReports();
  const stray = [...world.etcd.keysWritten].find(
    (key) => !/^\/wasmatrix\/(nodes\/node-\d|providers\/node-\d:kv)$/.test(key),
  );
  if (stray !== undefined) history.fail(`etcd was given the key ${stray}`);
}

/** A control plane that comes up empty is whole again within one report interval. */
async function coldStart(world: WholeWorld): Promise<void> {
  const { controlPlanes, timeline, callers, note } = world;
  const [controlPlane] = controlPlanes;
  if (controlPlane === undefined) return;
  note(`cold start of ${controlPlane.name}`);
  controlPlane.kill();
  controlPlane.boot();
  const withinMs =
    COLD_START_MS + viewsWithinMs(world) - viewsWithinMs({ ...world, plan: { ...world.plan, discovery: "push" } });
  await runUntilMet(world, timeline.nowMs, async () => {
    const instances = await callers.view(controlPlane.name);
    const what =
      instances === undefined
        ? `${controlPlane.name} does not list`
        : differenceFromTruth(world, controlPlane.name, instances);
    return what === undefined ? [] : [{ what: `after a cold start ${what}`, withinMs }];
  });
}

/** Goes on until nothing is unmet, now and a little later, or something has been so for too long. */
async function runUntilMet(world: WholeWorld, sinceMs: number, look: () => Promise<readonly Unmet[]>): Promise<void> {
  const { timeline, history } = world;
  for (let timesMet = 0; timesMet < 2 && history.failure === undefined;) {
    await run(world, timeline.nowMs + LOOK_MS);
    if (history.failure !== undefined) return;
    const unmet = (await waitFor(world, look())) ?? [];
    timesMet = unmet.length === 0 ? timesMet + 1 : 0;
    const late = unmet.find(({ withinMs }) => timeline.nowMs - sinceMs > withinMs);
    if (late !== undefined) history.fail(late.what);
  }
}

/** Lets time pass. */
async function run({ timeline, history }: World, untilMs: number): Promise<void> {
  while (history.failure === undefined && (await timeline.step(untilMs))) {
    if (timeline.steps > STEPS_MAX) history.fail(`no end after ${STEPS_MAX} events`);
  }
}

/** Lets time pass until a promise has settled. */
async function waitFor<T>(world: World, promise: Promise<T>): Promise<T | undefined> {
  const state: { isSettled: boolean; result: T | undefined } = { isSettled: false, result: undefined };
  const settle = async (): Promise<void> => {
    try {
      state.result = await promise;
      state.isSettled = true;
    } catch (error) {
      world.history.fail(`the simulator failed: ${String(error)}`);
    }
  };
  void settle();
  while (
    !state.isSettled &&
    world.history.failure === undefined &&
    (await world.timeline.step(Number.MAX_SAFE_INTEGER))
  );
  return state.result;
}
