/**
 * What a control plane holds of one node: a fold over the node's reports. Pure.
 *
 * Reports may be lost, doubled or reordered. The same set of reports gives an equal state in whatever order they
 * came (test/cp/fold.test.ts), so replicas and cold starts need no special case. `DESIGN.md` explains the form.
 */
import { toBinary } from "@bufbuild/protobuf";
import { NodeInfoSchema, type Load, type NodeInfo, type Provider } from "../gen/wasmatrix/v1/node_pb.ts";
import { FactKind, type Witness } from "../gen/wasmatrix/v1/fact_pb.ts";
import { packedTogether, type HeldFact } from "./fold/held-fact.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import {
  bounded,
  emptyLedger,
  ledgerChanges,
  ledgerIds,
  rebase,
  record,
  settle,
  type AheadEntry,
  type Ledger,
  type LedgerChange,
} from "./fold/ledger.ts";
import { rememberFacts } from "./fold/remembered-facts.ts";
import { addRange, extendCoverage, type SequenceRange } from "./fold/sequence-ranges.ts";
import { addPage, newestWhole, type PendingSnapshot, type SnapshotPage } from "./fold/snapshot-pages.ts";
import { hasEnded } from "./instance-life.ts";

/** One report, as the fold reads it. A registration is a report without facts and without a sequence number. */
export type NodeReport = {
  readonly info: NodeInfo;
  readonly epoch: string;
  /** The sequence number before `facts`; of the newest fact if there are none. */
  readonly afterSequence: bigint;
  readonly facts: readonly HeldFact[];
  readonly snapshot: SnapshotPage | undefined;
  readonly load: Load | undefined;
  readonly leaving: boolean;
  /** By the agent's clock, in nanoseconds since the Unix epoch; 0 if it did not say. */
  readonly sentNs: bigint;
};

/** What is held of one node. Immutable. */
export type NodeFold = {
  readonly epoch: string;
  readonly announced: Announcement;
  /** The agent said that it goes down. */
  readonly leaving: boolean;
  /** All facts of the epoch up to this one are folded in; undefined until a whole snapshot has arrived. */
  readonly coverage: bigint | undefined;
  /** Sequence numbers seen beyond the coverage. */
  readonly ranges: readonly SequenceRange[];
  readonly instances: Ledger<HeldInstance>;
  readonly providers: Ledger<Provider>;
  /** Copies of start orders that the node keeps for instances elsewhere, by instance id. */
  readonly witnesses: Ledger<Witness>;
  readonly snapshots: readonly PendingSnapshot[];
  /** The newest facts over all lives, ascending. */
  readonly facts: readonly HeldFact[];
};

/** What the agent last said of itself and its load. */
export type Announcement = {
  readonly info: NodeInfo;
  readonly load: Load | undefined;
  readonly sequence: bigint;
  readonly sentNs: bigint;
};

/** Bounds of what is held of one node. */
export type FoldLimits = {
  readonly instancesMax: number;
  readonly factsMax: number;
  /** Snapshots in the making, and separate ranges of sequence numbers beyond a gap. */
  readonly unfinishedMax: number;
};

/** What came of one report. */
export type Folded = {
  readonly node: NodeFold;
  /** Facts that were not held before, ascending. */
  readonly news: readonly HeldFact[];
  /** What has changed of what the node holds, in no order. */
  readonly instances: readonly LedgerChange<HeldInstance>[];
  readonly witnesses: readonly LedgerChange<Witness>[];
};

/** Folds one report into what is held of its node (undefined: nothing yet). */
export function foldReport(held: NodeFold | undefined, received: NodeReport, limits: FoldLimits): Folded {
  // Of the facts that come along with a snapshot few are kept, otherwise most.
  const report = received.snapshot ? received : { ...received, facts: packedTogether(received.facts) };
  const { facts, news } = rememberFacts(held?.facts ?? [], report.facts, limits.factsMax);
  if (held && report.epoch < held.epoch) return { node: { ...held, facts }, news, instances: [], witnesses: [] };
  const life = held?.epoch === report.epoch ? held : newLife(report);
  const { node, isAnew } = foldInLife(life, report, limits);
  const touched = <T>(before: Ledger<T> | undefined, after: Ledger<T>, ids: Iterable<string>): Iterable<string> =>
    isAnew || held !== life ? new Set([...(before ? ledgerIds(before) : []), ...ledgerIds(after)]) : ids;
  const instanceIds = new Set(report.facts.flatMap(({ instance }) => instance?.id ?? []));
  const witnessIds = new Set(report.facts.flatMap(({ witness }) => witness?.instanceId ?? []));
  return {
    node: { ...node, facts },
    news,
    instances: ledgerChanges(held?.instances, node.instances, touched(held?.instances, node.instances, instanceIds)),
    witnesses: ledgerChanges(held?.witnesses, node.witnesses, touched(held?.witnesses, node.witnesses, witnessIds)),
  };
}

/** Why the node must send a snapshot after this report, or undefined if the coverage reaches it. */
export function needsSnapshot(node: NodeFold, report: NodeReport): string | undefined {
  if (report.epoch < node.epoch) return `a newer life of the node (${node.epoch}) has reported`;
  const { snapshot } = report;
  // A snapshot that is whole is acknowledged even if facts have come about while its pages travelled: they follow.
  const reached = snapshot ? snapshot.sequence : reportedSequence(report);
  if (node.coverage !== undefined && reached <= node.coverage) return undefined;
  if (snapshot) return `page ${snapshot.page + 1} of ${snapshot.pageCount} is here, others are missing`;
  if (node.coverage === undefined) return "nothing is held of this life of the node";
  return `facts from ${node.coverage + 1n} to ${report.afterSequence} are missing`;
}

