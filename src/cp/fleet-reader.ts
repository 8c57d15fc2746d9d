/** Reads the fleet as it is to be answered now. */
import type { Clock } from "../clock.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { Fleet } from "./fleet.ts";
import {
  isRebuilding,
  viewInstance,
  viewInstances,
  viewNamed,
  type HeldNode,
  type SilencePolicy,
} from "./fleet-view.ts";
import { createdMs, hasEnded } from "./instance-life.ts";
import { selectInstance } from "./instance-selector.ts";

/** What the services read of the fleet. */
export interface FleetReader {
  /** All instances of all nodes, or those of one node. */
  instances(nodeId?: string): Generator<Instance>;
  /** All instances of a name, live and ended. */
  named(name: string): readonly Instance[];
  byId(id: string): Instance | undefined;
  /** The instance meant by an id, prefix or name; see `selectInstance`. */
  find(selector: string, doing: string): Instance;
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
  function byId(id: string): Instance | undefined {
    let found: Instance | undefined;
    for (const node of fleet.nodesWithInstance(id)) {
      const instance = viewInstance(node, id, steadyMs(), silence);
      if (instance && (!found || isMoreTelling(instance, found))) found = instance;
    }
    return found;
  }
  function rebuildingNodes(): readonly HeldNode[] {
    return [...fleet.nodes()].filter((node) => isRebuilding(node, steadyMs(), silence));
  }

  return {
    instances,
    named(name) {
      const moment = steadyMs();
      return [...fleet.nodesWithName(name)].flatMap((node) => viewNamed(node, name, moment, silence));
    },
    byId,
    find: (selector, doing) => byId(selector) ?? selectInstance(instances(), selector, doing),
    rebuildingNodes,
    isRebuilding() {
      const whole = [...fleet.nodes()].some((node) => node.fold.coverage !== undefined);
      if (!whole && steadyMs() - startedMs < silence.suspectAfterMs) return true;
      return rebuildingNodes().length > 0 || (deps.awaited?.() ?? []).length > 0;
    },
  };
}

/** Of two nodes that report the same instance, the later generation counts, then the one where it lives, then the one made first (`double-starts.ts`). */
function isMoreTelling(a: Instance, b: Instance): boolean {
  if (a.generation !== b.generation) return a.generation > b.generation;
  if (hasEnded(a) !== hasEnded(b)) return hasEnded(b);
  return createdMs(a) < createdMs(b);
}
