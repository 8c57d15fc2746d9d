/**
 * Keeps track of which instances something may have to be done about: of a report those that it is about, of a node that
 * comes or goes those that have to do with it. Nobody need look at all of them.
 */
import type { Witness } from "../../gen/wasmatrix/v1/fact_pb.ts";
import type { Fleet, FleetChange } from "../fleet.ts";
import type { HeldNode } from "../fleet-view.ts";
import type { HeldInstance } from "../fold/held-instance.ts";
import { ledgerIds, ledgerValue, ledgerValues, type LedgerChange } from "../fold/ledger.ts";
import { pictureOf, restartsElsewhere, type InstancePicture } from "./fleet-picture.ts";

/** See the top of the file. */
export interface Concerns {
  /** The node is to be seen in another light: touches every instance that has to do with it. */
  touchNode(nodeId: string): void;
  /** The instances that were touched since the last call. */
  takeTouched(): Iterable<string>;
  /** What is known of one of them now. */
  pictureOf(instanceId: string): InstancePicture;
  /** May be called twice. */
  close(): void;
}

/** Begins to watch a fleet that holds nothing yet. */
export function watchConcerns(fleet: Fleet): Concerns {
  const copies = new Map<string, readonly Witness[]>();
  /** By node: instances that name it as their witness and copies that name it as their place, and how many do. */
  const naming = new Map<string, Map<string, number>>();
  const doubled = new Set<string>();
  let touched = new Set<string>();

  const name = (nodeId: string, instanceId: string, by: number): void => {
    const names = naming.get(nodeId) ?? new Map<string, number>();
    naming.set(nodeId, names);
    const count = (names.get(instanceId) ?? 0) + by;
    if (count > 0) names.set(instanceId, count);
    else names.delete(instanceId);
    if (names.size === 0) naming.delete(nodeId);
  };
  /** Whether several nodes hold it, or did when it was asked last. */
  const isDoubled = (instanceId: string): boolean => {
    if (fleet.index.isDoubled(instanceId)) doubled.add(instanceId);
    else return doubled.delete(instanceId);
    return true;
  };
  const nameWitness = (instance: HeldInstance | undefined, by: number): void => {
    if (instance && restartsElsewhere(instance) && instance.witnessNodeId !== "")
      name(instance.witnessNodeId, instance.id, by);
  };
  const takeInstance = ({ id, before, after }: LedgerChange<HeldInstance>): void => {
    nameWitness(before, -1);
    nameWitness(after, 1);
    const restarts = [before, after].some((each) => each !== undefined && restartsElsewhere(each));
    if (restarts || copies.has(id) || isDoubled(id)) touched.add(id);
  };
  const takeCopy = ({ id, before, after }: LedgerChange<Witness>): void => {
    if (before) name(before.nodeId, id, -1);
    if (after) name(after.nodeId, id, 1);
    const left = (copies.get(id) ?? []).filter((copy) => copy !== before);
    const now = after ? [...left, after] : left;
    if (now.length > 0) copies.set(id, now);
    else copies.delete(id);
    touched.add(id);
  };
  const takeIn = ({ instances, witnesses }: Pick<FleetChange, "instances" | "witnesses">): void => {
    for (const change of witnesses) takeCopy(change);
    for (const change of instances) takeInstance(change);
  };
  const forget = ({ nodeId, fold }: HeldNode): void => {
    for (const id of ledgerIds(fold.witnesses))
      takeCopy({ id, before: ledgerValue(fold.witnesses, id), after: undefined });
    for (const before of ledgerValues(fold.instances)) takeInstance({ id: before.id, before, after: undefined });
    touchNode(nodeId);
  };
  const touchNode = (nodeId: string): void => {
    const node = fleet.node(nodeId);
    for (const id of node ? ledgerIds(node.fold.witnesses) : []) touched.add(id);
    for (const instance of node ? ledgerValues(node.fold.instances) : [])
      if (restartsElsewhere(instance) || copies.has(instance.id) || isDoubled(instance.id)) touched.add(instance.id);
    for (const id of naming.get(nodeId)?.keys() ?? []) touched.add(id);
  };

  const unlisten = [fleet.onChange(takeIn), fleet.onForgotten(forget)];
  return {
    touchNode,
    takeTouched() {
      const taken = touched;
      touched = new Set();
      return taken;
    },
    pictureOf: (instanceId) => pictureOf(instanceId, fleet.nodesWithInstance(instanceId), copies.get(instanceId) ?? []),
    close() {
      for (const each of unlisten) each();
    },
  };
}
