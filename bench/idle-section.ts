/** Thousands of idle HTTP instances on one agent: started, all answer, and what they take. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { BenchAgent } from "./bench-agent.ts";
import { percentText, type BenchEffort, type BenchRow } from "./bench-row.ts";
import { HELLO_FILE, HELLO_LIMITS } from "./http-section.ts";

const AT_A_TIME = 16;

/** Until memory that is free has been given back as far as it will be, without any help. */
const SETTLE_MS = 5_000;

const MIB = 2 ** 20;

/** Resident memory of the agent's process with all of them, against itself with one. */
export async function idleRows(agent: BenchAgent, { instances }: BenchEffort): Promise<readonly BenchRow[]> {
  const moduleDigest = await agent.push(readFileSync(HELLO_FILE));
  const nameOf = (number: number): string => `idle-${String(number)}`;
  const startOne = (number: number): Promise<string> =>
    agent.start({ name: nameOf(number), moduleDigest, limits: HELLO_LIMITS });
  await startOne(0);
  await answerOf(agent, nameOf(0));
  const oneBytes = agent.process.rssBytes();

  const startMs = performance.now();
  await forEach(instances - 1, (index) => startOne(index + 1));
  const startedMs = performance.now();
  await sleep(SETTLE_MS);
  const startedBytes = agent.process.rssBytes();
  const askMs = performance.now();
  await forEach(instances, (index) => answerOf(agent, nameOf(index)));
  const answeredMs = performance.now();
  await sleep(SETTLE_MS);
  const answeredBytes = agent.process.rssBytes();

  const startsPerSecond = ((instances - 1) * 1000) / (startedMs - startMs);
  const figures = {
    instances,
    oneBytes,
    startedBytes,
    answeredBytes,
    startsPerSecond,
    answersPerSecond: (instances * 1000) / (answeredMs - askMs),
  };
  const eachKib = (answeredBytes - oneBytes) / (instances - 1) / 1024;
  return [
    {
      what: `${String(instances)} idle HTTP instances on one agent, each has answered`,
      ours: `${mibText(answeredBytes)} RSS (${mibText(startedBytes)} before they answered), ${eachKib.toFixed(0)} KiB each; started at ${startsPerSecond.toFixed(0)}/s`,
      baseline: `${mibText(oneBytes)} with one`,
      ratio: `${(answeredBytes / oneBytes).toFixed(1)} x; ${percentText(answeredBytes / 2 ** 30)} of 1 GiB`,
      aim: "5000 in 1 GiB",
      figures,
    },
  ];
}

async function answerOf(agent: BenchAgent, name: string): Promise<void> {
  const response = await fetch(`${agent.ingress}/-/${name}/`);
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`${name} answered ${String(response.status)}`);
}

async function forEach(count: number, action: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await action(index);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

function mibText(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
