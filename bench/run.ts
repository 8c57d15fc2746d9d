/**
 * The benchmark table: `npm run bench`. Each figure of ours stands beside a baseline of the same run, measured in
 * turns, because machines differ and drift. Measures `wasmatrix dev` as it is published: built. Takes about three minutes.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { CapabilityType } from "../src/gen/wasmatrix/v1/instance_pb.ts";
import { ControlPlaneService } from "../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { startBenchProcess, type BenchProcess } from "./bench-process.ts";
import { quantile, runLoad } from "./http-load.ts";

const ROUNDS = 3;
const LOAD = { connections: 16, durationMs: 4_000 };
const COLD_STARTS = 40;
const START_STOPS = 60;
const IDLE_INSTANCES = 50;

type Row = { readonly what: string; readonly ours: string; readonly baseline: string; readonly ratio: string };
type Api = Client<typeof ControlPlaneService>;

const examples: string = join(import.meta.dirname, "..", "examples");
const httpModule: Uint8Array = readFileSync(join(examples, "http-counter", "http-counter.wasm"));
const functionsModule: Uint8Array = readFileSync(join(examples, "functions", "functions.wasm"));

const dataDir = mkdtempSync(join(tmpdir(), "wasmatrix-bench-"));
const root = join(import.meta.dirname, "..");
execFileSync("tsc", ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
const baseline = await startBenchProcess(join(import.meta.dirname, "baseline-process.ts"));
const ports = ["--port", "0", "--agent-port", "0", "--ingress-port", "0"];
const fleet = await startBenchProcess(
  join(root, "dist", "cli", "main.js"),
  "dev",
  "--json",
  "--data",
  dataDir,
  ...ports,
);
try {
  const api = createClient(
    ControlPlaneService,
    createConnectTransport({ baseUrl: fleet.ready["controlPlane"] ?? "", httpVersion: "2" }),
  );
  const rows = [
    ...(await idleMemory(api, fleet)),
    ...(await httpRequests(api, fleet, baseline)),
    ...(await coldStarts(api, fleet, baseline)),
    ...(await startStops(api)),
  ];
  console.log(`Node ${process.version}, ${String(cpus().length)} cores, ${String(ROUNDS)} rounds in turns, medians\n`);
  printTable(rows);
} finally {
  await Promise.all([fleet.stop(), baseline.stop()]);
  rmSync(dataDir, { recursive: true, force: true });
}

async function httpRequests(api: Api, ours: BenchProcess, bare: BenchProcess): Promise<readonly Row[]> {
  const id = await start(api, httpModule, "bench");
  const url = ours.ready["ingress"] ?? "";
  const gateway = ours.ready["controlPlane"] ?? "";
  const targets = [
    { what: "HTTP through the ingress, no KV", url, path: "/-/bench/healthz" },
    { what: "HTTP through the ingress, one KV increment in SQLite", url, path: "/-/bench/" },
    { what: "HTTP through the control plane's gateway, no KV", url: gateway, path: "/-/bench/healthz" },
  ];
  const rows: Row[] = [];
  for (const target of targets) {
    const ratios: number[] = [];
    const pairs: { mine: number; theirs: number; p99: number }[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const theirs = await runLoad({ ...LOAD, url: bare.ready["url"] ?? "", path: "/" });
      const mine = await runLoad({ ...LOAD, url: target.url, path: target.path });
      // The first round warms both sides up and does not count.
      if (round === 0) continue;
      ratios.push(mine.requestsPerSecond / theirs.requestsPerSecond);
      pairs.push({ mine: mine.requestsPerSecond, theirs: theirs.requestsPerSecond, p99: mine.p99Ms });
    }
    rows.push({
      what: target.what,
      ours: `${median(pairs.map((pair) => pair.mine)).toFixed(0)} req/s, p99 ${median(pairs.map((pair) => pair.p99)).toFixed(1)} ms`,
      baseline: `${median(pairs.map((pair) => pair.theirs)).toFixed(0)} req/s, bare node:http`,
      ratio: `${(median(ratios) * 100).toFixed(0)} %`,
    });
  }
  await api.stopInstance({ instance: id });
  return rows;
}

async function coldStarts(api: Api, ours: BenchProcess, bare: BenchProcess): Promise<readonly Row[]> {
  return [
    await coldStart(api, ours, bare, { what: "one now and then", pauseMs: 300 }),
    await coldStart(api, ours, bare, { what: "one right after the other", pauseMs: 0 }),
  ];
}

async function coldStart(
  api: Api,
  ours: BenchProcess,
  bare: BenchProcess,
  rhythm: { readonly what: string; readonly pauseMs: number },
): Promise<Row> {
  const startsMs: number[] = [];
  const bareMs: number[] = [];
  for (let round = 0; round < COLD_STARTS; round++) {
    const name = `cold-${String(rhythm.pauseMs)}-${String(round)}`;
    await new Promise((resolve) => setTimeout(resolve, rhythm.pauseMs));
    const sentMs = performance.now();
    const id = await start(api, httpModule, name);
    await expectOk(`${ours.ready["ingress"] ?? ""}/-/${name}/healthz`);
    startsMs.push(performance.now() - sentMs);
    const bareSentMs = performance.now();
    await expectOk(bare.ready["url"] ?? "");
    bareMs.push(performance.now() - bareSentMs);
    await api.stopInstance({ instance: id });
  }
  return {
    what: `StartInstance (module cached) until its first response, ${rhythm.what}`,
    ours: `p50 ${quantile(startsMs, 0.5).toFixed(1)} ms, p99 ${quantile(startsMs, 0.99).toFixed(1)} ms`,
    baseline: `p50 ${quantile(bareMs, 0.5).toFixed(1)} ms, one bare request`,
    ratio: `${(quantile(startsMs, 0.5) / quantile(bareMs, 0.5)).toFixed(0)} x`,
  };
}

async function startStops(api: Api): Promise<readonly Row[]> {
  const calls = await perSecond(START_STOPS, () => api.listNodes({}));
  const cycles = await perSecond(START_STOPS, async () => {
    const id = await start(api, functionsModule, "");
    await api.stopInstance({ instance: id });
  });
  return [
    {
      what: "start and stop of a functions module, one after the other",
      ours: `${cycles.toFixed(0)} cycles/s`,
      baseline: `${calls.toFixed(0)} ListNodes calls/s`,
      ratio: `${((cycles / calls) * 100).toFixed(0)} %`,
    },
  ];
}

async function idleMemory(api: Api, ours: BenchProcess): Promise<readonly Row[]> {
  const first = await start(api, httpModule, "");
  const emptyBytes = ours.rssBytes();
  const ids: string[] = [];
  for (let count = 0; count < IDLE_INSTANCES; count++) ids.push(await start(api, httpModule, ""));
  const fullBytes = ours.rssBytes();
  for (const id of [first, ...ids]) await api.stopInstance({ instance: id });
  const eachMiB = (fullBytes - emptyBytes) / IDLE_INSTANCES / 2 ** 20;
  const emptyMiB = emptyBytes / 2 ** 20;
  return [
    {
      what: `memory of an idle HTTP instance (${String(IDLE_INSTANCES)} of them)`,
      ours: `${eachMiB.toFixed(1)} MiB each`,
      baseline: `${emptyMiB.toFixed(0)} MiB, control plane and agent with one`,
      ratio: `${((eachMiB / emptyMiB) * 100).toFixed(1)} %`,
    },
  ];
}

async function start(api: Api, module: Uint8Array, name: string): Promise<string> {
  const assignments = [{ type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] }];
  const { instance } = await api.startInstance({
    spec: { name, assignments, limits: { memoryMaxBytes: 16n * 2n ** 20n } },
    module: { source: { case: "inline", value: module } },
  });
  return instance?.id ?? "";
}

async function expectOk(url: string): Promise<void> {
  const response = await fetch(url);
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`Cannot measure ${url}: it answered ${String(response.status)}`);
}

async function perSecond(times: number, action: () => Promise<unknown>): Promise<number> {
  await action();
  const startMs = performance.now();
  for (let count = 0; count < times; count++) await action();
  return (times * 1000) / (performance.now() - startMs);
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

function printTable(rows: readonly Row[]): void {
  const lines = [{ what: "what", ours: "Wasmatrix", baseline: "baseline", ratio: "ratio" }, ...rows];
  const widths = (["what", "ours", "baseline", "ratio"] as const).map((column) =>
    Math.max(...lines.map((line) => line[column].length)),
  );
  for (const [index, line] of lines.entries()) {
    const cells = [line.what, line.ours, line.baseline, line.ratio].map((cell, column) =>
      cell.padEnd(widths[column] ?? 0),
    );
    console.log(`| ${cells.join(" | ")} |`);
    if (index === 0) console.log(`| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  }
}
