/** Starts instances: the same key once, on the best node that takes it. */
import { create } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import type { Entropy } from "../../clock.ts";
import { fault, Reason, type Fault } from "../../fault.ts";
import type { StartInstanceRequest } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceSpecSchema, type Instance, type InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { FleetReader } from "../fleet-reader.ts";
import { hasEnded } from "../instance-life.ts";
import { assertDigest, digestOf } from "../modules/module-bytes.ts";
import type { OrderEcho } from "../order-echo.ts";
import {
  judgeNodes,
  placeInstance,
  type PlacementNode,
  type PlacementRequest,
  type PlacementVerdict,
} from "../placement.ts";
import type { Slots } from "../../rpc/slots.ts";
import { instanceIdFromKey } from "./instance-id.ts";
import type { OrdersUnderWay } from "./placement-nodes.ts";
import { placementRequestFromSpec, placementShape } from "./placement-request.ts";
import { needsOfSpec } from "./spec-needs.ts";
import { assertSameIdentity, identityFromInstance, identityFromSpec, type StartIdentity } from "./start-identity.ts";
import { wantsWitness, type WitnessOrders } from "../witness/witness-orders.ts";
import type { ReservationOrder } from "./reservations.ts";
import type { BatchShare } from "./start-batch.ts";
import { askForInstance, giveStartOrder, type StartOrderDeps, type StartOutcome } from "./start-order.ts";

/** A started instance, as its agent answered. */
export type Started = { readonly instance: Instance; readonly alreadyStarted: boolean };

/** Starts instances. */
export interface InstanceStarter {
  /**
   * Goes on if the caller goes away: a retry with the same key then finds the instance. `call` carries the request id; `share` is
   * for one of a batch.
   */
  start(request: StartInstanceRequest, call: CallOptions, share?: BatchShare): Promise<Started>;
  /** Says what `start` would come to, and starts nothing. Throws what `start` throws before it looks for a node. */
  explain(request: StartInstanceRequest): Promise<Explained>;
}

/** What a start would come to: the instance that its key stands for already, or else how each node is judged. */
export type Explained = { readonly instance: Instance | undefined; readonly verdicts: readonly PlacementVerdict[] };

/** What starting needs. */
export type InstanceStarterDeps = StartOrderDeps & {
  readonly witnesses: WitnessOrders;
  readonly reserve: (order: ReservationOrder, call: CallOptions) => Promise<string | undefined>;
  readonly reader: FleetReader;
  /** Whether there may be nodes that were not heard yet, and hold what a retry is about. */
  readonly mayLackNodes: () => boolean;
  readonly placementNodes: (name: string) => readonly PlacementNode[];
  readonly underWay: OrdersUnderWay;
  readonly echo: OrderEcho;
  readonly entropy: Entropy;
  readonly slots: Slots;
};

/** Nodes that are tried, best first, before a start is given up. */
const CANDIDATES_MAX = 8;
/** Orders of unclear outcome that are remembered; the oldest is dropped first. */
const UNCLEAR_MAX = 1_000;

type Start = {
  readonly instanceId: string;
  readonly identity: StartIdentity;
  readonly request: StartInstanceRequest;
  readonly spec: InstanceSpec;
  readonly call: CallOptions;
  readonly share: BatchShare | undefined;
};

/** Nodes to try, best first; those after the first are looked for only if it does not take the instance. */
type Candidates = { readonly first: string | undefined; readonly all: () => readonly string[] };

type UnderWay = { readonly identity: StartIdentity; readonly promise: Promise<Started> };

