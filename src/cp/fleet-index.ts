/** Where instances are found, kept up to date at the cost of each change: by id, by name, by label, by state, and in the order of their ids. */
import type { InstanceState } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import type { LedgerChange } from "./fold/ledger.ts";
import { hasEnded } from "./instance-life.ts";
import { createSortedList } from "./sorted-list.ts";

/** See the top of the file. */
export interface FleetIndex {
  /** Takes in what a report has changed. */
  apply(nodeId: string, changes: readonly LedgerChange<HeldInstance>[]): void;
  /** The nodes that hold an id: one, unless a key was placed twice. */
  nodeIdsOf(id: string): Iterable<string>;
  isDoubled(id: string): boolean;
  /** Ids that several nodes hold. */
  doubledIds(): Iterable<string>;
  /** All ids after this one, ascending. */
  idsAfter(id: string): Iterable<string>;
  named(name: string): Found;
  labelled(key: string, value: string): Found;
  /** How many live instances of a name each node has; nodes without one are left out. */
  liveNamed(name: string): ReadonlyMap<string, number>;
  /** How many instances of a node are in each state. */
  statesAt(nodeId: string): ReadonlyMap<InstanceState, number>;
}

/** Some instances, in no order; one that several nodes hold is there for each of them. */
export type Found = Iterable<HeldInstance> & { readonly size: number };

/** Smaller groups are counted when they are asked for. */
const LARGE_GROUP = 64;

/** Makes an index of nothing. `all` answers all instances that were applied. */
export function createFleetIndex(all: () => Iterable<HeldInstance>): FleetIndex {
  /** One node id, or several. */
  const byId = new Map<string, string | Set<string>>();
  const doubled = new Set<string>();
  const ids = createSortedList<string>((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const byName: Groups = new Map();
  /** Undefined until somebody asks for a label: it is as large as all others together. */
  let byLabel: Map<string, Groups> | undefined;
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
    if (typeof held === "string") {
      byId.delete(id);
      ids.delete(id);
      return;
    }
    held.delete(nodeId);
    const [last] = held;
    if (held.size > 1 || last === undefined) return;
    byId.set(id, last);
    doubled.delete(id);
  };
  const add = (nodeId: string, instance: HeldInstance): void => {
    bump(countsIn(states, nodeId), instance.state, 1);
    if (instance.name !== "") join(byName, instance.name, instance);
    countLive(instance, 1);
    if (byLabel) label(byLabel, instance);
  };
  const label = (labels: Map<string, Groups>, instance: HeldInstance): void => {
    instance.forLabels((key, value) => join(groupsIn(labels, key), value, instance));
  };
  const unlabel = (labels: Map<string, Groups>, instance: HeldInstance): void => {
    instance.forLabels((key, value) => leave(groupsIn(labels, key), value, instance));
  };
  const remove = (nodeId: string, instance: HeldInstance): void => {
    bump(countsIn(states, nodeId), instance.state, -1);
    countLive(instance, -1);
    if (instance.name !== "" && leave(byName, instance.name, instance)) liveByName.delete(instance.name);
    if (byLabel) unlabel(byLabel, instance);
  };
  const countLive = (instance: HeldInstance, by: number): void => {
    const counts = hasEnded(instance) ? undefined : liveByName.get(instance.name);
    if (counts) bump(counts, instance.nodeId, by);
  };

  return {
    apply(nodeId, changes) {
      for (const { id, before, after } of changes) {
        if (before) remove(nodeId, before);
        else addId(id, nodeId);
        if (after) add(nodeId, after);
        else deleteId(id, nodeId);
      }
    },
    nodeIdsOf(id) {
      const held = byId.get(id);
      return held === undefined ? [] : typeof held === "string" ? [held] : held;
    },
    isDoubled: (id) => doubled.has(id),
    doubledIds: () => doubled,
    idsAfter: (id) => ids.from((each) => each <= id),
    named: (name) => foundIn(byName.get(name)),
    labelled(key, value) {
      if (byLabel === undefined) {
        byLabel = new Map();
        for (const instance of all()) label(byLabel, instance);
      }
      return foundIn(byLabel.get(key)?.get(value));
    },
    liveNamed(name) {
      const known = liveByName.get(name);
      if (known) return known;
      const group = foundIn(byName.get(name));
      const counts = new Map<string, number>();
      for (const instance of group) if (!hasEnded(instance)) bump(counts, instance.nodeId, 1);
      if (group.size >= LARGE_GROUP) liveByName.set(name, counts);
      return counts;
    },
    statesAt: (nodeId) => states.get(nodeId) ?? new Map(),
  };
}

/** The instances of one name or label: often one, so that one needs no set. */
type Groups = Map<string, HeldInstance | Set<HeldInstance>>;

function join(groups: Groups, key: string, instance: HeldInstance): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, instance);
  else if (group instanceof Set) group.add(instance);
  else groups.set(key, new Set([group, instance]));
}

/** Whether nobody is left in the group. */
function leave(groups: Groups, key: string, instance: HeldInstance): boolean {
  const group = groups.get(key);
  if (group instanceof Set) group.delete(instance);
  const isEmpty = group instanceof Set ? group.size === 0 : group === instance;
  if (isEmpty) groups.delete(key);
  return isEmpty;
}

function foundIn(group: HeldInstance | Set<HeldInstance> | undefined): Found {
  if (group instanceof Set) return group;
  return new Set(group === undefined ? [] : [group]);
}

function groupsIn(byKey: Map<string, Groups>, key: string): Groups {
  const groups = byKey.get(key) ?? new Map();
  byKey.set(key, groups);
  return groups;
}

function countsIn(states: Map<string, Map<InstanceState, number>>, nodeId: string): Map<InstanceState, number> {
  const counts = states.get(nodeId) ?? new Map<InstanceState, number>();
  states.set(nodeId, counts);
  return counts;
}

/** Entries of 0 are left out. */
function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}
