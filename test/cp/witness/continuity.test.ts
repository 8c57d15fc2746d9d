import { expect, test } from "vitest";
import { watchContinuity } from "../../../src/cp/witness/continuity.ts";
import { createManualClock } from "../manual-clock.ts";

test("a process that runs on counts from its beginning, and one that was paused from when it went on", () => {
  const clock = createManualClock();
  const continuity = watchContinuity(clock);
  for (let second = 0; second < 20; second++) clock.advance(1_000);
  expect(continuity.unbrokenMs()).toBe(20_000);
  // Timers of a stopped process come late, all at once.
  clock.advance(60_000);
  expect(continuity.unbrokenMs()).toBe(0);
  for (let second = 0; second < 5; second++) clock.advance(1_000);
  expect(continuity.unbrokenMs()).toBe(5_000);
  continuity.close();
  continuity.close();
});