/** The newest sequence number of which a report knows. */
export function reportedSequence(report: NodeReport): bigint {
  const last = report.afterSequence + BigInt(report.facts.length);
  return report.snapshot && report.snapshot.sequence > last ? report.snapshot.sequence : last;
}

function newLife(report: NodeReport): NodeFold {
  return {
    epoch: report.epoch,
    announced: announcementOf(report),
    leaving: false,
    coverage: undefined,
    ranges: [],
    instances: emptyLedger(),
    providers: emptyLedger(),
    witnesses: emptyLedger(),
    snapshots: [],
    facts: [],
  };
}

/** `isAnew`: more may have changed than what the facts of the report are about. */
function foldInLife(
  before: NodeFold,
  report: NodeReport,
  limits: FoldLimits,
): { readonly node: NodeFold; readonly isAnew: boolean } {
  const to = report.afterSequence + BigInt(report.facts.length);
  const ranges = addRange(before.ranges, { after: report.afterSequence, to }, limits.unfinishedMax);
  const snapshots = report.snapshot
    ? addPage(before.snapshots, report.snapshot, limits.unfinishedMax)
    : before.snapshots;
  // The snapshot first: of the facts that come along with it most are in it.
  const held = report.snapshot ? applySnapshot({ ...before, snapshots }) : before;
  const unsettled = report.facts.filter((fact) => held.coverage === undefined || fact.sequence > held.coverage);
  const reached = held.coverage === undefined ? undefined : extendCoverage(held.coverage, ranges);
  const news: NodeFold = {
    ...held,
    announced: newerAnnouncement(held.announced, announcementOf(report)),
    leaving: held.leaving || report.leaving,
    coverage: reached?.coverage,
    ranges: reached?.beyond ?? ranges,
    instances: record(held.instances, instanceChanges(unsettled), reached?.coverage),
    providers: record(held.providers, providerChanges(unsettled), reached?.coverage),
    witnesses: record(held.witnesses, witnessChanges(unsettled), reached?.coverage),
    snapshots,
  };
  const settled = settleAll(news);
  const instances = bounded(settled.instances, limits.instancesMax, (instance) => !hasEnded(instance));
  const isAnew = held.instances !== before.instances || instances !== settled.instances;
  return { node: { ...settled, instances }, isAnew };
}

/** Takes a whole snapshot for the settled state, unless the coverage has all that it could say. */
function applySnapshot(node: NodeFold): NodeFold {
  const whole = newestWhole(node.snapshots);
  if (!whole || (node.coverage !== undefined && whole.sequence <= node.coverage)) return node;
  const pages = whole.pages.values();
  const instances = pages.flatMap((page) => page.instances.map((instance) => [instance.id, instance] as const));
  const providers = pages.flatMap((page) => page.providers.map((provider) => [provider.id, provider] as const));
  const witnesses = pages.flatMap((page) => page.witnesses.map((witness) => [witness.instanceId, witness] as const));
  return {
    ...node,
    coverage: whole.sequence,
    instances: rebase(node.instances, instances, whole.sequence),
    providers: rebase(node.providers, providers, whole.sequence),
    witnesses: rebase(node.witnesses, witnesses, whole.sequence),
  };
}

function settleAll(node: NodeFold): NodeFold {
  if (node.coverage === undefined) return node;
  const { coverage, beyond } = extendCoverage(node.coverage, node.ranges);
  return {
    ...node,
    coverage,
    ranges: beyond,
    instances: settle(node.instances, coverage),
    providers: settle(node.providers, coverage),
    witnesses: settle(node.witnesses, coverage),
    snapshots: node.snapshots.filter((snapshot) => snapshot.sequence > coverage),
  };
}

function instanceChanges(facts: readonly HeldFact[]): ReadonlyMap<string, AheadEntry<HeldInstance>> {
  const changes = new Map<string, AheadEntry<HeldInstance>>();
  for (const { sequence, instance, kind } of facts) {
    if (instance)
      changes.set(instance.id, {
        sequence,
        value: kind === FactKind.INSTANCE_FORGOTTEN ? undefined : instance.alone(),
      });
  }
  return changes;
}

function providerChanges(facts: readonly HeldFact[]): ReadonlyMap<string, AheadEntry<Provider>> {
  const changes = new Map<string, AheadEntry<Provider>>();
  for (const { sequence, provider } of facts) if (provider) changes.set(provider.id, { sequence, value: provider });
  return changes;
}

function witnessChanges(facts: readonly HeldFact[]): ReadonlyMap<string, AheadEntry<Witness>> {
  const changes = new Map<string, AheadEntry<Witness>>();
  for (const { sequence, witness, kind } of facts) {
    if (witness)
      changes.set(witness.instanceId, { sequence, value: kind === FactKind.WITNESS_DROPPED ? undefined : witness });
  }
  return changes;
}

function announcementOf(report: NodeReport): Announcement {
  return { info: report.info, load: report.load, sequence: reportedSequence(report), sentNs: report.sentNs };
}

/** The one that knows of more facts; of two that know of as many the one sent later. */
function newerAnnouncement(a: Announcement, b: Announcement): Announcement {
  if (a.info === b.info) return a;
  if (a.sequence !== b.sequence) return a.sequence > b.sequence ? a : b;
  if (a.sentNs !== b.sentNs) return a.sentNs > b.sentNs ? a : b;
  // Sent in the same instant: any fixed choice will do, as long as every replica makes the same.
  return weightOf(a) >= weightOf(b) ? a : b;
}

function weightOf({ info, load }: Announcement): string {
  return `${toBinary(NodeInfoSchema, info).join()}/${load?.instances ?? ""}/${load?.memoryBytes ?? ""}`;
}
