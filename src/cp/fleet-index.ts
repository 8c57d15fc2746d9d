/** Where instances are found, kept up to date at the cost of each change: by id, by name, by label, by state, and in the order of their ids. */
import type { InstanceState } from "../gen/wasmatrix/v1/instance_pb.ts";
import { labelText, type HeldInstance } from "./fold/held-instance.ts";
import type { LedgerChange } from "./fold/ledger.ts";
import { hasEnded } from "./instance-life.ts";
import { createSortedList } from "./sorted-list.ts";

/** An instance, and the node that reports it. */
export type Holding = { readonly instance: HeldInstance; readonly nodeId: string };

/** See the top of the file. */
export interface FleetIndex {
  /** Takes in what a report has changed. */
  apply(nodeId: string, changes: readonly LedgerChange<HeldInstance>[]): void;
  /** The nodes that hold an id: one, unless a key was placed twice. */
  nodeIdsOf(id: string): Iterable<string>;
  /** Ids that several nodes hold. */
  doubledIds(): Iterable<string>;
  /** All ids after this one, ascending. */
  idsAfter(id: string): Iterable<string>;
  named(name: string): Holdings;
  labelled(key: string, value: string): Holdings;
  /** How many live instances of a name each node has; nodes without one are left out. */
  liveNamed(name: string): ReadonlyMap<string, number>;
  /** How many instances of a node are in each state. */
  statesAt(nodeId: string): ReadonlyMap<InstanceState, number>;
}

/** Some instances, in no order. */
export type Holdings = Iterable<Holding> & { readonly size: number };

/** Makes an index of nothing. */
export function createFleetIndex(): FleetIndex {
  /** One node id, or several. */
  const byId = new Map<string, string | Set<string>>();
  const doubled = new Set<string>();
  const ids = createSortedList<string>((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const byName = new Map<string, Group>();
  const byLabel = new Map<string, Group>();
  /** Only of large groups that somebody has asked for. */
  const liveByName = new Map<string, Map<string, number>>();
  const states = new Map<string, Map<InstanceState, number>>();

  const addId = (id: string, nodeId: string): void => {
    const held = byId.get(id);
    if (held === undefined) {
      byId.set(id, nodeId);
      ids.add(id);
    } else if (typeof held === "string") {
      byId.set(id, new Set([held, nodeId]));
      doubled.add(id);
    } else held.add(nodeId);
  };
  const deleteId = (id: string, nodeId: string): void => {
    const held = byId.get(id);
    if (held === undefined) return;
    if (typeof held !== "string") {
      held.delete(nodeId);
      const [last] = held;
      if (held.size > 1 || last === undefined) return;
      byId.set(id, last);
      doubled.delete(id);
      return;
    }
    byId.delete(id);
    ids.delete(id);
  };
  const count = (nodeId: string, { before, after }: LedgerChange<HeldInstance>): void => {
    const counts = states.get(nodeId) ?? new Map<InstanceState, number>();
    states.set(nodeId, counts);
    if (before) bump(counts, before.state, -1);
    if (after) bump(counts, after.state, 1);
    if (counts.size === 0) states.delete(nodeId);
  };
  const countLive = (instance: HeldInstance | undefined, nodeId: string, by: number): void => {
    const counts = instance && !hasEnded(instance) ? liveByName.get(instance.name) : undefined;
    if (counts) bump(counts, nodeId, by);
  };
  const regroup = (nodeId: string, { before, after }: LedgerChange<HeldInstance>): void => {
    if (before && before.name !== "") {
      leave(byName, before.name, before);
      if (!byName.has(before.name)) liveByName.delete(before.name);
    }
    if (after && after.name !== "") join(byName, after.name, after, nodeId);
    for (const label of before?.labels() ?? []) leave(byLabel, label, before);
    for (const label of after?.labels() ?? []) join(byLabel, label, after, nodeId);
  };

  return {
    apply(nodeId, changes) {
      for (const change of changes) {
        if (!change.before) addId(change.id, nodeId);
        if (!change.after) deleteId(change.id, nodeId);
        count(nodeId, change);
        countLive(change.before, nodeId, -1);
        countLive(change.after, nodeId, 1);
        regroup(nodeId, change);
      }
    },
    nodeIdsOf(id) {
      const held = byId.get(id);
      return held === undefined ? [] : typeof held === "string" ? [held] : held;
    },
    doubledIds: () => doubled,
    idsAfter: (id) => ids.from((each) => each <= id),
    named: (name) => holdingsOf(byName.get(name)),
    labelled: (key, value) => holdingsOf(byLabel.get(labelText(key, value))),
    liveNamed(name) {
      const known = liveByName.get(name);
      if (known) return known;
      const group = holdingsOf(byName.get(name));
      const counts = new Map<string, number>();
      for (const { instance, nodeId } of group) if (!hasEnded(instance)) bump(counts, nodeId, 1);
      if (group.size >= LARGE_GROUP) liveByName.set(name, counts);
      return counts;
    },
    statesAt: (nodeId) => states.get(nodeId) ?? new Map(),
  };
}

/** Smaller groups are counted when they are asked for. */
const LARGE_GROUP = 64;

/** The instances of one name or label: mostly one, so that one needs no map. */
type Group = Holding | Map<HeldInstance, string>;

function join(groups: Map<string, Group>, key: string, instance: HeldInstance | undefined, nodeId: string): void {
  if (instance === undefined) return;
  const group = groups.get(key);
  if (group === undefined) groups.set(key, { instance, nodeId });
  else if (group instanceof Map) group.set(instance, nodeId);
  else groups.set(key, new Map([[group.instance, group.nodeId], [instance, nodeId]]));
}

function leave(groups: Map<string, Group>, key: string, instance: HeldInstance | undefined): void {
  const group = groups.get(key);
  if (instance === undefined || group === undefined) return;
  if (group instanceof Map) group.delete(instance);
  if (group instanceof Map ? group.size === 0 : group.instance === instance) groups.delete(key);
}

function holdingsOf(group: Group | undefined): Holdings {
  if (group === undefined) return Object.assign<Holding[], { size: number }>([], { size: 0 });
  if (!(group instanceof Map)) return Object.assign([group], { size: 1 });
  return {
    size: group.size,
    *[Symbol.iterator]() {
      for (const [instance, nodeId] of group) yield { instance, nodeId };
    },
  };
}

/** Entries of 0 are left out. */
function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
