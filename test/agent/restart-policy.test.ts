import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs, decideRestart, HEALTHY_RUN_MS, type RunEnding } from "../../src/agent/restart-policy.ts";
import { ALWAYS, anyEnding, anyPolicy, NEVER, ON_FAILURE } from "./records.ts";

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const trapped: RunEnding = { kind: "trapped", message: "unreachable" };
const cleanExit: RunEnding = { kind: "exited", exitCode: 0 };
const badExit: RunEnding = { kind: "exited", exitCode: 3 };
const shortRun = { retriesInRow: 0, runningSinceMs: 9_000 };

function decide(policy = ALWAYS, ending = trapped, history: Parameters<typeof decideRestart>[0]["history"] = shortRun) {
  return decideRestart({ policy, ending, history, nowMs: 10_000, fraction: 0 });
}

describe("the restart policy", () => {
  test("restarts what each mode says and nothing else", () => {
    expect(decide(NEVER, trapped)).toEqual({ kind: "give-up", why: "policy" });
    expect(decide(ON_FAILURE, cleanExit)).toEqual({ kind: "give-up", why: "policy" });
    expect(decide(ON_FAILURE, badExit)).toEqual({ kind: "restart", atMs: 11_000, attempt: 1 });
    expect(decide(ON_FAILURE, trapped)).toEqual({ kind: "restart", atMs: 11_000, attempt: 1 });
    expect(decide(ALWAYS, cleanExit)).toEqual({ kind: "restart", atMs: 11_000, attempt: 1 });
  });

  test("gives up a start that no further attempt can help, and tries again one that may pass", () => {
    expect(decide(ALWAYS, { kind: "start-failed", message: "unknown import", permanent: true })).toEqual({
      kind: "give-up",
      why: "refused",
    });
    expect(decide(ALWAYS, { kind: "start-failed", message: "timed out", permanent: false })).toMatchObject({
      kind: "restart",
    });
  });

  test("doubles the wait up to its maximum", () => {
    const waits = [0, 1, 2, 5, 6, 7, 1_000].map((retriesInRow) => {
      const decision = decide(ALWAYS, trapped, { retriesInRow, runningSinceMs: undefined });
      return decision.kind === "restart" ? decision.atMs - 10_000 : undefined;
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("begins a new row after a healthy minute, and not a moment before it", () => {
    const policy = { ...ALWAYS, maxRetries: 3 };
    const after = (runMs: number) =>
      decideRestart({
        policy,
        ending: trapped,
        history: { retriesInRow: 3, runningSinceMs: 0 },
        nowMs: runMs,
        fraction: 0,
      });
    expect(after(HEALTHY_RUN_MS)).toMatchObject({ kind: "restart", attempt: 1 });
    expect(after(HEALTHY_RUN_MS - 1)).toEqual({ kind: "give-up", why: "retries-exhausted" });
  });

  test("never restarts a stop", () => {
    fc.assert(
      fc.property(anyPolicy, fc.nat(50), fraction, (policy, retriesInRow, chance) => {
        const history = { retriesInRow, runningSinceMs: 0 };
        const decision = decideRestart({
          policy,
          ending: { kind: "stopped" },
          history,
          nowMs: 10_000,
          fraction: chance,
        });
        expect(decision).toEqual({ kind: "give-up", why: "stopped" });
      }),
      { numRuns: 1_000 },
    );
  });

  test("never undercuts the backoff nor exceeds its maximum, whatever chance says", () => {
    fc.assert(
      fc.property(
        anyPolicy,
        anyEnding,
        fc.nat(100),
        fc.option(fc.nat(1_000_000), { nil: undefined }),
        fraction,
        (policy, ending, retriesInRow, runningSinceMs, chance) => {
          const nowMs = 1_000_000;
          const decision = decideRestart({
            policy,
            ending,
            history: { retriesInRow, runningSinceMs },
            nowMs,
            fraction: chance,
          });
          if (decision.kind === "give-up") return;
          const waitMs = decision.atMs - nowMs;
          expect(waitMs).toBeGreaterThanOrEqual(backoffMs(policy, decision.attempt - 1));
          expect(waitMs).toBeGreaterThanOrEqual(policy.backoffMs);
          expect(waitMs).toBeLessThanOrEqual(policy.backoffMaxMs);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("never exceeds max_retries in a row, over any course of runs", () => {
    fc.assert(
      fc.property(
        anyPolicy,
        fc.array(fc.record({ ending: anyEnding, runMs: fc.nat(2 * HEALTHY_RUN_MS), chance: fraction }), {
          maxLength: 60,
        }),
        (policy, runs) => {
          let nowMs = 0;
          let retriesInRow = 0;
          let row = 0;
          for (const { ending, runMs, chance } of runs) {
            const runningSinceMs = nowMs;
            nowMs += runMs;
            if (runMs >= HEALTHY_RUN_MS) row = 0;
            const decision = decideRestart({
              policy,
              ending,
              history: { retriesInRow, runningSinceMs },
              nowMs,
              fraction: chance,
            });
            if (decision.kind === "give-up") return;
            row += 1;
            retriesInRow = decision.attempt;
            nowMs = decision.atMs;
            if (policy.maxRetries > 0) expect(row).toBeLessThanOrEqual(policy.maxRetries);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
