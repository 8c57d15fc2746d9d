import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recordsToForget } from "../../src/agent/ended-records.ts";
import { hasEnded, type InstanceRecord } from "../../src/agent/instance-record.ts";
import { recordOf, specOf } from "./records.ts";

function endedAt(timeMs: number, stdinBytes = 0): InstanceRecord {
  const lastEnding = { cause: "stopped" as const, exitCode: 0, limit: "", message: "", timeMs };
  return recordOf({
    id: String(timeMs),
    state: "stopped",
    spec: specOf({ stdin: new Uint8Array(stdinBytes) }),
    lastEnding,
  });
}

describe("what is forgotten of the past", () => {
  test("is what ended first, by count and by length", () => {
    const records = [endedAt(3), endedAt(1), endedAt(2)];
    const forgotten = (recordsMax: number, specsMaxBytes = 1_000_000) =>
      recordsToForget(records, { recordsMax, specsMaxBytes }).map(({ id }) => id);
    expect(forgotten(3)).toEqual([]);
    expect(forgotten(2)).toEqual(["1"]);
    expect(forgotten(1)).toEqual(["1", "2"]);
    expect(
      recordsToForget([endedAt(1, 600), endedAt(2, 600), endedAt(3, 600)], { recordsMax: 9, specsMaxBytes: 1_500 }),
    ).toMatchObject([{ id: "1" }]);
  });

  test("is never a live instance, and never the one that ended last", () => {
    const anyState = fc.constantFrom(
      "running" as const,
      "backoff" as const,
      "stopping" as const,
      "failed" as const,
      "lost" as const,
    );
    fc.assert(
      fc.property(fc.array(anyState), fc.nat(5), fc.nat(3_000), (states, recordsMax, specsMaxBytes) => {
        const records = states.map((state, index) => ({ ...endedAt(index, 500), state }));
        const forgotten = recordsToForget(records, { recordsMax, specsMaxBytes });
        expect(forgotten.every(hasEnded)).toBe(true);
        expect(forgotten).not.toContain(records.findLast(hasEnded));
      }),
      { numRuns: 300 },
    );
  });
});
