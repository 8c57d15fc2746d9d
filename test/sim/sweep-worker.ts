/** Runs the seeds that it is sent, one after the other, with the planted bug that it was started with, if any. */
import { createHash } from "node:crypto";
import { enableCompileCache } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { plantBug } from "./plant-bug.ts";
import type { SeedDone, SweepWork } from "./sweep.ts";

const { bug, withTraces }: SweepWork = workerData;
if (bug === undefined) enableCompileCache();
else plantBug(bug);

// Errors are many and nobody reads their stacks here; `--seed` has them.
Error.stackTraceLimit = 0;

// Loaded only now, so that a planted bug is in what they load.
const { planFromSeed } = await import("./seed-plan.ts");
const { runWorld } = await import("./world.ts");

const run = async (seed: number): Promise<SeedDone> => {
  const { violation, steps, started, excused, trace } = await runWorld(planFromSeed(seed), { trace: withTraces });
  const { user, system } = process.threadCpuUsage();
  return {
    seed,
    violation,
    trace: withTraces ? createHash("sha256").update(trace.join("\n")).digest("hex") : undefined,
    steps,
    started,
    excused,
    cpuMs: (user + system) / 1_000,
  };
};

const answer = async (seed: number): Promise<void> => {
  parentPort?.postMessage(await run(seed));
};

parentPort?.on("message", (seed: number) => {
  void answer(seed);
});
