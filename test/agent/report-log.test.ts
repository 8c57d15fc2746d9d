import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createReportLog, REPORT_LOG_LIMITS } from "../../src/agent/report-log.ts";
import { nextEpoch } from "../../src/agent/epoch.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";

const life = { nodeId: "node-1", epoch: "e1" };
const draft = (message = "") => ({ kind: FactKind.INSTANCE_RUNNING, timeMs: 5, message });

describe("the report log", () => {
  test("numbers facts from 1 and stamps them", () => {
    const log = createReportLog(life);
    log.append(draft());
    const fact = log.append({ ...draft("hello"), requestId: "r" });
    expect(fact).toMatchObject({ nodeId: "node-1", epoch: "e1", sequence: 2n, message: "hello", requestId: "r" });
    expect(log.sequence).toBe(2);
  });

  test("gives what follows a number, nothing after the youngest, and says when it cannot", () => {
    const log = createReportLog(life, { ...REPORT_LOG_LIMITS, factsMax: 3 });
    for (let count = 0; count < 5; count++) log.append(draft());
    expect(log.after(2)?.map(({ sequence }) => sequence)).toEqual([3n, 4n, 5n]);
    expect(log.after(5)).toEqual([]);
    expect(log.after(1)).toBeUndefined();
    expect(log.after(6)).toBeUndefined();
  });

  test("gives the youngest that fit into one report, oldest first", () => {
    const log = createReportLog(life, { ...REPORT_LOG_LIMITS, reportMaxFacts: 2 });
    expect(log.youngest()).toEqual([]);
    log.append(draft());
    expect(log.youngest().map(({ sequence }) => sequence)).toEqual([1n]);
    for (let count = 0; count < 4; count++) log.append(draft());
    expect(log.youngest().map(({ sequence }) => sequence)).toEqual([4n, 5n]);
  });

  test("bounds what it keeps and what it gives by length as well", () => {
    const log = createReportLog(life, {
      factsMax: 100,
      factsMaxBytes: 5_000,
      reportMaxFacts: 100,
      reportMaxBytes: 1_500,
    });
    for (let count = 0; count < 10; count++) log.append(draft("x".repeat(1_000)));
    expect(log.after(5)).toBeUndefined();
    expect(log.after(6)).toHaveLength(2);
    const tiny = createReportLog(life, { factsMax: 100, factsMaxBytes: 10, reportMaxFacts: 100, reportMaxBytes: 10 });
    tiny.append(draft("x".repeat(1_000)));
    expect(tiny.after(0)).toHaveLength(1);
  });

  test("never leaves a gap, whatever its limits and however it is read", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        (factsMax, reportMaxFacts, steps) => {
          const log = createReportLog(life, { ...REPORT_LOG_LIMITS, factsMax, reportMaxFacts });
          let read = 0;
          for (const isWrite of steps) {
            if (isWrite) log.append(draft());
            else {
              const facts = log.after(read);
              if (facts === undefined) {
                expect(log.sequence - read).toBeGreaterThan(factsMax);
                read = log.sequence;
                continue;
              }
              expect(facts.length).toBeLessThanOrEqual(reportMaxFacts);
              for (const fact of facts) expect(Number(fact.sequence)).toBe(++read);
            }
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("epochs", () => {
  test("sort by boot order, also when the clock goes back", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4_000_000_000_000 }), { minLength: 2, maxLength: 20 }),
        (boots) => {
          let lastCounter = 0;
          const epochs = boots.map((nowMs, index) => {
            const { epoch, counter } = nextEpoch({ nowMs, lastCounter, random: (boots.length - index).toString(16) });
            lastCounter = counter;
            return epoch;
          });
          expect(epochs.toSorted()).toEqual(epochs);
          expect(new Set(epochs).size).toBe(epochs.length);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
