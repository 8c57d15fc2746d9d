/** From a start order to the first byte of a response, with the module on the node already. */
import { readFileSync } from "node:fs";
import { request, Agent as HttpAgent } from "node:http";
import type { BenchAgent } from "./bench-agent.ts";
import { readyFields } from "./bench-process.ts";
import { msText, quantile, type BenchEffort, type BenchRow } from "./bench-row.ts";
import { HELLO_FILE, HELLO_LIMITS, startBareServer } from "./http-section.ts";

/** Pauses between two starts. */
const RHYTHMS: readonly { readonly what: string; readonly pauseMs: number }[] = [
  { what: "one now and then", pauseMs: 50 },
  { what: "one right after the other", pauseMs: 0 },
];

/** Each start beside an order that only asks and a request to a bare server. */
export async function coldStartRows(agent: BenchAgent, effort: BenchEffort): Promise<readonly BenchRow[]> {
  const moduleDigest = await agent.push(readFileSync(HELLO_FILE));
  const bare = await startBareServer();
  const connections = new HttpAgent({ keepAlive: true });
  const bareUrl = readyFields(bare)["url"] ?? "";
  const rows: BenchRow[] = [];
  // Once for the plan of the component and for the threads.
  const first = await agent.start({ name: "first", moduleDigest, limits: HELLO_LIMITS });
  await firstByte(connections, `${agent.ingress}/-/first/`);
  try {
    for (const { what, pauseMs } of RHYTHMS) {
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let count = 0; count < effort.samples; count++) {
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        const name = `cold-${String(pauseMs)}-${String(count)}`;
        const sentMs = performance.now();
        const id = await agent.start({ name, moduleDigest, limits: HELLO_LIMITS });
        await firstByte(connections, `${agent.ingress}/-/${name}/`);
        ours.push(performance.now() - sentMs);
        const bareSentMs = performance.now();
        await agent.api.queryInstance({ instanceId: id });
        await firstByte(connections, bareUrl);
        theirs.push(performance.now() - bareSentMs);
        await agent.stop(id);
      }
      rows.push(rowFrom(what, ours, theirs));
    }
    return rows;
  } finally {
    await agent.stop(first);
    connections.destroy();
    await bare.stop();
  }
}

function rowFrom(what: string, ours: readonly number[], theirs: readonly number[]): BenchRow {
  const figures = {
    oursP50Ms: quantile(ours, 0.5),
    oursP99Ms: quantile(ours, 0.99),
    baselineP50Ms: quantile(theirs, 0.5),
    baselineP99Ms: quantile(theirs, 0.99),
  };
  return {
    what: `StartInstance at the agent until its first response byte, module cached, ${what}`,
    ours: `p50 ${msText(figures.oursP50Ms)}, p99 ${msText(figures.oursP99Ms)}`,
    baseline: `p50 ${msText(figures.baselineP50Ms)}, p99 ${msText(figures.baselineP99Ms)}; QueryInstance, then a bare request`,
    ratio: `${(figures.oursP50Ms / figures.baselineP50Ms).toFixed(1)} x`,
    aim: "p50 10 ms, p99 50 ms",
    figures,
  };
}

/** Resolves with the first byte of the body; the rest is read before the connection is used again. */
function firstByte(connections: HttpAgent, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: connections }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url} answered ${String(response.statusCode)}`));
      response.on("data", () => resolve());
      response.on("end", () => resolve());
    });
    sent.on("error", reject);
    sent.end();
  });
}
