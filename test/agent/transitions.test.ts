import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasEnded, instanceFromRecord } from "../../src/agent/instance-record.ts";
import * as step from "../../src/agent/transitions.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { InstanceState, TerminationCause } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { ALWAYS, anyEnding, anyRecord, NEVER, ON_FAILURE, recordOf } from "./records.ts";

const moment = { nowMs: 100_000, fraction: 0 };

describe("an instance's transitions", () => {
  test("an exit with code 0 under policy never is an exit, any other end a failure", () => {
    expect(step.ended(recordOf(), { kind: "exited", exitCode: 0 }, moment)).toMatchObject({
      factKind: FactKind.INSTANCE_EXITED,
      record: { state: "exited", lastEnding: { cause: "exited", exitCode: 0 } },
    });
    expect(step.ended(recordOf(), { kind: "exited", exitCode: 2 }, moment)).toMatchObject({
      factKind: FactKind.INSTANCE_FAILED,
      message: "Exited with code 2",
      record: { state: "failed" },
    });
  });

  test("a limit is named as in the contract", () => {
    const { record } = step.ended(recordOf(), { kind: "limit", limit: "callTimeoutMs", message: "too slow" }, moment);
    expect(instanceFromRecord(record).lastTermination).toMatchObject({
      cause: TerminationCause.LIMIT,
      limit: "call_timeout_ms",
    });
  });

  test("a failure under policy always waits for its restart and says so", () => {
    const { record, message, factKind } = step.ended(
      recordOf({ policy: { ...ALWAYS, maxRetries: 5 } }),
      { kind: "trapped", message: "unreachable" },
      moment,
    );
    expect(factKind).toBe(FactKind.INSTANCE_RESTARTING);
    expect(message).toBe("Trapped: unreachable; restart 1 of 5 in 1000 ms");
    expect(record).toMatchObject({ state: "backoff", nextRestartMs: 101_000, retriesInRow: 1, restartCount: 0 });
    expect(step.restarting(record).record).toMatchObject({
      state: "starting",
      restartCount: 1,
      nextRestartMs: undefined,
    });
    expect(step.restarting(record).message).toBe("Restart 1 of 5");
    expect(step.restarting(recordOf({ retriesInRow: 0 })).message).toBe("Back with the agent");
    expect(step.running(recordOf({ restartCount: 1 }), 1).message).toBe("Running again, 1 restart in all");
    expect(step.running(recordOf({ restartCount: 2 }), 1).message).toBe("Running again, 2 restarts in all");
  });

  test("after the last retry the instance is given up with the count", () => {
    const policy = { ...ON_FAILURE, maxRetries: 2 };
    const { message, record } = step.ended(
      recordOf({ policy, retriesInRow: 2, startedMs: 99_000 }),
      { kind: "trapped", message: "x" },
      moment,
    );
    expect(record.state).toBe("failed");
    expect(message).toBe("Trapped: x; given up after 2 restarts in a row");
  });

  test("a guest's endless message is cut", () => {
    const { record } = step.ended(recordOf(), { kind: "trapped", message: "x".repeat(100_000) }, moment);
    expect(record.lastEnding?.message.length).toBeLessThan(1_100);
  });

  test("whoever was asked to stop is stopped, however it ended and whatever its policy", () => {
    fc.assert(
      fc.property(anyRecord, anyEnding, (record, ending) => {
        const result = step.ended({ ...record, state: "stopping" }, ending, moment);
        expect(result.record.state).toBe("stopped");
        expect(result.factKind).toBe(FactKind.INSTANCE_STOPPED);
      }),
      { numRuns: 1_000 },
    );
  });

  test("no transition that follows an end brings an ended instance back", () => {
    fc.assert(
      fc.property(anyRecord.filter(hasEnded), (record) => {
        expect(step.resumed(record, moment)).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("after the agent's death", () => {
  test("a live instance comes back as its policy says, after its backoff and in the same generation", () => {
    for (const policy of [ALWAYS, ON_FAILURE]) {
      const record = recordOf({ policy, generation: 3n });
      const result = step.resumed(record, moment);
      expect(result?.record).toMatchObject({
        state: "backoff",
        generation: 3n,
        nextRestartMs: 101_000,
        lastEnding: { cause: "agent-lost" },
      });
    }
  });

  test("a live instance that is never restarted is lost", () => {
    for (const state of ["starting", "running"] as const) {
      const result = step.resumed(recordOf({ state, policy: NEVER }), moment);
      expect(result).toMatchObject({ factKind: FactKind.INSTANCE_LOST, record: { state: "lost" } });
      expect(result?.message).toBe(
        "The agent died while the instance was live; restart policy never does not bring the instance back",
      );
    }
  });

  test("a stop that was accepted is finished", () => {
    const result = step.resumed(recordOf({ state: "stopping", policy: ALWAYS }), moment);
    expect(result).toMatchObject({ factKind: FactKind.INSTANCE_STOPPED, record: { state: "stopped" } });
  });

  test("a guest that takes its agent down with it runs out of retries all the same", () => {
    const record = recordOf({ policy: { ...ALWAYS, maxRetries: 2 }, retriesInRow: 2, startedMs: 1 });
    expect(step.resumed(record, moment)?.record.state).toBe("failed");
  });
});

describe("an orderly shutdown", () => {
  test("is no stop: what its policy restarts waits for the next agent, the rest is lost", () => {
    const back = step.shutDown(recordOf({ policy: ON_FAILURE }), 5_000);
    expect(back).toMatchObject({
      factKind: FactKind.INSTANCE_RESTARTING,
      record: { state: "backoff", nextRestartMs: 5_000, retriesInRow: 0 },
    });
    const gone = step.shutDown(recordOf({ policy: NEVER }), 5_000);
    expect(gone).toMatchObject({ factKind: FactKind.INSTANCE_LOST, record: { state: "lost" } });
    expect(gone.message).toBe("The agent was shut down; restart policy never does not bring the instance back");
  });

  test("leaves the time of a restart that is waited for as it is", () => {
    const record = recordOf({ state: "backoff", policy: ALWAYS, nextRestartMs: 9_000 });
    expect(step.shutDown(record, 5_000).record).toMatchObject({ state: "backoff", nextRestartMs: 9_000 });
  });

  test("finishes a stop", () => {
    expect(step.shutDown(recordOf({ state: "stopping", policy: ALWAYS }), 5_000).record.state).toBe("stopped");
  });
});

describe("the reported form of a record", () => {
  test("names environment variables, never their values, and leaves standard input out", () => {
    const record = recordOf();
    const spec = { ...record.spec, env: { TOKEN: "hunter2", A: "1" }, stdin: new TextEncoder().encode("hunter2") };
    const instance = instanceFromRecord({ ...record, spec });
    expect(instance.envNames).toEqual(["A", "TOKEN"]);
    expect(
      JSON.stringify(instance, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    ).not.toContain("hunter2");
    expect(instance.state).toBe(InstanceState.RUNNING);
  });
});
