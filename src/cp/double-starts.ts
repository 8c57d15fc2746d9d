/**
 * Ends what one idempotency key has yielded twice. A control plane that came up empty cannot know of a node that has not
 * reported yet, so a start that is retried in that moment may be placed a second time; once both nodes have reported, it is seen.
 */
import type { Clock } from "../clock.ts";
import type { HeldInstance } from "./fold/held-instance.ts";
import type { Log } from "../log.ts";
import { isHeard, type SilencePolicy } from "./fleet-view.ts";
import type { Fleet } from "./fleet.ts";
import { ledgerValue } from "./fold/ledger.ts";
import { hasEnded } from "./instance-life.ts";
import type { NodeAgents } from "./node-agents.ts";

/** One instance as one node reports it. */
export type Sighting = {
  readonly nodeId: string;
  readonly instance: Pick<HeldInstance, "generation" | "state" | "createdMs">;
  /** Whether the node reports still: what it said last holds. */
  readonly heard: boolean;
};

/**
 * Which live sightings of one id have to be ended: all of the latest generation but the one that was made first, also if that one
 * has ended since, because a stop that was acknowledged must not be undone. What a silent node said was live proves nothing. Pure.
 */
export function surplusOf(sightings: readonly Sighting[]): readonly Sighting[] {
  const latest = sightings.reduce((max, { instance }) => (instance.generation > max ? instance.generation : max), 0n);
  const telling = sightings.filter(
    ({ instance, heard }) => instance.generation === latest && (heard || hasEnded(instance)),
  );
  return telling
    .toSorted(byAge)
    .slice(1)
    .filter(({ instance }) => !hasEnded(instance));
}

/** What ending needs. */
export type DoubleStartsDeps = {
  readonly fleet: Fleet;
  readonly agents: NodeAgents;
  readonly clock: Clock;
  readonly silence: SilencePolicy;
  readonly log: Log;
  /** For one order to stop. */
  readonly orderTimeoutMs: number;
};

/** Looks after each report, and orders a surplus instance to stop until it is reported as ended. The function returned ends the watch. */
export function endDoubleStarts(deps: DoubleStartsDeps): () => void {
  const { fleet, log } = deps;
  const underWay = new Set<string>();

  const end = async (id: string, nodeId: string): Promise<void> => {
    const order = `${nodeId}/${id}`;
    if (underWay.has(order)) return;
    underWay.add(order);
    log.warn("instance was started twice with one key, the later one is stopped", { instance: id, node: nodeId });
    try {
      await deps.agents.order(nodeId, `Cannot stop instance "${id}"`, (agent) =>
        agent.stopInstance({ instanceId: id, grace: { seconds: 0n, nanos: 0 } }, { timeoutMs: deps.orderTimeoutMs }),
      );
    } catch (error) {
      // The next report of any node looks again.
      log.warn("could not stop it", { instance: id, node: nodeId, why: String(error) });
    } finally {
      underWay.delete(order);
    }
  };

  return fleet.onChange(() => {
    for (const id of fleet.doubledIds()) {
      const sightings = [...fleet.nodesWithInstance(id)].flatMap((node): Sighting[] => {
        const instance = ledgerValue(node.fold.instances, id);
        const heard = isHeard(node, deps.clock.steadyMs(), deps.silence);
        return instance ? [{ nodeId: node.nodeId, instance, heard }] : [];
      });
      for (const { nodeId } of surplusOf(sightings)) void end(id, nodeId);
    }
  });
}

function byAge(a: Sighting, b: Sighting): number {
  return a.instance.createdMs - b.instance.createdMs || (a.nodeId < b.nodeId ? -1 : 1);
}
