/** Seeds of the simulator: in none of them is anything violated. */
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { sweep } from "./sweep.ts";

const SEEDS = 100;

test(`nothing is violated in ${SEEDS} seeds`, async () => {
  const { failures, started, excused, steps } = await sweep({
    from: 1,
    count: SEEDS,
    workers: availableParallelism(),
    failuresMax: 5,
  });
  const lines = failures.map(({ seed, violation }) => `${violation}\n  replay: npm run sim -- --seed ${seed}`);
  expect(lines.join("\n")).toBe("");
  // Checks that excuse too much, or worlds in which nothing happens, would prove nothing.
  expect(started).toBeGreaterThan(2 * SEEDS);
  expect(excused / started).toBeLessThan(0.35);
  expect(steps).toBeGreaterThan(300 * SEEDS);
}, 1_200_000);
