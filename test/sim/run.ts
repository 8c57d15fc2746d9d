/** Runs the simulator: `npm run sim -- --seeds 1000`, `--seed S` to replay one with its trace. */
import { parseArgs } from "node:util";
import { drawFaults, type WorldSize } from "./fault-plan.ts";
import { createRandom } from "./random.ts";
import { runWorld, type RunOutcome, type RunPlan } from "./world.ts";

/** The plan that a seed stands for. */
export function planFromSeed(seed: number): RunPlan {
  const random = createRandom(seed, "plan");
  const size: WorldSize = {
    nodes: random.whole(1, 4),
    controlPlanes: random.whole(1, 3),
    troubleMs: random.pick([10_000, 30_000]),
  };
  return { seed, size, faults: drawFaults(random.fork("faults"), size), operations: random.whole(4, 16) };
}

/** Takes faults and operations away as long as the run still ends in a violation. */
export async function shrink(plan: RunPlan): Promise<{ readonly plan: RunPlan; readonly outcome: RunOutcome }> {
  let best = plan;
  let outcome = await runWorld(plan);
  for (let index = best.faults.length - 1; index >= 0; index--) {
    const smaller = { ...best, faults: best.faults.filter((_, at) => at !== index) };
    const tried = await runWorld(smaller);
    if (tried.violation !== undefined) [best, outcome] = [smaller, tried];
  }
  return { plan: best, outcome };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seeds: { type: "string" }, seed: { type: "string" }, from: { type: "string" }, trace: { type: "boolean" } } });
  const began = process.hrtime.bigint();
  const only = values.seed;
  const first = Number(only ?? values.from ?? 1);
  const count = only === undefined ? Number(values.seeds ?? 100) : 1;
  let steps = 0;
  let failures = 0;
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await runWorld(planFromSeed(seed));
    steps += outcome.steps;
    if (outcome.violation === undefined && only === undefined) continue;
    if (outcome.violation !== undefined) {
      failures += 1;
      console.log(`seed ${seed}: ${outcome.violation}\n  replay: npm run sim -- --seed ${seed}`);
    }
    if (only !== undefined) {
      const { plan, outcome: least } = outcome.violation === undefined ? { plan: planFromSeed(seed), outcome } : await shrink(planFromSeed(seed));
      console.log(JSON.stringify(plan));
      for (const line of least.trace) console.log(line);
    }
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(`${count} seeds, ${steps} steps, ${seconds.toFixed(1)} s, ${failures} failed`);
  process.exitCode = failures === 0 ? 0 : 1;
}
