/**
 * The benchmark table: `npm run bench`, or `npm run bench -- SECTION... [--json] [--quick]`. Each figure of ours stands beside
 * a baseline of the same run, measured in turns, because machines differ and drift. Measures the agent as it is published: built.
 */
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startBenchAgent, type BenchAgent } from "./bench-agent.ts";
import { tableText, type BenchEffort, type BenchRow } from "./bench-row.ts";
import { coldStartRows } from "./cold-start-section.ts";
import { httpRows } from "./http-section.ts";
import { idleRows } from "./idle-section.ts";
import { kvRows } from "./kv-section.ts";
import { platformRows } from "./platform-section.ts";
import { runawayRows } from "./runaway-section.ts";

type Section = (agent: BenchAgent, effort: BenchEffort) => Promise<readonly BenchRow[]>;

/** Each has an agent of its own, so that none finds what another has left. */
const SECTIONS: Readonly<Record<string, Section>> = {
  http: httpRows,
  cold: coldStartRows,
  kv: kvRows,
  idle: idleRows,
  runaway: runawayRows,
  platform: platformRows,
};

const WHOLE: BenchEffort = { rounds: 5, loadMs: 3_000, samples: 200, instances: 5_000 };
const QUICK: BenchEffort = { rounds: 1, loadMs: 1_000, samples: 30, instances: 500 };

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !Object.hasOwn(SECTIONS, name));
if (unknown.length > 0) {
  console.error(`No section ${unknown.join(", ")}; there are ${Object.keys(SECTIONS).join(", ")}`);
  process.exit(2);
}

const root = join(import.meta.dirname, "..");
// Types are for `npm run check`.
execFileSync("tsc", ["-p", "tsconfig.build.json", "--noCheck"], {
  cwd: root,
  stdio: ["ignore", process.stderr, process.stderr],
});
const effort = values.quick ? QUICK : WHOLE;
const wanted = positionals.length === 0 ? Object.keys(SECTIONS) : positionals;
const machine = {
  node: process.version,
  cores: cpus().length,
  loadBefore: loadavg()[0] ?? Number.NaN,
  rounds: effort.rounds,
  loadMs: effort.loadMs,
};
const rows: BenchRow[] = [];
for (const name of wanted) {
  console.error(`measuring ${name}`);
  rows.push(...(await measured(SECTIONS[name])));
}
if (values.json) {
  console.log(JSON.stringify({ machine, rows }, undefined, 2));
} else {
  const { node, cores, rounds, loadMs, loadBefore } = machine;
  const turns = `${String(rounds)} rounds of ${String(loadMs / 1000)} s in turns, medians`;
  console.log(`Node ${node}, ${String(cores)} cores, load average before ${loadBefore.toFixed(1)}, ${turns}\n`);
  console.log(tableText(rows));
}

async function measured(section: Section | undefined): Promise<readonly BenchRow[]> {
  if (section === undefined) return [];
  const agent = await startBenchAgent();
  try {
    return await section(agent, effort);
  } finally {
    await agent.close();
  }
}
