/** Requests per second and processor time of a request: a component that says hello, against a bare server and `jco serve`. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FRESH, type BenchAgent } from "./bench-agent.ts";
import { readyFields, startBenchProcess, type BenchProcess } from "./bench-process.ts";
import { msText, percentText, type BenchEffort, type BenchRow } from "./bench-row.ts";
import { runLoadsInTurns, typical, typicalRatio, type LoadResult } from "./http-load.ts";

/** Path of the component. */
export const HELLO_FILE: string = join(import.meta.dirname, "guests", "hello.wasm");

/** Its limits: it needs two pages. */
export const HELLO_LIMITS: { readonly memoryMaxBytes: bigint } = { memoryMaxBytes: 1n << 20n };

const CONNECTIONS = 16;

/** Starts the bare server. */
export function startBareServer(): Promise<BenchProcess> {
  return startBenchProcess({ args: [join(import.meta.dirname, "baseline-process.ts")] });
}

/** Four servers in turns. */
export async function httpRows(agent: BenchAgent, effort: BenchEffort): Promise<readonly BenchRow[]> {
  const moduleDigest = await agent.push(readFileSync(HELLO_FILE));
  const spec = { moduleDigest, limits: HELLO_LIMITS };
  const reused = await agent.start({ ...spec, name: "hello-reused" });
  const fresh = await agent.start({ ...spec, name: "hello-fresh", reuse: FRESH });
  const bare = await startBareServer();
  const scratch = mkdtempSync(join(tmpdir(), "wasmatrix-jco-"));
  const jco = await startJcoServe(scratch);
  try {
    const results = await runLoadsInTurns(
      {
        bare: { url: readyFields(bare)["url"] ?? "", paths: ["/"], server: bare },
        reused: { url: agent.ingress, paths: ["/-/hello-reused/"], server: agent.process },
        fresh: { url: agent.ingress, paths: ["/-/hello-fresh/"], server: agent.process },
        jco: { url: jco.url, paths: ["/"], server: jco.process },
      },
      { connections: CONNECTIONS, durationMs: effort.loadMs, rounds: effort.rounds },
    );
    return rowsFrom(results);
  } finally {
    await Promise.all([agent.stop(reused), agent.stop(fresh), bare.stop(), jco.process.stop()]);
    rmSync(scratch, { recursive: true, force: true });
  }
}

type Results = Readonly<Record<"bare" | "reused" | "fresh" | "jco", readonly LoadResult[]>>;

function rowsFrom({ bare, reused, fresh, jco }: Results): readonly BenchRow[] {
  const perSecond = (ours: LoadResult, theirs: LoadResult): number => ours.requestsPerSecond / theirs.requestsPerSecond;
  const cpu = (ours: LoadResult, theirs: LoadResult): number => ours.cpuUs / theirs.cpuUs;
  const row = (what: string, ours: readonly LoadResult[], theirs: readonly LoadResult[]) => {
    const requests = typicalRatio(ours, theirs, perSecond);
    const cost = typicalRatio(ours, theirs, cpu);
    const figures = { ...figuresOf("ours", typical(ours)), ...figuresOf("baseline", typical(theirs)), requests, cost };
    return { what, ours: loadText(typical(ours)), figures };
  };
  const bareText = `${loadText(typical(bare))}; bare node:http`;
  const jcoText = `${loadText(typical(jco))}; jco serve`;
  const againstBare = row("hello HTTP component, instance reused", reused, bare);
  const againstJco = row("the same", reused, jco);
  const freshRow = row("the same, a fresh instance for each request", fresh, bare);
  const { requests, cost } = againstBare.figures;
  return [
    {
      ...againstBare,
      baseline: bareText,
      ratio: `${percentText(requests)} of the requests/s, ${cost.toFixed(1)} x the CPU`,
      aim: "50 % of the requests/s",
    },
    {
      ...againstJco,
      baseline: jcoText,
      ratio: `${againstJco.figures.requests.toFixed(1)} x the requests/s`,
      aim: "10 x",
    },
    {
      ...freshRow,
      baseline: bareText,
      ratio: `${freshRow.figures.cost.toFixed(1)} x the CPU, ${percentText(freshRow.figures.requests)} of the requests/s`,
      aim: "4 x the cost or less",
    },
  ];
}

function loadText({ requestsPerSecond, p99Ms, cpuUs }: LoadResult): string {
  return `${requestsPerSecond.toFixed(0)} req/s, p99 ${msText(p99Ms)}, ${cpuUs.toFixed(0)} µs CPU each`;
}

function figuresOf(whose: string, { requestsPerSecond, p50Ms, p99Ms, cpuUs }: LoadResult): Record<string, number> {
  return {
    [`${whose}RequestsPerSecond`]: requestsPerSecond,
    [`${whose}P50Ms`]: p50Ms,
    [`${whose}P99Ms`]: p99Ms,
    [`${whose}CpuUs`]: cpuUs,
  };
}

/** jco's own server for components. */
async function startJcoServe(workDir: string): Promise<{ readonly url: string; readonly process: BenchProcess }> {
  const port = String(await freePort());
  // The program is not among the exports of its package, but lies beside its entry.
  const program = join(dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco"))), "jco.js");
  const files = ["--jco-dir", join(workDir, "out")];
  const args = [program, "serve", HELLO_FILE, "--host", "127.0.0.1", "--port", port, ...files];
  const process = await startBenchProcess({ args, workDir, readyMark: "listening" });
  return { url: `http://127.0.0.1:${port}`, process };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
