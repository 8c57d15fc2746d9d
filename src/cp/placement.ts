/** Chooses nodes for an instance. Pure and deterministic: the same input gives the same list. */
import { fault, Reason, type Fault } from "../fault.ts";
import { CapabilityTypeSchema, type CapabilityType, type GuestKind } from "../gen/wasmatrix/v1/instance_pb.ts";
import { NodeState, type NodeInfo } from "../gen/wasmatrix/v1/node_pb.ts";

/** A node, as placement sees it. */
export type PlacementNode = {
  readonly info: NodeInfo;
  readonly state: NodeState;
  readonly rebuilding: boolean;
  /** Taken capacity, orders under way included. */
  readonly instances: number;
  readonly memoryBytes: number;
  /** Live instances of the same name. */
  readonly sameName: number;
  /** Its providers; undefined while they are not known yet. */
  readonly providers: readonly ProviderNeed[] | undefined;
};

/** A provider, as far as placement asks for it. */
export type ProviderNeed = {
  /** Empty: any of the type. */
  readonly providerId: string;
  readonly type: CapabilityType;
};

/** What is to be placed. */
export type PlacementRequest = {
  readonly instanceId: string;
  /** Only on this node; empty for any. */
  readonly nodeId: string;
  /** Only on nodes that have these. */
  readonly labels: Readonly<Record<string, string>>;
  /** The kinds that the module may turn out to have; empty if nothing is known. */
  readonly kinds: readonly GuestKind[];
  readonly memoryBytes: number;
  readonly moduleDigest: string;
  /** The least protocol version of the agent. */
  readonly protocolVersion: number;
  /** What its assignments are carried out by. */
  readonly providers: readonly ProviderNeed[];
  /** How much of what the instance is to have the node says not to share; such nodes come last. */
  readonly unsharedCount: (info: NodeInfo) => number;
};

/** The node ids that fit, best first. Throws `NODE_NOT_FOUND`, `NODE_AT_CAPACITY` (only room is wanting) or `NO_NODE_FITS`. */
export function placeInstance(nodes: readonly PlacementNode[], request: PlacementRequest): readonly string[] {
  const judged = nodes.map((node) => ({ node, failed: failedRequirements(node, request) }));
  const fitting = judged.filter(({ failed }) => failed.length === 0).map(({ node }) => node);
  if (fitting.length === 0) throw noNodeFits(judged, request);
  // What a rebuilding node runs is not known yet, so it is chosen only if there is no other.
  const known = fitting.filter((node) => !node.rebuilding);
  const most = Math.max(1, ...fitting.map((node) => node.sameName));
  return (known.length > 0 ? known : fitting)
    .map((node) => ({
      nodeId: node.info.nodeId,
      unshared: request.unsharedCount(node.info),
      cost: cost(node, request, most),
    }))
    .sort((a, b) => a.unshared - b.unshared || a.cost - b.cost || (a.nodeId < b.nodeId ? -1 : 1))
    .map(({ nodeId }) => nodeId);
}

/** How much a missing module counts, against a load of 0 (idle) to 1 (full). */
const MISSING_MODULE_COST = 0.1;
/** How much the crowding of instances of one name counts. */
const SAME_NAME_COST = 0.3;

function cost(node: PlacementNode, request: PlacementRequest, mostSameName: number): number {
  const { load, module, spread } = costParts(node, request, mostSameName);
  return load + module + spread;
}

function costParts(
  node: PlacementNode,
  request: PlacementRequest,
  mostSameName: number,
): { readonly load: number; readonly module: number; readonly spread: number } {
  return {
    load: loadShare(node),
    module: moduleCost(node, request),
    spread: spreadCost(node.sameName, mostSameName),
  };
}

/** What it costs that a node lacks the module. */
export function moduleCost(node: PlacementNode, request: Pick<PlacementRequest, "moduleDigest">): number {
  return node.info.moduleDigests.includes(request.moduleDigest) ? 0 : MISSING_MODULE_COST;
}

/** What it costs that a node has instances of the same name, where the node with the most of them has `most`, at least 1. */
export function spreadCost(sameName: number, most: number): number {
  return (SAME_NAME_COST * sameName) / most;
}

/** The share of its fuller resource that is taken; a node that names no capacity counts as idle. */
export function loadShare(node: PlacementNode): number {
  const capacity = node.info.capacity;
  const instances = capacity && capacity.instancesMax > 0 ? node.instances / capacity.instancesMax : 0;
  const memory = capacity && capacity.memoryMaxBytes > 0n ? node.memoryBytes / Number(capacity.memoryMaxBytes) : 0;
  return Math.max(instances, memory);
}

/** What is made of one node; for an operator who asks why. */
export type PlacementVerdict = {
  readonly nodeId: string;
  /** In words; empty if it fits. */
  readonly failed: readonly string[];
  /** Parts of the cost, the lower the better; 0 for one that does not fit. */
  readonly loadCost: number;
  readonly moduleCost: number;
  readonly spreadCost: number;
};

