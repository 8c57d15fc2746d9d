import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/clock.ts";
import { createDeadlines, GRAIN_MS } from "../../../src/runtime/pool/deadlines.ts";

/** A clock that a test moves on; it counts its timers. */
function manualClock(): Clock & { advance(ms: number): void; readonly timers: number } {
  let nowMs = 1_000_000;
  const timers = new Map<number, { readonly atMs: number; readonly action: () => void }>();
  let last = 0;
  return {
    nowMs: () => 0,
    steadyMs: () => nowMs,
    after(delayMs, action) {
      const number = (last += 1);
      timers.set(number, { atMs: nowMs + delayMs, action });
      return () => timers.delete(number);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const [next] = [...timers].filter(([, { atMs }]) => atMs <= untilMs).sort((a, b) => a[1].atMs - b[1].atMs);
        if (next === undefined) break;
        timers.delete(next[0]);
        nowMs = Math.max(nowMs, next[1].atMs);
        next[1].action();
      }
      nowMs = untilMs;
    },
    get timers() {
      return timers.size;
    },
  };
}

describe("deadlines", () => {
  it("are met in order, none too early and none later than a grain", () => {
    const clock = manualClock();
    const deadlines = createDeadlines(clock);
    const met: [number, number][] = [];
    for (const delayMs of [500, 3, 77, 3, 10_000, 120]) {
      const dueMs = clock.steadyMs() + delayMs;
      deadlines.after(delayMs, () => met.push([delayMs, clock.steadyMs() - dueMs]));
    }
    expect(clock.timers).toBe(1);
    clock.advance(20_000);
    expect(met.map(([delayMs]) => delayMs)).toEqual([3, 3, 77, 120, 500, 10_000]);
    for (const [, lateMs] of met) {
      expect(lateMs).toBeGreaterThanOrEqual(0);
      expect(lateMs).toBeLessThanOrEqual(GRAIN_MS);
    }
    expect(clock.timers).toBe(0);
  });

  it("share one timer however many there are, and are not met when they were taken back", () => {
    const clock = manualClock();
    const deadlines = createDeadlines(clock);
    let met = 0;
    for (let call = 0; call < 10_000; call++) {
      const cancel = deadlines.after(30_000, () => (met += 1));
      clock.advance(1);
      if (call % 2_000 !== 0) cancel();
    }
    expect(clock.timers).toBe(1);
    clock.advance(60_000);
    expect(met).toBe(5);
  });

  it("may be set while others are met, and taken back twice", () => {
    const clock = manualClock();
    const deadlines = createDeadlines(clock);
    const met: string[] = [];
    deadlines.after(10, () => {
      met.push("first");
      deadlines.after(10, () => met.push("second"));
    });
    const cancel = deadlines.after(15, () => met.push("never"));
    cancel();
    cancel();
    clock.advance(100);
    expect(met).toEqual(["first", "second"]);
  });

  it("are not met after the close, which may come twice", () => {
    const clock = manualClock();
    const deadlines = createDeadlines(clock);
    let met = 0;
    deadlines.after(10, () => (met += 1));
    deadlines.close();
    deadlines.close();
    deadlines.after(10, () => (met += 1));
    clock.advance(1_000);
    expect([met, clock.timers]).toEqual([0, 0]);
  });
});
