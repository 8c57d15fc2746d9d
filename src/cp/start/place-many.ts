/**
 * Places many instances in one pass over the fleet. Pure. Each goes where it would go alone, after those before it: a node's
 * load grows with what the pass has put there.
 */
import {
  failedRequirements,
  loadShare,
  moduleCost,
  spreadCost,
  type PlacementNode,
  type PlacementRequest,
} from "../placement.ts";

/** One instance to place. */
export type PlacementItem = {
  readonly request: PlacementRequest;
  /** Empty for none. */
  readonly name: string;
  /** Equal for requests that differ in nothing but id and name. */
  readonly shape: string;
};

/** How many live instances of a name each node has; nodes without any may be missing. */
export type NameCounts = (name: string) => ReadonlyMap<string, number>;

/** The node of each item, in order; `undefined` where none fits. `nodes` as `placementNodes` answers them for no name. */
export function placeMany(
  nodes: readonly PlacementNode[],
  items: readonly PlacementItem[],
  countsOf: NameCounts,
): readonly (string | undefined)[] {
  const states = nodes
    .toSorted((a, b) => (a.info.nodeId < b.info.nodeId ? -1 : 1))
    .map((node): NodeState => ({ node, load: loadShare(node) }));
  const chosen: (string | undefined)[] = Array.from({ length: items.length });
  const byShape = Map.groupBy([...items.entries()], ([, { shape }]) => shape);
  for (const alike of byShape.values()) {
    const [first] = alike;
    if (first === undefined) continue;
    const fitting = fittingStates(states, first[1].request);
    for (const [name, namesakes] of Map.groupBy(alike, ([, item]) => item.name)) {
      const counts = name === "" ? new Map<string, number>() : new Map(countsOf(name));
      for (const [index, { request }] of namesakes) {
        const best = bestOf(fitting, request, counts);
        if (best === undefined) continue;
        const { nodeId } = best.node.info;
        chosen[index] = nodeId;
        if (name !== "") counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1);
        best.node = withInstance(best.node, request.memoryBytes);
        best.load = loadShare(best.node);
      }
    }
  }
  return chosen;
}

type NodeState = { node: PlacementNode; load: number };

/** A node that fits a shape; what does not change while its like are placed is worked out once. */
type Fitting = { readonly state: NodeState; readonly unshared: number; readonly moduleCost: number };

function fittingStates(states: readonly NodeState[], request: PlacementRequest): readonly Fitting[] {
  return states
    .filter(({ node }) => failedRequirements(node, request).length === 0)
    .map((state) => ({
      state,
      unshared: request.unsharedCount(state.node.info),
      moduleCost: moduleCost(state.node, request),
    }));
}

function bestOf(
  fitting: readonly Fitting[],
  request: PlacementRequest,
  counts: ReadonlyMap<string, number>,
): NodeState | undefined {
  const open = fitting.filter(({ state }) => hasRoom(state.node, request.memoryBytes));
  const countOn = ({ node }: NodeState): number => (counts.size === 0 ? 0 : (counts.get(node.info.nodeId) ?? 0));
  const most = counts.size === 0 ? 1 : open.reduce((max, { state }) => Math.max(max, countOn(state)), 1);
  let best: Fitting | undefined;
  let bestCost = Infinity;
  for (const each of open) {
    const cost = each.state.load + each.moduleCost + spreadCost(countOn(each.state), most);
    const difference =
      best === undefined ? -1 : rank(each) - rank(best) || each.unshared - best.unshared || cost - bestCost;
    if (difference >= 0) continue;
    best = each;
    bestCost = cost;
  }
  return best?.state;
}

/** What a rebuilding node runs is not known yet, so it is chosen only if there is no other. */
function rank({ state }: Fitting): number {
  return state.node.rebuilding ? 1 : 0;
}

function hasRoom({ info, instances, memoryBytes }: PlacementNode, neededBytes: number): boolean {
  const instancesMax = info.capacity?.instancesMax ?? 0;
  const memoryMaxBytes = Number(info.capacity?.memoryMaxBytes ?? 0n);
  return (
    (instancesMax === 0 || instances < instancesMax) &&
    (memoryMaxBytes === 0 || memoryBytes + neededBytes <= memoryMaxBytes)
  );
}

function withInstance(node: PlacementNode, memoryBytes: number): PlacementNode {
  return { ...node, instances: node.instances + 1, memoryBytes: node.memoryBytes + memoryBytes };
}