/** Makes a starter. It remembers only starts under way and orders whose outcome nobody knows. */
export function createInstanceStarter(deps: InstanceStarterDeps): InstanceStarter {
  const underWay = new Map<string, UnderWay>();
  const unclear = new Map<string, string>();

  return {
    async start(request, call, share) {
      const { instanceId, spec, identity } = await named(request);
      // From here to underWay.set nothing may wait, or two callers with one key or one unique name would both pass.
      const running = underWay.get(instanceId);
      if (running) {
        assertSameIdentity(running.identity, identity, instanceId);
        return running.promise.then((started) => ({ ...started, alreadyStarted: true }));
      }
      const existing = deps.reader.byId(instanceId);
      if (existing) return alreadyStarted(existing, identity);
      if (request.uniqueName) assertNameFree(spec.name, instanceId, deps.reader, underWay.values());
      const release = deps.slots.take(`Cannot start instance "${instanceId}"`);
      const promise = begin({ instanceId, identity, request, spec, call, share }).finally(() => {
        release();
        underWay.delete(instanceId);
      });
      underWay.set(instanceId, { identity, promise });
      return promise;
    },

    async explain(request) {
      const { instanceId, spec, identity } = await named(request);
      const existing = deps.reader.byId(instanceId);
      if (existing) return { instance: alreadyStarted(existing, identity).instance, verdicts: [] };
      if (request.uniqueName) assertNameFree(spec.name, instanceId, deps.reader, underWay.values());
      const { wanted } = await wantedBy(instanceId, request, spec);
      return { instance: undefined, verdicts: judgeNodes(deps.placementNodes(spec.name), wanted) };
    },
  };

  async function named(
    request: StartInstanceRequest,
  ): Promise<{ readonly instanceId: string; readonly spec: InstanceSpec; readonly identity: StartIdentity }> {
    const spec = request.spec ?? create(InstanceSpecSchema);
    const key = request.idempotencyKey;
    const instanceId = await instanceIdFromKey(key === "" ? deps.entropy.hex(16) : key);
    return { instanceId, spec, identity: identityFromSpec(spec, await knownDigest(request)) };
  }

  /** What has to be placed, and the spec with the module's digest filled in. */
  async function wantedBy(
    instanceId: string,
    request: StartInstanceRequest,
    spec: InstanceSpec,
    resolve: StartOrderDeps["modules"]["resolve"] = deps.modules.resolve,
  ): Promise<{ readonly wanted: PlacementRequest; readonly spec: InstanceSpec; readonly shape: string }> {
    const module = await resolve(request.module);
    assertDigest(spec.moduleDigest, module.digest, "module");
    const whole = { ...spec, moduleDigest: module.digest };
    const { nodeId, nodeLabels: labels } = request;
    const wishes = { nodeId, labels, kinds: module.kinds };
    return {
      wanted: placementRequestFromSpec(instanceId, whole, wishes),
      spec: whole,
      shape: placementShape(whole, wishes),
    };
  }

  async function begin(start: Start): Promise<Started> {
    const { instanceId, request, spec, call } = start;
    const isRetry = request.idempotencyKey !== "" && request.attempt > 0;
    if (isRetry && deps.mayLackNodes()) throw unsureFault(instanceId, "not all nodes have reported yet");
    const found = request.idempotencyKey === "" ? undefined : await searchUnseen(instanceId, call);
    if (found) return alreadyStarted(found, start.identity);
    const { wanted, shape, spec: whole } = await wantedBy(instanceId, request, spec, start.share?.resolve);
    const all = (): readonly string[] => placeInstance(deps.placementNodes(spec.name), wanted);
    const first = await start.share?.seat.place({ request: wanted, name: spec.name, shape });
    const endTurn = await start.share?.turns.take();
    try {
      return await orderFirst({ ...start, spec: whole }, { first, all });
    } finally {
      endTurn?.();
    }
  }

  /** Looks where a start of this key may be that no report has told of: nodes that are rebuilding, or that took an order and fell silent. */
  async function searchUnseen(instanceId: string, call: CallOptions): Promise<Instance | undefined> {
    const silentNodeId = unclear.get(instanceId);
    if (silentNodeId !== undefined) {
      try {
        const found = await askForInstance(deps, { instanceId, nodeId: silentNodeId }, call);
        unclear.delete(instanceId);
        if (found) return found;
      } catch (error) {
        throw unclearFault(instanceId, silentNodeId, error);
      }
    }
    const asked = deps.reader.rebuildingNodes().map(({ nodeId }) =>
      // A node that cannot be asked does not hold up the start: its report, once here, shows a double start if there is one.
      askForInstance(deps, { instanceId, nodeId }, call).catch(() => undefined),
    );
    return (await Promise.all(asked)).find((instance) => instance !== undefined);
  }

  async function orderFirst(start: Start, candidates: Candidates): Promise<Started> {
    const { instanceId } = start;
    let refusedByNodeId = "";
    let last: Fault | undefined;
    const asked: string[] = [];
    const next = (): string | undefined => {
      if (asked.length === CANDIDATES_MAX) return undefined;
      if (asked.length === 0 && candidates.first !== undefined) return candidates.first;
      return remaining(candidates, asked, last);
    };
    for (let candidate = next(); candidate !== undefined; candidate = next()) {
      asked.push(candidate);
      const nodeId = await reserved(start, candidate, refusedByNodeId);
      refusedByNodeId = nodeId;
      const outcome = await orderWitnessed(start, nodeId);
      if (outcome.kind === "started") return outcome;
      if (outcome.kind === "unclear") {
        rememberUnclear(instanceId, nodeId);
        throw unclearFault(instanceId, nodeId, outcome.why);
      }
      last = outcome.why;
    }
    const doing = `Cannot start instance "${instanceId}"`;
    if (!last) throw fault(Reason.NO_NODE_FITS, `${doing}: no node fits`, { subject: instanceId });
    if (asked.length === 1) throw last;
    const why = `${asked.length} nodes were asked and none took it; the last said: ${last.message}`;
    throw fault(last.reason, `${doing}: ${why}`, { subject: instanceId, cause: last });
  }

  /** The node where the instance goes if this candidate is wanted: that one, or the one that the key was given to before. */
  async function reserved(start: Start, nodeId: string, refusedByNodeId: string): Promise<string> {
    const { instanceId, request, call } = start;
    // Nobody but this call can know a key that was made here.
    if (request.idempotencyKey === "") return nodeId;
    const isFirst = request.attempt === 0;
    const decided = await deps.reserve({ instanceId, nodeId, refusedByNodeId, isFirst }, call);
    if (decided !== undefined) return decided;
    if (isFirst) return nodeId;
    throw unsureFault(instanceId, "nodes that would remember it are silent");
  }

  /** Orders it, with a witness if it is to survive its node; a copy of an order that was not taken goes again. */
  async function orderWitnessed(start: Start, nodeId: string): Promise<StartOutcome> {
    const { instanceId, spec, call } = start;
    if (!wantsWitness(spec)) return orderOne(start, nodeId, "");
    const witnessNodeId = await deps.witnesses.keep({ instanceId, nodeId, spec }, call);
    const dropped = (): Promise<void> => deps.witnesses.drop(instanceId, witnessNodeId, call);
    try {
      const outcome = await orderOne(start, nodeId, witnessNodeId);
      if (outcome.kind === "passed-over") await dropped();
      return outcome;
    } catch (error) {
      await dropped();
      throw error;
    }
  }

  async function orderOne(
    { instanceId, spec, call }: Start,
    nodeId: string,
    witnessNodeId: string,
  ): Promise<StartOutcome> {
    const ended = deps.underWay.begin(nodeId, needsOfSpec(spec).memoryBytes);
    try {
      return await deps.echo.afterReport(
        instanceId,
        () => giveStartOrder(deps, { instanceId, nodeId, spec, witnessNodeId }, call),
        (outcome) => (outcome.kind === "started" ? outcome.instance : undefined),
      );
    } finally {
      ended();
    }
  }

  function rememberUnclear(instanceId: string, nodeId: string): void {
    unclear.set(instanceId, nodeId);
    const oldest = unclear.keys().next().value;
    if (unclear.size > UNCLEAR_MAX && oldest !== undefined) unclear.delete(oldest);
  }
}

