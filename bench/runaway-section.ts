/** A guest that loops for good: how soon after its deadline it is ended, and what its neighbours notice. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchAgent } from "./bench-agent.ts";
import { median, msText, type BenchEffort, type BenchRow } from "./bench-row.ts";
import { runLoad, typical, typicalRatio, type LoadResult } from "./http-load.ts";
import { HELLO_FILE, HELLO_LIMITS } from "./http-section.ts";

const DEADLINE_MS = 1_000;

/** More than there are threads, so that some share the runaway's. */
const NEIGHBOURS = 8;

/** A light load: what is looked at is how long one waits, not how many there are. */
const LOAD = { connections: 4, pauseMs: 5 };

/** The neighbours' waiting times during each runaway, against those just before it. */
export async function runawayRows(agent: BenchAgent, effort: BenchEffort): Promise<readonly BenchRow[]> {
  const hello = await agent.push(readFileSync(HELLO_FILE));
  const file = join(import.meta.dirname, "..", "examples", "misbehave", "misbehave.wasm");
  const looping = await agent.push(readFileSync(file));
  const names = Array.from({ length: NEIGHBOURS }, (_, index) => `neighbour-${String(index)}`);
  for (const name of names) await agent.start({ name, moduleDigest: hello, limits: HELLO_LIMITS });
  const target = { url: agent.ingress, paths: names.map((name) => `/-/${name}/`), server: agent.process };
  await runLoad(target, { ...LOAD, durationMs: effort.loadMs });

  const lateMs: number[] = [];
  const before: LoadResult[] = [];
  const during: LoadResult[] = [];
  for (let round = 0; round < Math.max(3, effort.rounds); round++) {
    const name = `runaway-${String(round)}`;
    const limits = { memoryMaxBytes: 1n << 20n, callTimeoutMs: DEADLINE_MS };
    await agent.start({ name, moduleDigest: looping, limits });
    before.push(await runLoad(target, { ...LOAD, durationMs: DEADLINE_MS }));
    const [late, load] = await Promise.all([
      lateness(`${agent.ingress}/-/${name}/loop`),
      runLoad(target, { ...LOAD, durationMs: DEADLINE_MS }),
    ]);
    lateMs.push(late);
    during.push(load);
  }
  const [calm, disturbed] = [typical(before), typical(during)];
  const ratio = typicalRatio(during, before, (ours, theirs) => ours.p99Ms / theirs.p99Ms);
  return [
    {
      what: `a runaway with ${String(DEADLINE_MS)} ms for a call is ended`,
      ours: `${msText(median(lateMs))} after its deadline, ${msText(Math.max(...lateMs))} at worst`,
      baseline: "",
      ratio: "",
      aim: "100 ms after",
      figures: { medianMs: median(lateMs), worstMs: Math.max(...lateMs) },
    },
    {
      what: `its ${String(NEIGHBOURS)} neighbours meanwhile`,
      ours: `p50 ${msText(disturbed.p50Ms)}, p99 ${msText(disturbed.p99Ms)}`,
      baseline: `p50 ${msText(calm.p50Ms)}, p99 ${msText(calm.p99Ms)} before it`,
      ratio: `${ratio.toFixed(1)} x the p99`,
      aim: "",
      figures: {
        oursP50Ms: disturbed.p50Ms,
        oursP99Ms: disturbed.p99Ms,
        baselineP50Ms: calm.p50Ms,
        baselineP99Ms: calm.p99Ms,
      },
    },
  ];
}

/** How long after its deadline the caller of a runaway has its answer. */
async function lateness(url: string): Promise<number> {
  const sentMs = performance.now();
  const response = await fetch(url);
  await response.arrayBuffer();
  if (response.status < 500) throw new Error(`${url} answered ${String(response.status)}`);
  return performance.now() - sentMs - DEADLINE_MS;
}
