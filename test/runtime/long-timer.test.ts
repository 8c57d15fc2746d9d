import { describe, expect, it } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { afterLong } from "../../src/runtime/long-timer.ts";

/** A clock that jumps from timer to timer, and takes none that the platform would not. */
function jumpingClock() {
  let now = 0;
  let timers: { at: number; action: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => now,
    steadyMs: () => now,
    after(delayMs, action) {
      if (delayMs > 2 ** 31 - 1) throw new Error("the timer is too long");
      const timer = { at: now + delayMs, action };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
  };
  return {
    clock,
    jump(): boolean {
      const next = timers.shift();
      if (next === undefined) return false;
      now = next.at;
      next.action();
      return true;
    },
  };
}

describe("a long timer", () => {
  it.each([0, 1_000, 2 ** 31 - 1, 2 ** 31, 400 * 24 * 3600 * 1000])("of %i ms goes off then, once", (delayMs) => {
    const { clock, jump } = jumpingClock();
    const firedAt: number[] = [];
    afterLong(clock, delayMs, () => firedAt.push(clock.nowMs()));
    while (jump());
    expect(firedAt).toEqual([delayMs]);
  });

  it("can be cancelled at any time", () => {
    const { clock, jump } = jumpingClock();
    const cancel = afterLong(clock, 2 ** 33, () => {
      throw new Error("it went off");
    });
    jump();
    jump();
    cancel();
    expect(jump()).toBe(false);
  });
});