/** The best node that was not asked yet. After a refusal it counts why that one refused, not why no other fits. */
function remaining(candidates: Candidates, asked: readonly string[], last: Fault | undefined): string | undefined {
  try {
    return candidates.all().find((nodeId) => !asked.includes(nodeId));
  } catch (error) {
    if (last === undefined) throw error;
    return undefined;
  }
}

/** The module's digest as far as the request itself tells it. */
async function knownDigest(request: StartInstanceRequest): Promise<string> {
  const source = request.module?.source;
  if (source?.case === "digest") return source.value;
  if (source?.case === "inline") return digestOf(new Uint8Array(source.value));
  return source?.case === "url" ? source.value.digest : "";
}

function alreadyStarted(instance: Instance, wanted: StartIdentity): Started {
  assertSameIdentity(identityFromInstance(instance), wanted, instance.id);
  return { instance, alreadyStarted: true };
}

function assertNameFree(name: string, instanceId: string, reader: FleetReader, underWay: Iterable<UnderWay>): void {
  if (name === "") {
    throw fault(Reason.INVALID_REQUEST, `Cannot start instance "${instanceId}": unique_name needs a name`, {
      subject: "spec.name",
    });
  }
  const holder = reader.named(name).find((instance) => !hasEnded(instance));
  const starting = [...underWay].some(({ identity }) => identity.name === name);
  if (!holder && !starting) return;
  const by = holder ? `live instance "${holder.id}"` : "an instance that is being started";
  throw fault(
    Reason.INSTANCE_NAME_TAKEN,
    `Cannot start instance "${instanceId}": the name "${name}" is taken by ${by}`,
    { subject: name },
  );
}

function unsureFault(instanceId: string, why: string): Fault {
  return fault(
    Reason.REBUILDING,
    `Cannot start instance "${instanceId}": it cannot be made sure that its key was not used before (${why}); retry`,
    { subject: instanceId },
  );
}

function unclearFault(instanceId: string, nodeId: string, cause: unknown): Fault {
  return fault(
    Reason.NODE_UNREACHABLE,
    `Cannot start instance "${instanceId}": node "${nodeId}" was given the order and cannot be asked what became of it; retry with the same idempotency key`,
    { subject: nodeId, cause },
  );
}
