import { expect, test } from "vitest";
import { sweep } from "./sweep.ts";

const SEEDS = 12;

async function tracesOf(workers: number, from = 1, count = SEEDS): Promise<ReadonlyMap<number, string>> {
  const traces = new Map<number, string>();
  await sweep({
    from,
    count,
    workers,
    withTraces: true,
    onSeed: ({ seed, trace = "" }) => void traces.set(seed, trace),
  });
  return new Map([...traces].toSorted(([a], [b]) => a - b));
}

test("a seed makes the same trace, whichever thread runs it and whatever that has run before", async () => {
  const [alone, spread] = [await tracesOf(1), await tracesOf(3)];
  expect(spread).toEqual(alone);
  const [last] = [...(await tracesOf(1, SEEDS, 1)).values()];
  expect(last).toBe(alone.get(SEEDS));
}, 300_000);

test("another seed makes another trace", async () => {
  expect(new Set((await tracesOf(1)).values()).size).toBe(SEEDS);
}, 300_000);
