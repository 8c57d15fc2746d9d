/** Reads the fleet as it is to be answered now. */
import type { Clock } from "../clock.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { Fleet } from "./fleet.ts";
import { isHeard, isRebuilding, viewInstance, viewInstances, type HeldNode, type SilencePolicy } from "./fleet-view.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import { ledgerValue } from "./fold/ledger.ts";
import { hasEnded } from "./instance-life.ts";
import { selectInstance } from "./instance-selector.ts";

/** What the services read of the fleet. */
export interface FleetReader {
  /** All instances of all nodes, or those of one node; each is taken apart. */
  instances(nodeId?: string): Generator<Instance>;
  /** All instances of a name, live and ended. */
  named(name: string): readonly Instance[];
  byId(id: string): Instance | undefined;
  /** The instance meant by an id, prefix or name; see `selectInstance`. */
  find(selector: string, doing: string): Instance;
  /** The instance of an id; of several nodes that hold it the one that tells most counts. */
  held(id: string): HeldInstance | undefined;
  /** How it is answered now. */
  view(held: HeldInstance): Instance;
  /** Nodes whose first whole snapshot is awaited. */
  rebuildingNodes(): readonly HeldNode[];
  /** Whether answers may be incomplete: a node is rebuilding, or this control plane is new and has heard of none yet. */
  isRebuilding(): boolean;
}

/** What a reader needs. */
export type FleetReaderDeps = {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly silence: SilencePolicy;
  /** Agents that are known by address and have not said anything yet. Default: none. */
  readonly awaited?: () => readonly string[];
};

/** Makes a reader. It counts as new from now until one report interval has passed. */
export function createFleetReader(deps: FleetReaderDeps): FleetReader {
  const { fleet, silence } = deps;
  const steadyMs = (): number => deps.clock.steadyMs();
  const startedMs = steadyMs();

  function* instances(nodeId?: string): Generator<Instance> {
    const moment = steadyMs();
    for (const node of nodeId === undefined ? fleet.nodes() : [fleet.node(nodeId)]) {
      if (node) yield* viewInstances(node, moment, silence);
    }
  }
  function held(id: string): HeldInstance | undefined {
    let found: HeldInstance | undefined;
    for (const { fold } of fleet.nodesWithInstance(id)) {
      const instance = ledgerValue(fold.instances, id);
      if (instance && (!found || isMoreTelling(instance, found))) found = instance;
    }
    return found;
  }
  function view(instance: HeldInstance): Instance {
    const node = fleet.node(instance.nodeId);
    if (node === undefined) throw new Error(`instance "${instance.id}" is held of a node that is not known`);
    return viewInstance(node, instance, isHeard(node, steadyMs(), silence));
  }
  function byId(id: string): Instance | undefined {
    const found = held(id);
    return found && view(found);
  }
  /** Those whose name or beginning of an id is meant. */
  function* selectable(selector: string): Generator<HeldInstance> {
    const seen = new Set<string>();
    for (const { id } of fleet.index.named(selector)) {
      const most = seen.has(id) ? undefined : held(id);
      seen.add(id);
      if (most) yield most;
    }
    for (const id of fleet.index.idsAfter(selector)) {
      if (!id.startsWith(selector)) return;
      const most = seen.has(id) ? undefined : held(id);
      if (most) yield most;
    }
  }
  function find(selector: string, doing: string): Instance {
    return byId(selector) ?? view(selectInstance(selectable(selector), selector, doing));
  }
  function rebuildingNodes(): readonly HeldNode[] {
    return [...fleet.unfinishedNodes()].filter((node) => isRebuilding(node, steadyMs(), silence));
  }

  return {
    instances,
    named: (name) => [...fleet.index.named(name)].map(view),
    byId,
    find,
    held,
    view,
    rebuildingNodes,
    isRebuilding() {
      const whole = [...fleet.nodes()].some((node) => node.fold.coverage !== undefined);
      if (!whole && steadyMs() - startedMs < silence.suspectAfterMs) return true;
      return rebuildingNodes().length > 0 || (deps.awaited?.() ?? []).length > 0;
    },
  };
}

/** Of two nodes that report the same instance, the later generation counts, then the one where it lives, then the one made first (`double-starts.ts`). */
function isMoreTelling(a: HeldInstance, b: HeldInstance): boolean {
  if (a.generation !== b.generation) return a.generation > b.generation;
  if (hasEnded(a) !== hasEnded(b)) return hasEnded(b);
  return a.createdMs < b.createdMs;
}
