import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { instanceFromRecord } from "../../src/agent/instance-record.ts";
import { createReportLog } from "../../src/agent/report-log.ts";
import { hasMore, planReport, positionAfter, snapshotPages, type ReportPosition } from "../../src/agent/report-plan.ts";
import { ReportStatusResponseSchema } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { recordOf } from "./records.ts";

type Holds = NonNullable<MessageInitShape<typeof ReportStatusResponseSchema>["holds"]>;
const response = (holds: Holds) => create(ReportStatusResponseSchema, { holds });
const acknowledged = (sequence: number, epoch = "e1") =>
  response({ case: "acknowledged", value: { epoch, sequence: BigInt(sequence) } });
const needSnapshot = response({ case: "needSnapshot", value: { why: "gap" } });

function logWith(count: number) {
  const log = createReportLog({ nodeId: "n", epoch: "e1" });
  for (let index = 0; index < count; index++) log.append({ kind: FactKind.INSTANCE_RUNNING, timeMs: 1, message: "" });
  return log;
}

const pagesOf = (count: number, pageMaxInstances: number, sequence = 3) =>
  snapshotPages(
    {
      sequence,
      instances: Array.from({ length: count }, (_, index) => instanceFromRecord(recordOf({ id: String(index) }))),
      providers: [],
    },
    { pageMaxInstances, pageMaxBytes: 1_000_000 },
  );

describe("what is reported next", () => {
  test("is a snapshot at first, facts when there are some, else a heartbeat", () => {
    const log = logWith(3);
    expect(planReport({ kind: "behind" }, log).kind).toBe("take-snapshot");
    expect(planReport({ kind: "holds", sequence: 1 }, log)).toMatchObject({
      kind: "facts",
      after: 1,
      facts: [{ sequence: 2n }, { sequence: 3n }],
    });
    expect(planReport({ kind: "holds", sequence: 3 }, log).kind).toBe("heartbeat");
  });

  test("is a snapshot again if facts are no longer kept, or the control plane claims some that never were", () => {
    expect(planReport({ kind: "holds", sequence: 9 }, logWith(3)).kind).toBe("take-snapshot");
  });
});

describe("what a response tells", () => {
  const log = logWith(5);
  const holds: ReportPosition = { kind: "holds", sequence: 2 };

  test("is how far the control plane is", () => {
    expect(positionAfter(holds, acknowledged(4), log)).toEqual({ kind: "holds", sequence: 4 });
    expect(hasMore({ kind: "holds", sequence: 4 }, log)).toBe(true);
    expect(hasMore({ kind: "holds", sequence: 5 }, log)).toBe(false);
  });

  test("of another epoch, of facts that never were, or nothing at all, is that a snapshot is needed", () => {
    for (const other of [
      acknowledged(4, "e0"),
      acknowledged(6),
      needSnapshot,
      create(ReportStatusResponseSchema, {}),
    ]) {
      expect(positionAfter(holds, other, log)).toEqual({ kind: "behind" });
    }
  });

  test("amid a snapshot is the next page, whatever it says, until the last", () => {
    const pages = pagesOf(3, 1);
    const second = positionAfter({ kind: "paging", pages, next: 0 }, needSnapshot, log);
    expect(second).toEqual({ kind: "paging", pages, next: 1 });
    expect(positionAfter(second, acknowledged(1), log)).toEqual({ kind: "paging", pages, next: 2 });
    expect(positionAfter({ kind: "paging", pages, next: 2 }, acknowledged(3), log)).toEqual({
      kind: "holds",
      sequence: 3,
    });
    expect(positionAfter({ kind: "paging", pages, next: 2 }, needSnapshot, log)).toEqual({ kind: "behind" });
  });
});

describe("the pages of a snapshot", () => {
  test("hold every instance once, in order, with providers on the first", () => {
    fc.assert(
      fc.property(fc.nat(30), fc.integer({ min: 1, max: 7 }), (count, pageMaxInstances) => {
        const pages = pagesOf(count, pageMaxInstances);
        expect(pages.flatMap(({ instances }) => instances.map(({ id }) => id))).toEqual(
          Array.from({ length: count }, (_, index) => String(index)),
        );
        expect(pages.map(({ page }) => page)).toEqual(pages.map((_, index) => index));
        for (const { pageCount, instances } of pages) {
          expect(pageCount).toBe(Math.max(1, Math.ceil(count / pageMaxInstances)));
          expect(instances.length).toBeLessThanOrEqual(pageMaxInstances);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("are cut by length as well", () => {
    const instances = Array.from({ length: 4 }, () => instanceFromRecord(recordOf()));
    expect(
      snapshotPages({ sequence: 1, instances, providers: [] }, { pageMaxInstances: 100, pageMaxBytes: 10 }),
    ).toHaveLength(4);
  });
});
