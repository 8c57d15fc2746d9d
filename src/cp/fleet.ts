/** What a control plane holds of all nodes: the one mutable place of its state. */
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import type { Fact } from "../gen/wasmatrix/v1/fact_pb.ts";
import { foldReport, needsSnapshot, reportedSequence, type NodeFold, type NodeReport } from "./fold.ts";
import { instancesByName } from "./fold/instances-by-name.ts";
import { ledgerIds } from "./fold/ledger.ts";
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
  readonly news: readonly Fact[];
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
  /** The nodes that hold an instance of this name, live or ended. */
  nodesWithName(name: string): Iterable<HeldNode>;
  /** The nodes that hold this instance, live or ended: one, unless a key was placed twice. */
  nodesWithInstance(id: string): Iterable<HeldNode>;
  /** Ids of the instances that more than one node holds. */
  doubledIds(): Iterable<string>;
  /** Calls `listener` after each report until the function returned is called. */
  onChange(listener: (change: FleetChange) => void): () => void;
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
  const byName = createHolderIndex();
  const byId = createHolderIndex();
  const listeners = new Set<(change: FleetChange) => void>();

  const forget = (nodeId: string): void => {
    held.delete(nodeId);
    byName.update(nodeId, new Set());
    byId.update(nodeId, new Set());
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
      const { node: fold, news } = foldReport(before?.fold, report, {
        instancesMax: limits.instancesPerNodeMax,
        factsMax: Math.min(limits.factsPerNodeMax, share),
        unfinishedMax: 8,
      });
      const node: HeldNode = { nodeId, fold, times: timesAfter(before, fold, report, deps.clock) };
      held.set(nodeId, node);
      if (before?.fold.instances !== fold.instances) {
        byName.update(nodeId, instancesByName(fold.instances));
        byId.update(nodeId, new Set(ledgerIds(fold.instances)));
      }
      for (const listener of listeners) listener({ node, news, withSnapshot: report.snapshot !== undefined });
      const why = needsSnapshot(fold, report);
      if (why !== undefined) return { kind: "need-snapshot", why };
      return { kind: "acknowledged", epoch: fold.epoch, sequence: fold.coverage ?? 0n };
    },
    node: (nodeId) => held.get(nodeId),
    nodes: () => held.values(),
    nodesWithName: (name) => holders(byName.nodeIds(name)),
    nodesWithInstance: (id) => holders(byId.nodeIds(id)),
    doubledIds: () => byId.shared(),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
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
function longestSilent(nodes: Iterable<HeldNode>, deps: FleetDeps, newcomer: string): string {
  let oldest: HeldNode | undefined;
  for (const node of nodes) {
    if (isHeard(node, deps.clock.steadyMs(), deps.silence)) continue;
    if (!oldest || node.times.lastReportSteadyMs < oldest.times.lastReportSteadyMs) oldest = node;
  }
  if (oldest) return oldest.nodeId;
  throw fault(
    Reason.TOO_MANY_REQUESTS,
    `Cannot take in node "${newcomer}": ${deps.limits.nodesMax} nodes report already, and that is the limit`,
    {
      subject: newcomer,
    },
  );
}

/** Which nodes hold a key (the name or the id of an instance), so that nobody need look at all of them. */
function createHolderIndex(): {
  update(nodeId: string, keys: KeySet): void;
  nodeIds(key: string): Iterable<string>;
  /** Keys that several nodes hold. */
  shared(): Iterable<string>;
} {
  const nodesOf = new Map<string, Set<string>>();
  const keysAt = new Map<string, KeySet>();
  const shared = new Set<string>();
  const add = (key: string, nodeId: string): void => {
    const nodes = nodesOf.get(key) ?? new Set();
    nodesOf.set(key, nodes.add(nodeId));
    if (nodes.size > 1) shared.add(key);
  };
  const remove = (key: string, nodeId: string): void => {
    const nodes = nodesOf.get(key);
    nodes?.delete(nodeId);
    if (nodes?.size === 0) nodesOf.delete(key);
    if (nodes === undefined || nodes.size < 2) shared.delete(key);
  };
  return {
    update(nodeId, keys) {
      const before = keysAt.get(nodeId);
      if (keys.size === 0) keysAt.delete(nodeId);
      else keysAt.set(nodeId, keys);
      for (const key of before?.keys() ?? []) if (!keys.has(key)) remove(key, nodeId);
      for (const key of keys.keys()) if (!before?.has(key)) add(key, nodeId);
    },
    nodeIds: (key) => nodesOf.get(key) ?? [],
    shared: () => shared,
  };
}

type KeySet = Pick<ReadonlySet<string>, "has" | "keys" | "size">;
