/** Key-value reads of a guest, timed in the guest: many in one call. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CapabilityType } from "../src/gen/wasmatrix/v1/instance_pb.ts";
import type { BenchAgent } from "./bench-agent.ts";
import { median, type BenchEffort, type BenchRow } from "./bench-row.ts";

const READS = 2_000;

type Reads = { readonly p50Us: number; readonly p99Us: number; readonly eachUs: number };

/** The provider in memory beside the one on disk, in turns. */
export async function kvRows(agent: BenchAgent, effort: BenchEffort): Promise<readonly BenchRow[]> {
  const moduleDigest = await agent.push(readFileSync(join(import.meta.dirname, "guests", "kv-reads.wasm")));
  const limits = { memoryMaxBytes: 4n << 20n };
  const results: Record<string, Reads[]> = { kv: [], "kv-memory": [] };
  const ids: string[] = [];
  for (const providerId of Object.keys(results)) {
    const grant = { type: CapabilityType.KV, providerId, permissions: ["kv:read", "kv:write"] };
    ids.push(await agent.start({ name: `reads-${providerId}`, moduleDigest, limits, assignments: [grant] }));
    await textOf(`${agent.ingress}/-/reads-${providerId}/?write=1`);
  }
  // The first rounds are those in which the engine learns what runs often.
  const warmUp = 3;
  for (let round = -warmUp; round < effort.rounds; round++) {
    for (const [providerId, reads] of Object.entries(results)) {
      const text = await textOf(`${agent.ingress}/-/reads-${providerId}/?reads=${String(READS)}`);
      if (round >= 0) reads.push(readsFrom(text));
    }
  }
  for (const id of ids) await agent.stop(id);
  const ours = typicalReads(results["kv-memory"] ?? []);
  const theirs = typicalReads(results["kv"] ?? []);
  return [
    {
      what: "key-value read in a guest, provider in memory",
      ours: readsText(ours),
      baseline: `${readsText(theirs)}; provider in SQLite, on the agent's thread`,
      ratio: `${(ours.p50Us / theirs.p50Us).toFixed(2)} x`,
      aim: "p50 20 µs",
      figures: {
        oursP50Us: ours.p50Us,
        oursP99Us: ours.p99Us,
        oursEachUs: ours.eachUs,
        baselineP50Us: theirs.p50Us,
        baselineP99Us: theirs.p99Us,
        baselineEachUs: theirs.eachUs,
      },
    },
  ];
}

function readsText({ p50Us, p99Us, eachUs }: Reads): string {
  return `p50 ${p50Us.toFixed(1)} µs, p99 ${p99Us.toFixed(1)} µs, ${eachUs.toFixed(1)} µs each without a clock`;
}

function typicalReads(rounds: readonly Reads[]): Reads {
  return {
    p50Us: median(rounds.map((round) => round.p50Us)),
    p99Us: median(rounds.map((round) => round.p99Us)),
    eachUs: median(rounds.map((round) => round.eachUs)),
  };
}

/** What the guest says: nanoseconds of the median, of the 99th percentile, and of all together. */
function readsFrom(text: string): Reads {
  const [p50 = Number.NaN, p99 = Number.NaN, all = Number.NaN] = text.split(" ").map(Number);
  return { p50Us: p50 / 1000, p99Us: p99 / 1000, eachUs: all / 1000 / READS };
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url} answered ${String(response.status)}: ${text}`);
  return text;
}
