/** Runs the simulator: `npm run sim -- --seeds 1000`, `--seed S` to replay one with its trace, `--from S` to begin elsewhere. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { createJsonLog } from "../../src/log.ts";
import { planFromSeed } from "./seed-plan.ts";
import { shrink } from "./shrink.ts";
import { sweep, type SeedFailure } from "./sweep.ts";
import { runWorld } from "./world.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string" },
    from: { type: "string" },
    workers: { type: "string" },
    /** With --seed: what the processes log, too, and nothing is shrunk. */
    log: { type: "boolean" },
  },
});

process.exitCode = values.seed === undefined ? await many() : await one(Number(values.seed));

async function many(): Promise<number> {
  const count = Number(values.seeds ?? 1_000);
  const beganMs = performance.now();
  let lastMs = beganMs;
  const { steps, failures, started, excused, cpuMs } = await sweep({
    from: Number(values.from ?? 1),
    count,
    workers: Number(values.workers ?? availableParallelism()),
    onFailure: (failure) => console.log(textOf(failure)),
    onProgress(done) {
      if (performance.now() - lastMs < 10_000) return;
      lastMs = performance.now();
      console.log(`${done} of ${count} seeds`);
    },
  });
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  console.log(
    `${count} seeds, ${steps} events, ${started} instances (${excused} with weaker checks), ${failures.length} failed; ${seconds(performance.now() - beganMs)} s, ${seconds(cpuMs)} s of CPU`,
  );
  return failures.length === 0 ? 0 : 1;
}

async function one(seed: number): Promise<number> {
  const plan = planFromSeed(seed);
  if (values.log === true) {
    const log = createJsonLog({ level: "debug", write: (line) => console.log(`      ${line}`) });
    const { violation, trace } = await runWorld(plan, { trace: true, log });
    for (const line of trace) console.log(line);
    return violation === undefined ? 0 : 1;
  }
  const first = await runWorld(plan, { trace: true });
  const { plan: least, outcome } = first.violation === undefined ? { plan, outcome: first } : await shrink(plan);
  console.log(JSON.stringify(least));
  for (const line of outcome.trace) console.log(line);
  if (first.violation === undefined) console.log(`seed ${seed}: nothing was violated`);
  else console.log(textOf({ seed, violation: first.violation }));
  return first.violation === undefined ? 0 : 1;
}

function textOf({ seed, violation }: SeedFailure): string {
  return `seed ${seed}: ${violation}\n  replay: npm run sim -- --seed ${seed}`;
}
