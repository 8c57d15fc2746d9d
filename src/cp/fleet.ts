/** What a control plane holds of all nodes: the one mutable place of its state. */
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import type { Witness } from "../gen/wasmatrix/v1/fact_pb.ts";
import { createFleetIndex, type FleetIndex } from "./fleet-index.ts";
import { foldReport, needsSnapshot, reportedSequence, type NodeFold, type NodeReport } from "./fold.ts";
import type { HeldFact } from "./fold/held-fact.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import { ledgerIds, ledgerValue, ledgerValues, type LedgerChange } from "./fold/ledger.ts";
import { isHeard, type HeldNode, type SilencePolicy } from "./fleet-view.ts";

/** Bounds of what a control plane holds. */
export type FleetLimits = {
  /** Default 10,000. One more is refused unless a silent one can make room. */
  readonly nodesMax: number;
  /** Of one node, ended ones included. Default 20,000. */
  readonly instancesPerNodeMax: number;
  /** Remembered facts of one node. Default 2,000. */
  readonly factsPerNodeMax: number;
  /** Remembered facts of all nodes: with many nodes each gets an equal share. Default 100,000. */
  readonly factsMax: number;
};

/** The defaults of `FleetLimits`. */
export const FLEET_LIMITS: FleetLimits = {
  nodesMax: 10_000,
  instancesPerNodeMax: 20_000,
  factsPerNodeMax: 2_000,
  factsMax: 100_000,
};

/** Said after a report has been folded in. It means "look again": what changed is read from the fleet. */
export type FleetChange = {
  readonly node: HeldNode;
  /** Facts that were not held before. */
  readonly news: readonly HeldFact[];
  /** What has changed of what the node holds. */
  readonly instances: readonly LedgerChange<HeldInstance>[];
  readonly witnesses: readonly LedgerChange<Witness>[];
  /** The report carried a page of a snapshot: its facts are the past that came along, and what the node holds may have changed without them. */
  readonly withSnapshot: boolean;
};

/** What a report has led to. */
export type ReportOutcome =
  | { readonly kind: "acknowledged"; readonly epoch: string; readonly sequence: bigint }
  | { readonly kind: "need-snapshot"; readonly why: string };

/** The nodes that have reported, and what is held of each. */
export interface Fleet {
  /** Folds a report in. Throws `TOO_MANY_REQUESTS` if there are too many nodes to take in another. */
  report(report: NodeReport): ReportOutcome;
  node(nodeId: string): HeldNode | undefined;
  nodes(): Iterable<HeldNode>;
  /** The nodes whose first whole snapshot has not come, silent ones too. */
  unfinishedNodes(): Iterable<HeldNode>;
  /** The nodes that hold this instance, live or ended: one, unless a key was placed twice. */
  nodesWithInstance(id: string): Iterable<HeldNode>;
  /** Ids of the instances that more than one node holds. */
  doubledIds(): Iterable<string>;
  /** Where instances are found. */
  readonly index: Omit<FleetIndex, "apply">;
  /** Calls `listener` after each report until the function returned is called. */
  onChange(listener: (change: FleetChange) => void): () => void;
  /** Calls `listener` when a node that was silent for long has made room for another, with what was held of it last. */
  onForgotten(listener: (node: HeldNode) => void): () => void;
}

/** What a fleet needs. */
export type FleetDeps = {
  readonly clock: Pick<Clock, "nowMs" | "steadyMs">;
  readonly silence: SilencePolicy;
  readonly limits: FleetLimits;
};

/** Makes a fleet that holds nothing. */
export function createFleet(deps: FleetDeps): Fleet {
  const { limits } = deps;
  const held = new Map<string, HeldNode>();
  const unfinished = new Map<string, HeldNode>();
  const index = createFleetIndex(function* () {
    for (const { fold } of held.values()) yield* ledgerValues(fold.instances);
  });
  const listeners = new Set<(change: FleetChange) => void>();
  const forgottenListeners = new Set<(node: HeldNode) => void>();

  const forget = (node: HeldNode): void => {
    const { nodeId, fold } = node;
    held.delete(nodeId);
    unfinished.delete(nodeId);
    const gone = [...ledgerIds(fold.instances)];
    index.apply(
      nodeId,
      gone.map((id) => ({ id, before: ledgerValue(fold.instances, id), after: undefined })),
    );
    for (const listener of forgottenListeners) listener(node);
  };
  function* holders(nodeIds: Iterable<string>): Generator<HeldNode> {
    for (const nodeId of nodeIds) {
      const node = held.get(nodeId);
      if (node) yield node;
    }
  }

  return {
    report(report) {
      const { nodeId } = report.info;
      const before = held.get(nodeId);
      if (!before && held.size >= limits.nodesMax) forget(longestSilent(held.values(), deps, nodeId));
      const share = Math.max(1, Math.floor(limits.factsMax / Math.max(1, held.size)));
      const {
        node: fold,
        news,
        instances,
        witnesses,
      } = foldReport(before?.fold, report, {
        instancesMax: limits.instancesPerNodeMax,
        factsMax: Math.min(limits.factsPerNodeMax, share),
        unfinishedMax: 8,
      });
      const node: HeldNode = { nodeId, fold, times: timesAfter(before, fold, report, deps.clock) };
      held.set(nodeId, node);
      if (fold.coverage === undefined) unfinished.set(nodeId, node);
      else unfinished.delete(nodeId);
      index.apply(nodeId, instances);
      const change: FleetChange = { node, news, instances, witnesses, withSnapshot: report.snapshot !== undefined };
      for (const listener of listeners) listener(change);
      const why = needsSnapshot(fold, report);
      if (why !== undefined) return { kind: "need-snapshot", why };
      return { kind: "acknowledged", epoch: fold.epoch, sequence: fold.coverage ?? 0n };
    },
    node: (nodeId) => held.get(nodeId),
    nodes: () => held.values(),
    unfinishedNodes: () => unfinished.values(),
    nodesWithInstance: (id) => holders(index.nodeIdsOf(id)),
    doubledIds: () => index.doubledIds(),
    index,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    onForgotten(listener) {
      forgottenListeners.add(listener);
      return () => void forgottenListeners.delete(listener);
    },
  };
}

/** A report of an older life is no sign of the present one. */
function timesAfter(
  before: HeldNode | undefined,
  fold: NodeFold,
  report: NodeReport,
  clock: FleetDeps["clock"],
): HeldNode["times"] {
  if (before && report.epoch < fold.epoch) return before.times;
  const whole = fold.coverage !== undefined && reportedSequence(report) <= fold.coverage;
  const earlier = before?.fold.epoch === fold.epoch ? before.times.confirmedMs : undefined;
  const nowMs = clock.nowMs();
  return { lastReportSteadyMs: clock.steadyMs(), lastReportMs: nowMs, confirmedMs: whole ? nowMs : earlier };
}

/** The silent node that has been so for longest: it makes room for a new one. */
function longestSilent(nodes: Iterable<HeldNode>, deps: FleetDeps, newcomer: string): HeldNode {
  let oldest: HeldNode | undefined;
  for (const node of nodes) {
    if (isHeard(node, deps.clock.steadyMs(), deps.silence)) continue;
    if (!oldest || node.times.lastReportSteadyMs < oldest.times.lastReportSteadyMs) oldest = node;
  }
  if (oldest) return oldest;
  throw fault(
    Reason.TOO_MANY_REQUESTS,
    `Cannot take in node "${newcomer}": ${deps.limits.nodesMax} nodes report already, and that is the limit`,
    {
      subject: newcomer,
    },
  );
}
