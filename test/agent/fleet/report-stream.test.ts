import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { reportStream, type ReportStreamDeps } from "../../../src/agent/fleet/report-stream.ts";
import { createReportLog, type ReportLog } from "../../../src/agent/report-log.ts";
import { snapshotPages, type ReportPosition } from "../../../src/agent/report-plan.ts";
import { createFleet, FLEET_LIMITS } from "../../../src/cp/fleet.ts";
import { packedFromRequest, takeReport } from "../../../src/cp/take-report.ts";
import type { ReportStatusRequest } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { LoadSchema } from "../../../src/gen/wasmatrix/v1/node_pb.ts";
import { silentLog } from "../../../src/log.ts";
import { nodeInfoOf } from "../../cp/node-history.ts";
import { createPlainEntropy, createVirtualClock, type VirtualClock } from "../virtual-clock.ts";

const open: AbortController[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.abort();
});

type Node = {
  readonly clock: VirtualClock;
  readonly facts: ReportLog;
  readonly leaving: AbortController;
  /** Something happens. */
  happen(): void;
  /** Begins to read from a position; what came is collected. */
  read(from: ReportPosition): { readonly reports: ReportStatusRequest[]; readonly isDone: () => boolean; stop(): void };
};

function createNode(): Node {
  const clock = createVirtualClock();
  const facts = createReportLog({ nodeId: "n1", epoch: "e1" });
  const leaving = new AbortController();
  const listeners = new Set<() => void>();
  const deps: ReportStreamDeps = {
    facts,
    nodeInfo: () => nodeInfoOf(),
    load: () => create(LoadSchema, { instances: facts.sequence }),
    takeSnapshot: () => snapshotPages({ sequence: facts.sequence, instances: [], providers: [], witnesses: [] }),
    clock,
    entropy: createPlainEntropy(),
    leaving: leaving.signal,
    onFact(wake) {
      listeners.add(wake);
      return () => listeners.delete(wake);
    },
  };
  return {
    clock,
    facts,
    leaving,
    happen() {
      facts.append({ kind: FactKind.NODE_STARTED, message: "", timeMs: clock.nowMs() });
      for (const wake of listeners) wake();
    },
    read(from) {
      const end = new AbortController();
      open.push(end);
      const reports: ReportStatusRequest[] = [];
      let isDone = false;
      void (async () => {
        for await (const report of reportStream(deps, from, 5_000, end.signal)) reports.push(report);
        isDone = true;
      })();
      return { reports, isDone: () => isDone, stop: () => end.abort() };
    },
  };
}

describe("a stream of reports", () => {
  test("begins with a snapshot for who holds nothing, and with what is missing for who holds something", async () => {
    const node = createNode();
    for (let count = 0; count < 3; count++) node.happen();
    const [empty, some] = [node.read({ kind: "behind" }), node.read({ kind: "holds", sequence: 2 })];
    await node.clock.advance(0);
    expect(empty.reports).toMatchObject([{ snapshot: { sequence: 3n, page: 0, pageCount: 1 } }]);
    expect(some.reports).toMatchObject([{ afterSequence: 2n, facts: [{ sequence: 3n }] }]);
  });

  test("carries news at once, and a heartbeat when nothing happens for an interval", async () => {
    const node = createNode();
    const { reports } = node.read({ kind: "holds", sequence: 0 });
    await node.clock.advance(1_000);
    expect(reports).toHaveLength(1);
    node.happen();
    await node.clock.advance(0);
    expect(reports.at(-1)).toMatchObject({ facts: [{ sequence: 1n }] });
    await node.clock.advance(5_000);
    expect(reports).toHaveLength(3);
    expect(reports.at(-1)).toMatchObject({ facts: [], afterSequence: 1n });
  });

  test("ends with a report that says so when the agent goes down, and without one when its reader goes away", async () => {
    const node = createNode();
    const [stays, goes] = [node.read({ kind: "holds", sequence: 0 }), node.read({ kind: "holds", sequence: 0 })];
    await node.clock.advance(0);
    goes.stop();
    await node.clock.advance(0);
    expect(goes.isDone()).toBe(true);
    node.happen();
    node.leaving.abort();
    await node.clock.advance(0);
    expect(stays.isDone()).toBe(true);
    expect(stays.reports.at(-1)).toMatchObject({ leaving: true });
    expect(goes.reports.at(-1)).toMatchObject({ leaving: false });
  });

  test("brings whoever reads it to all that happened, wherever he stood and whenever news came", async () => {
    const turns = fc.array(fc.constantFrom("news" as const, "time" as const), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.nat(5), fc.option(fc.nat(5)), turns, async (before, held, then) => {
        const node = createNode();
        for (let count = 0; count < before; count++) node.happen();
        const sequence = held === null ? undefined : Math.min(held, before);
        const reading = node.read(sequence === undefined ? { kind: "behind" } : { kind: "holds", sequence });
        for (const turn of then) {
          if (turn === "news") node.happen();
          else await node.clock.advance(1_300);
        }
        await node.clock.advance(0);
        reading.stop();
        const silence = { suspectAfterMs: 7_500, lostAfterMs: 10_000 };
        const fleet = createFleet({ clock: node.clock, silence, limits: FLEET_LIMITS });
        // Who held something held it from a stream before.
        const earlier = node.read({ kind: "behind" });
        await node.clock.advance(0);
        earlier.stop();
        const reports = sequence === undefined ? reading.reports : [...earlier.reports.slice(0, 1), ...reading.reports];
        const outcomes = reports.map((report) => takeReport({ fleet, log: silentLog }, packedFromRequest(report)));
        expect(outcomes.at(-1)).toMatchObject({ kind: "acknowledged", sequence: BigInt(node.facts.sequence) });
      }),
      { numRuns: 100 },
    );
  });
});
