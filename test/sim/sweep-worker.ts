/** Runs the seeds that it is sent, one after the other, with the planted bug that it was started with, if any. */
import { enableCompileCache } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { plantBug } from "./plant-bug.ts";
import type { SeedDone, SweepWork } from "./sweep.ts";

const { bug }: SweepWork = workerData;
if (bug === undefined) enableCompileCache();
else plantBug(bug);

// Errors are many and nobody reads their stacks here; `--seed` has them.
Error.stackTraceLimit = 0;

// Loaded only now, so that a planted bug is in what they load.
const { planFromSeed } = await import("./seed-plan.ts");
const { runWorld } = await import("./world.ts");

parentPort?.on("message", (seed: number) => {
  void runWorld(planFromSeed(seed), { trace: false }).then(({ violation, steps, started, excused }) => {
    const { user, system } = process.threadCpuUsage();
    parentPort?.postMessage({ seed, violation, steps, started, excused, cpuMs: (user + system) / 1_000 } satisfies SeedDone);
  });
});
