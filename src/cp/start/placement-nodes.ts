/** What placement is told of the fleet. */
import type { Clock } from "../../clock.ts";
import { isRebuilding, nodeStateAt, type SilencePolicy } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import { ledgerSize, ledgerValues } from "../fold/ledger.ts";
import type { PlacementNode } from "../placement.ts";

/** Capacity that orders under way will take; it is in no report yet. */
export interface OrdersUnderWay {
  /** Counts an order until the function returned is called. */
  begin(nodeId: string, memoryBytes: number): () => void;
  of(nodeId: string): { readonly instances: number; readonly memoryBytes: number };
}

/** Makes a count of orders under way. */
export function createOrdersUnderWay(): OrdersUnderWay {
  const nodes = new Map<string, { instances: number; memoryBytes: number }>();
  return {
    begin(nodeId, memoryBytes) {
      const count = nodes.get(nodeId) ?? { instances: 0, memoryBytes: 0 };
      nodes.set(nodeId, count);
      count.instances += 1;
      count.memoryBytes += memoryBytes;
      return () => {
        count.instances -= 1;
        count.memoryBytes -= memoryBytes;
        if (count.instances === 0) nodes.delete(nodeId);
      };
    },
    of: (nodeId) => nodes.get(nodeId) ?? { instances: 0, memoryBytes: 0 },
  };
}

/** The nodes as they stand now, for an instance of `name` (empty: none). */
export function placementNodes(
  deps: {
    readonly fleet: Fleet;
    readonly clock: Clock;
    readonly silence: SilencePolicy;
    readonly underWay: OrdersUnderWay;
  },
  name: string,
): readonly PlacementNode[] {
  const steadyMs = deps.clock.steadyMs();
  const sameName = deps.fleet.index.liveNamed(name);
  return [...deps.fleet.nodes()].map((node) => {
    const { info, load } = node.fold.announced;
    const ordered = deps.underWay.of(node.nodeId);
    return {
      info,
      state: nodeStateAt(node, steadyMs, deps.silence),
      rebuilding: isRebuilding(node, steadyMs, deps.silence),
      instances: (load?.instances ?? ledgerSize(node.fold.instances)) + ordered.instances,
      memoryBytes: Number(load?.memoryBytes ?? 0n) + ordered.memoryBytes,
      sameName: sameName.get(node.nodeId) ?? 0,
      providers:
        node.fold.coverage === undefined
          ? undefined
          : [...ledgerValues(node.fold.providers)].map(({ id, type }) => ({ providerId: id, type })),
    };
  });
}
