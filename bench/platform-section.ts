/** What no aim was set for, but users notice: the control plane's gateway, a store on disk, starts and stops. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CapabilityType } from "../src/gen/wasmatrix/v1/instance_pb.ts";
import type { BenchAgent } from "./bench-agent.ts";
import { readyFields } from "./bench-process.ts";
import { msText, percentText, type BenchEffort, type BenchRow } from "./bench-row.ts";
import { runLoadsInTurns, typical, typicalRatio } from "./http-load.ts";
import { startBareServer } from "./http-section.ts";

const CONNECTIONS = 16;

/** Against the bare server and the cheapest order. */
export async function platformRows(agent: BenchAgent, effort: BenchEffort): Promise<readonly BenchRow[]> {
  return [...(await loadRows(agent, effort)), ...(await startStopRows(agent, effort))];
}

async function loadRows(agent: BenchAgent, effort: BenchEffort): Promise<readonly BenchRow[]> {
  const counter = example("http-counter/http-counter.wasm");
  const moduleDigest = await agent.push(counter);
  const id = await agent.start({
    name: "counter",
    moduleDigest,
    limits: { memoryMaxBytes: 16n << 20n },
    assignments: [{ type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] }],
  });
  const bare = await startBareServer();
  try {
    const results = await runLoadsInTurns(
      {
        bare: { url: readyFields(bare)["url"] ?? "", paths: ["/"], server: bare },
        counted: { url: agent.ingress, paths: ["/-/counter/"], server: agent.process },
        gateway: { url: agent.gateway, paths: ["/-/counter/healthz"], server: agent.process },
      },
      { connections: CONNECTIONS, durationMs: effort.loadMs, rounds: effort.rounds },
    );
    const theirs = typical(results.bare);
    return [
      { what: "one increment in SQLite for each request, through the ingress", results: results.counted },
      { what: "without it, through the control plane's gateway", results: results.gateway },
    ].map(({ what, results: ours }): BenchRow => {
      const mine = typical(ours);
      const ratio = typicalRatio(ours, results.bare, (one, other) => one.requestsPerSecond / other.requestsPerSecond);
      return {
        what,
        ours: `${mine.requestsPerSecond.toFixed(0)} req/s, p99 ${msText(mine.p99Ms)}`,
        baseline: `${theirs.requestsPerSecond.toFixed(0)} req/s, p99 ${msText(theirs.p99Ms)}; bare node:http`,
        ratio: percentText(ratio),
        aim: "",
        figures: { oursRequestsPerSecond: mine.requestsPerSecond, baselineRequestsPerSecond: theirs.requestsPerSecond },
      };
    });
  } finally {
    await Promise.all([agent.stop(id), bare.stop()]);
  }
}

async function startStopRows(agent: BenchAgent, { samples }: BenchEffort): Promise<readonly BenchRow[]> {
  const moduleDigest = await agent.push(example("functions/functions.wasm"));
  const calls = await perSecond(samples, () => agent.api.listProviders({}));
  const cycles = await perSecond(samples, async () => agent.stop(await agent.start({ moduleDigest })));
  return [
    {
      what: "start and stop of a functions module at the agent, one after the other",
      ours: `${cycles.toFixed(0)} cycles/s`,
      baseline: `${calls.toFixed(0)} ListProviders calls/s`,
      ratio: percentText(cycles / calls),
      aim: "",
      figures: { cyclesPerSecond: cycles, callsPerSecond: calls },
    },
  ];
}

function example(path: string): Uint8Array {
  return readFileSync(join(import.meta.dirname, "..", "examples", path));
}

async function perSecond(times: number, action: () => Promise<unknown>): Promise<number> {
  await action();
  const startMs = performance.now();
  for (let count = 0; count < times; count++) await action();
  return (times * 1000) / (performance.now() - startMs);
}
