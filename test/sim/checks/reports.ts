/** What agents report: facts that stay what they are, in order; and control planes that make the same of them in whatever order they come. */
import { toBinary } from "@bufbuild/protobuf";
import { foldReport, type NodeFold, type NodeReport } from "../../../src/cp/fold.ts";
import type { Ledger } from "../../../src/cp/fold/ledger.ts";
import { nodeReportFromPacked, packedFromRequest } from "../../../src/cp/take-report.ts";
import type { ReportStatusRequest } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactSchema, WitnessSchema, type Fact } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { InstanceSchema } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeInfoSchema, ProviderSchema } from "../../../src/gen/wasmatrix/v1/node_pb.ts";
import type { History, Watcher } from "../history.ts";
import type { Random } from "../random.ts";
import { hasForgotten } from "./runs.ts";

/** Reports of one node that are kept for folding. */
const REPORTS_MAX = 120;

/** See the top of the file. */
export interface Reports extends Watcher {
  /** Judges all that was reported, once, at the end. */
  judge(random: Random): void;
}

/** Begins to watch. */
export function watchReports(history: History): Reports {
  const reports = new Map<string, ReportStatusRequest[]>();
  /** By node, epoch and sequence. */
  const facts = new Map<string, Fact>();

  return {
    onReport(report) {
      const nodeId = report.info?.nodeId ?? "";
      const kept = reports.get(nodeId) ?? [];
      reports.set(nodeId, kept);
      if (kept.length < REPORTS_MAX) kept.push(report);
      for (const fact of report.facts) noteFact(fact);
    },
    judge(random) {
      judgeOrder(history, [...facts.values()]);
      for (const [nodeId, kept] of reports) {
        const all = kept.map((report) => nodeReportFromPacked(packedFromRequest(report)));
        const states = [all, shuffled(random, [...all, ...all.slice(0, 20)])].map((some) => textOfFold(foldAll(some)));
        if (new Set(states).size > 1) history.fail(`the reports of ${nodeId} make another state in another order`);
      }
    },
  };

  function noteFact(fact: Fact): void {
    const name = `${fact.nodeId}/${fact.epoch}/${fact.sequence}`;
    const known = facts.get(name);
    if (known === undefined) facts.set(name, fact);
    else if (known !== fact && !Buffer.from(toBinary(FactSchema, known)).equals(toBinary(FactSchema, fact)))
      history.fail(`fact ${name} was told in two ways`);
  }
}

/** Facts of an instance are monotone in (generation, sequence) within what a node remembers. */
function judgeOrder(history: History, facts: readonly Fact[]): void {
  const latest = new Map<string, { readonly epoch: string; readonly generation: bigint }>();
  const ordered = facts.toSorted((a, b) =>
    a.epoch === b.epoch ? Number(a.sequence - b.sequence) : a.epoch < b.epoch ? -1 : 1,
  );
  for (const { nodeId, epoch, sequence, instance } of ordered) {
    if (instance === undefined) continue;
    const key = `${nodeId}/${instance.id}`;
    const before = latest.get(key);
    const isComparable = before !== undefined && (before.epoch === epoch || !hasForgotten(history));
    if (isComparable && instance.generation < before.generation)
      history.fail(
        `${nodeId} told of instance ${instance.id} in generation ${instance.generation} (fact ${sequence}) after generation ${before.generation}`,
      );
    latest.set(key, { epoch, generation: instance.generation });
  }
}

function foldAll(reports: readonly NodeReport[]): NodeFold | undefined {
  // Bounds that are never reached: only past them may the order show.
  const limits = { instancesMax: 100_000, factsMax: 100_000, unfinishedMax: 100_000 };
  let node: NodeFold | undefined;
  for (const report of reports) node = foldReport(node, report, limits).node;
  return node;
}

/** The state as text: equal texts are equal states. */
function textOfFold(node: NodeFold | undefined): string {
  if (node === undefined) return "";
  const { epoch, announced, leaving, coverage, ranges, instances, providers, witnesses, snapshots, facts } = node;
  return [
    `${epoch} ${leaving} ${coverage} ${announced.sequence} ${announced.sentNs} ${announced.load?.instances}/${announced.load?.memoryBytes}`,
    hex(toBinary(NodeInfoSchema, announced.info)),
    ranges.map(({ after, to }) => `${after}-${to}`).join(),
    textOfLedger(instances, (value) => toBinary(InstanceSchema, value.whole())),
    textOfLedger(providers, (value) => toBinary(ProviderSchema, value)),
    textOfLedger(witnesses, (value) => toBinary(WitnessSchema, value)),
    snapshots
      .map(
        ({ sequence, pageCount, pages }) =>
          `${sequence} ${pageCount} ${[...pages.keys()].toSorted((a, b) => a - b).join()}`,
      )
      .join(";"),
    facts.map((fact) => `${fact.epoch}/${fact.sequence}`).join(),
  ].join("\n");
}

function textOfLedger<T>({ settled, ahead }: Ledger<T>, bytes: (value: T) => Uint8Array): string {
  const lines = [
    ...[...settled].map(([id, value]) => `${id} ${hex(bytes(value))}`),
    ...[...ahead].map(
      ([id, { sequence, value }]) => `${id} ahead ${sequence} ${value === undefined ? "forgotten" : hex(bytes(value))}`,
    ),
  ];
  return lines.toSorted().join(";");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function shuffled<T>(random: Random, items: readonly T[]): readonly T[] {
  const result = [...items];
  for (let index = result.length - 1; index > 0; index--) {
    const other = random.whole(0, index);
    const [a, b] = [result[index], result[other]];
    if (a !== undefined && b !== undefined) [result[index], result[other]] = [b, a];
  }
  return result;
}
