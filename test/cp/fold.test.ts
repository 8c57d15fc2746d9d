import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldReport, needsSnapshot, type FoldLimits, type NodeFold, type NodeReport } from "../../src/cp/fold.ts";
import { ledgerValue, ledgerValues, type Ledger } from "../../src/cp/fold/ledger.ts";
import { FactKind, FactSchema, SnapshotSchema, type Fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { InstanceState, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { LoadSchema } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import {
  factsReport,
  idOf,
  instanceOf,
  lives,
  nodeInfoOf,
  reportOf,
  reportsOf,
  snapshotReports,
  type Life,
} from "./node-history.ts";

const LIMITS: FoldLimits = { instancesMax: 1_000, factsMax: 1_000, unfinishedMax: 16 };

function foldAll(reports: readonly NodeReport[], limits: FoldLimits = LIMITS): NodeFold {
  let node: NodeFold | undefined;
  for (const report of reports) node = foldReport(node, report, limits).node;
  if (!node) throw new Error("no reports");
  return node;
}

function held(node: NodeFold): ReadonlyMap<string, Instance> {
  return new Map([...ledgerValues(node.instances)].map((instance) => [instance.id, instance.whole()]));
}

/** The whole state in a form that can be compared: what came as bytes is taken apart, maps have no order. */
function plain(node: NodeFold): unknown {
  const ledger = <T>({ settled, ahead }: Ledger<T>, taken: (value: T) => unknown): unknown => ({
    settled: new Map(settled.entries().map(([id, value]) => [id, taken(value)])),
    ahead: new Map(
      ahead.entries().map(([id, { sequence, value }]) => [id, { sequence, value: value && taken(value) }]),
    ),
  });
  return {
    ...node,
    instances: ledger(node.instances, (held) => held.whole()),
    providers: ledger(node.providers, (provider) => provider),
    witnesses: ledger(node.witnesses, (witness) => witness),
    facts: node.facts.map((fact) => fact.whole()),
    snapshots: node.snapshots.map(({ pages, ...rest }) => ({
      ...rest,
      pages: new Map(
        pages
          .entries()
          .map(([page, { instances, ...more }]) => [
            page,
            { ...more, instances: instances.map((each) => each.whole()) },
          ]),
      ),
    })),
  };
}

function factOf(sequence: number, instance: Instance, kind: FactKind = FactKind.INSTANCE_RUNNING, epoch = "e1"): Fact {
  return create(FactSchema, { nodeId: "n1", epoch, sequence: BigInt(sequence), kind, instance });
}

function snapshotReport(
  sequence: number,
  instances: readonly Instance[],
  paging = { page: 0, pageCount: 1 },
  epoch = "e1",
): NodeReport {
  return reportOf({
    epoch,
    afterSequence: BigInt(sequence),
    snapshot: create(SnapshotSchema, { sequence: BigInt(sequence), ...paging, instances: [...instances] }),
  });
}

describe("the fold of reports", () => {
  it("gives an equal state for any order of the same reports, with any duplicates", () => {
    const someReports = lives.chain(([first, second]) =>
      fc.tuple(reportsOf(first), reportsOf(second)).map(([a, b]) => [...a, ...b]),
    );
    const shuffled = someReports
      .filter((reports) => reports.length > 0)
      .chain((reports) => fc.tuple(fc.constant(reports), fc.array(fc.constantFrom(...reports), { maxLength: 8 })))
      .chain(([reports, doubled]) =>
        fc.tuple(
          fc.constant(reports),
          fc.shuffledSubarray([...reports, ...doubled], { minLength: reports.length + doubled.length }),
        ),
      );
    fc.assert(
      fc.property(shuffled, ([reports, reordered]) => {
        expect(plain(foldAll(reordered))).toEqual(plain(foldAll(reports)));
      }),
      { numRuns: 1_000 },
    );
  });

  it("does not change when a report is folded in again", () => {
    fc.assert(
      fc.property(
        lives.chain(([life]) => reportsOf(life).filter((reports) => reports.length > 0)),
        (reports) => {
          const node = foldAll(reports);
          for (const report of reports) {
            const again = foldReport(node, report, LIMITS);
            expect(plain(again.node)).toEqual(plain(node));
            expect(again.instances).toEqual([]);
            expect(again.news).toEqual([]);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("holds exactly what the node holds once a snapshot and all later facts are there, in any order", () => {
    const delivered = lives.chain(([earlier, life]: readonly [Life, Life]) =>
      fc
        .tuple(fc.integer({ min: 0, max: life.facts.length }), reportsOf(earlier), reportsOf(life))
        .chain(([at, stale, extra]) => {
          const enough = [...snapshotReports(life, at), factsReport(life, at, life.facts.length)];
          const all = [...stale, ...extra, ...enough];
          return fc.tuple(fc.constant(life), fc.shuffledSubarray(all, { minLength: all.length }));
        }),
    );
    fc.assert(
      fc.property(delivered, ([life, reports]) => {
        const node = foldAll(reports);
        const truth = life.states.at(-1);
        expect(node.coverage).toBe(BigInt(life.facts.length));
        expect(held(node)).toEqual(truth?.instances);
        expect(new Map([...ledgerValues(node.providers)].map((provider) => [provider.id, provider]))).toEqual(
          truth?.providers,
        );
        expect(node.instances.ahead.size).toBe(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it("does not resurrect an instance that a snapshot lacks, when older facts about it come late", () => {
    const node = foldAll([snapshotReport(5, []), reportOf({ facts: [factOf(1, instanceOf({ id: idOf(1) }))] })]);
    expect(held(node).size).toBe(0);
  });

  it("does not resurrect a forgotten instance when a snapshot from before comes late", () => {
    const instance = instanceOf({ id: idOf(1) });
    const forgotten = reportOf({ afterSequence: 2n, facts: [factOf(3, instance, FactKind.INSTANCE_FORGOTTEN)] });
    expect(
      held(
        foldAll([
          snapshotReport(1, []),
          reportOf({ afterSequence: 1n, facts: [factOf(2, instance)] }),
          forgotten,
          snapshotReport(2, [instance]),
        ]),
      ).size,
    ).toBe(0);
    // The same snapshot without the later fact does hold it.
    expect(held(foldAll([snapshotReport(1, []), snapshotReport(2, [instance])])).size).toBe(1);
  });

  it("applies a snapshot only when all of its pages are there", () => {
    const [one, two] = [instanceOf({ id: idOf(1) }), instanceOf({ id: idOf(2) })];
    const first = foldAll([snapshotReport(4, [one], { page: 0, pageCount: 2 })]);
    expect(first.coverage).toBeUndefined();
    expect(held(first).size).toBe(0);
    const whole = foldReport(first, snapshotReport(4, [two], { page: 1, pageCount: 2 }), LIMITS).node;
    expect(whole.coverage).toBe(4n);
    expect([...held(whole).keys()].sort()).toEqual([one.id, two.id].sort());
    expect(whole.snapshots).toEqual([]);
  });

  it("keeps a later fact over a snapshot from before it", () => {
    const stopped = instanceOf({ id: idOf(1), state: InstanceState.STOPPED });
    const node = foldAll([
      reportOf({ afterSequence: 8n, facts: [factOf(9, stopped)] }),
      snapshotReport(7, [instanceOf({ id: idOf(1) })]),
    ]);
    expect(ledgerValue(node.instances, idOf(1))?.state).toBe(InstanceState.STOPPED);
  });

  it("lets the greatest life of a node win, and keeps the facts of earlier ones", () => {
    const old = reportOf({ epoch: "e1", facts: [factOf(1, instanceOf({ id: idOf(1) }))] });
    const node = foldAll([snapshotReport(0, [], { page: 0, pageCount: 1 }, "e2"), old]);
    expect(node.epoch).toBe("e2");
    expect(held(node).size).toBe(0);
    expect(node.facts.map((fact) => fact.epoch)).toEqual(["e1"]);
  });

  it("remembers only that a node leaves within the life that said so", () => {
    const left = foldAll([
      snapshotReport(1, []),
      reportOf({ afterSequence: 1n, leaving: true }),
      reportOf({ afterSequence: 1n }),
    ]);
    expect(left.leaving).toBe(true);
    expect(foldReport(left, reportOf({ epoch: "e2" }), LIMITS).node.leaving).toBe(false);
  });

  it("takes the announcement that knows of most, then the one sent last", () => {
    const labelled = (label: string, sequence: bigint, sentNs: bigint): NodeReport =>
      reportOf({
        info: nodeInfoOf({ labels: { label } }),
        afterSequence: sequence,
        sentNs,
        load: create(LoadSchema, { instances: 1 }),
      });
    const node = foldAll([labelled("newest", 2n, 5n), labelled("older", 2n, 4n), labelled("oldest", 1n, 9n)]);
    expect(node.announced.info.labels).toEqual({ label: "newest" });
  });

  it("keeps the newest facts within its limit", () => {
    const reports = Array.from({ length: 10 }, (_, index) =>
      reportOf({ afterSequence: BigInt(index), facts: [factOf(index + 1, instanceOf({ id: idOf(1) }))] }),
    );
    const node = foldAll(reports, { ...LIMITS, factsMax: 3 });
    expect(node.facts.map((fact) => fact.sequence)).toEqual([8n, 9n, 10n]);
    expect(foldReport(node, reports[0] ?? reportOf(), { ...LIMITS, factsMax: 3 }).news).toEqual([]);
  });

  it("keeps at most the allowed number of instances, live ones first", () => {
    const ended = Array.from({ length: 5 }, (_, index) =>
      instanceOf({ id: idOf(index), state: InstanceState.STOPPED }),
    );
    const live = instanceOf({ id: idOf(9) });
    expect(held(foldAll([snapshotReport(1, [...ended, live])], { ...LIMITS, instancesMax: 3 })).has(live.id)).toBe(
      true,
    );
    expect(held(foldAll([snapshotReport(1, [...ended, live])], { ...LIMITS, instancesMax: 3 })).size).toBe(3);
    expect(held(foldAll([snapshotReport(1, [...ended, live])], { ...LIMITS, instancesMax: 6 })).size).toBe(6);
  });

  it("keeps at most the allowed number of unfinished snapshots", () => {
    const pages = Array.from({ length: 5 }, (_, index) => snapshotReport(index + 1, [], { page: 0, pageCount: 2 }));
    expect(foldAll(pages, { ...LIMITS, unfinishedMax: 2 }).snapshots.map((each) => each.sequence)).toEqual([4n, 5n]);
  });
});

describe("what a report is answered", () => {
  const whole = foldAll([snapshotReport(3, [])]);

  it("is nothing to send when the coverage reaches the report", () => {
    expect(needsSnapshot(whole, reportOf({ afterSequence: 3n }))).toBeUndefined();
    expect(needsSnapshot(whole, reportOf({ afterSequence: 1n }))).toBeUndefined();
  });

  it("asks for a snapshot on a gap, and names it", () => {
    const report = reportOf({ afterSequence: 5n, facts: [factOf(6, instanceOf({ id: idOf(1) }))] });
    const { node } = foldReport(whole, report, LIMITS);
    expect(needsSnapshot(node, report)).toBe("facts from 4 to 5 are missing");
    const filled = foldReport(
      node,
      reportOf({
        afterSequence: 3n,
        facts: [factOf(4, instanceOf({ id: idOf(1) })), factOf(5, instanceOf({ id: idOf(1) }))],
      }),
      LIMITS,
    ).node;
    expect(filled.coverage).toBe(6n);
    expect(needsSnapshot(filled, report)).toBeUndefined();
  });

  it("asks for a snapshot when nothing is held of the node or of its present life", () => {
    const report = reportOf({ epoch: "e2", afterSequence: 0n });
    expect(needsSnapshot(foldReport(whole, report, LIMITS).node, report)).toContain("nothing is held");
  });

  it("asks for a snapshot from a life that a newer one has followed", () => {
    expect(needsSnapshot(whole, reportOf({ epoch: "e0", afterSequence: 1n }))).toContain("newer life");
  });

  it("acknowledges a whole snapshot although facts have come about while its pages travelled", () => {
    const report = { ...snapshotReport(4, []), afterSequence: 9n };
    const node = foldAll([report]);
    expect(needsSnapshot(node, report)).toBeUndefined();
    expect(node.coverage).toBe(4n);
  });

  it("says which page has come while others are awaited", () => {
    const report = snapshotReport(9, [], { page: 1, pageCount: 3 });
    expect(needsSnapshot(foldAll([report]), report)).toBe("page 2 of 3 is here, others are missing");
  });
});