/** How every node is judged, those that fit first and in the order in which they would be asked. */
export function judgeNodes(nodes: readonly PlacementNode[], request: PlacementRequest): readonly PlacementVerdict[] {
  const judged = nodes.map((node) => ({ node, failed: failedRequirements(node, request) }));
  const most = Math.max(1, ...judged.filter(({ failed }) => failed.length === 0).map(({ node }) => node.sameName));
  return judged
    .map(({ node, failed }) => {
      const words = failed.map((requirement) => describe(requirement, request));
      const parts = failed.length === 0 ? costParts(node, request, most) : { load: 0, module: 0, spread: 0 };
      const last = node.rebuilding ? 1 : 0;
      const unshared = request.unsharedCount(node.info);
      return {
        last,
        unshared,
        nodeId: node.info.nodeId,
        failed: words,
        loadCost: parts.load,
        moduleCost: parts.module,
        spreadCost: parts.spread,
      };
    })
    .toSorted(
      (a, b) =>
        a.failed.length - b.failed.length ||
        a.last - b.last ||
        a.unshared - b.unshared ||
        a.loadCost + a.moduleCost + a.spreadCost - (b.loadCost + b.moduleCost + b.spreadCost) ||
        (a.nodeId < b.nodeId ? -1 : 1),
    )
    .map(({ nodeId, failed, loadCost, moduleCost, spreadCost }) => ({
      nodeId,
      failed,
      loadCost,
      moduleCost,
      spreadCost,
    }));
}

/** What a node may lack. */
export type Requirement =
  | "cordoned"
  | "providers"
  | "wanted node"
  | "available"
  | "reachable"
  | "version"
  | "labels"
  | "guest kind"
  | "instances"
  | "memory";

/** Every requirement that the node fails, so that the caller sees all that is wrong at once. */
export function failedRequirements(node: PlacementNode, request: PlacementRequest): readonly Requirement[] {
  const { info } = node;
  const failed: Requirement[] = [];
  if (request.nodeId !== "" && info.nodeId !== request.nodeId) failed.push("wanted node");
  if (node.state !== NodeState.AVAILABLE) failed.push("available");
  if (info.address === "") failed.push("reachable");
  if (info.cordoned) failed.push("cordoned");
  if (lacksProvider(node, request)) failed.push("providers");
  if (info.protocolVersion < request.protocolVersion) failed.push("version");
  if (Object.entries(request.labels).some(([key, value]) => info.labels[key] !== value)) failed.push("labels");
  if (!hostsKind(info, request.kinds)) failed.push("guest kind");
  if (!hasInstanceLeft(node)) failed.push("instances");
  if (!hasMemoryLeft(node, request)) failed.push("memory");
  return failed;
}

function hostsKind(info: NodeInfo, kinds: readonly GuestKind[]): boolean {
  if (kinds.length === 0 || info.guestKinds.length === 0) return true;
  return kinds.some((kind) => info.guestKinds.includes(kind));
}

function lacksProvider({ providers }: PlacementNode, request: PlacementRequest): boolean {
  if (providers === undefined) return false;
  return request.providers.some(
    (need) =>
      !providers.some(
        ({ providerId, type }) => type === need.type && (need.providerId === "" || need.providerId === providerId),
      ),
  );
}

function hasInstanceLeft(node: PlacementNode): boolean {
  const max = node.info.capacity?.instancesMax ?? 0;
  return max === 0 || node.instances < max;
}

function hasMemoryLeft(node: PlacementNode, request: PlacementRequest): boolean {
  const maxBytes = Number(node.info.capacity?.memoryMaxBytes ?? 0n);
  return maxBytes === 0 || node.memoryBytes + request.memoryBytes <= maxBytes;
}

function providerText({ providerId, type }: ProviderNeed): string {
  const typeName = CapabilityTypeSchema.value[type]?.localName.toLowerCase() ?? "that type";
  return providerId === "" ? `a provider of ${typeName}` : `provider "${providerId}"`;
}

type Judged = { readonly node: PlacementNode; readonly failed: readonly Requirement[] };

function noNodeFits(judged: readonly Judged[], request: PlacementRequest): Fault {
  const doing = `Cannot start instance "${request.instanceId}"`;
  const subject = request.nodeId === "" ? request.instanceId : request.nodeId;
  if (judged.length === 0) return fault(Reason.NO_NODE_FITS, `${doing}: no node has reported yet`, { subject });
  const relevant = judged.filter(({ failed }) => !failed.includes("wanted node"));
  if (relevant.length === 0) {
    return fault(Reason.NODE_NOT_FOUND, `${doing}: no node has the id "${request.nodeId}"`, { subject });
  }
  const counts = new Map<Requirement, number>();
  for (const { failed } of relevant) for (const each of failed) counts.set(each, (counts.get(each) ?? 0) + 1);
  const why = [...counts].map(([requirement, count]) => `${count} ${describe(requirement, request)}`).join(", ");
  const onlyRoom = relevant.some(({ failed }) => failed.every((each) => each === "instances" || each === "memory"));
  const of = request.nodeId === "" ? `of ${relevant.length} known` : `"${request.nodeId}"`;
  const onlyProviders = relevant.every(({ failed }) => failed.every((each) => each === "providers"));
  const reason = onlyRoom ? Reason.NODE_AT_CAPACITY : onlyProviders ? Reason.PROVIDER_NOT_FOUND : Reason.NO_NODE_FITS;
  return fault(reason, `${doing}: no node fits (${of}: ${why})`, {
    subject,
  });
}

function describe(requirement: Requirement, request: PlacementRequest): string {
  switch (requirement) {
    case "wanted node":
      return "not the wanted one";
    case "available":
      return "not available";
    case "cordoned":
      return "cordoned";
    case "providers":
      return `without ${[...new Set(request.providers.map(providerText))].join(", ")}`;
    case "reachable":
      return "cannot be dialled";
    case "version":
      return `with an agent that is too old (it takes protocol version ${request.protocolVersion})`;
    case "labels":
      return `without the labels ${Object.entries(request.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(", ")}`;
    case "guest kind":
      return "cannot host such a module";
    case "instances":
      return "with as many instances as it takes";
    case "memory":
      return `without ${Math.ceil(request.memoryBytes / 1024 ** 2)} MiB of memory left`;
  }
}
