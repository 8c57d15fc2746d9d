/** Gives one start order to one node, so that whatever goes wrong the instance is not started twice. */
import type { CallOptions } from "@connectrpc/connect";
import { fault, isFault, Reason, type Fault } from "../../fault.ts";
import type { Instance, InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { ModuleStore } from "../modules/module-store.ts";
import { isRefusal, wasNeverSent, type NodeAgents } from "../node-agents.ts";

/** What came of an order. */
export type StartOutcome =
  | { readonly kind: "started"; readonly instance: Instance; readonly alreadyStarted: boolean }
  /** Surely not started there; another node may take it. */
  | { readonly kind: "passed-over"; readonly why: Fault }
  /** Nobody knows whether it was started there. */
  | { readonly kind: "unclear"; readonly why: Fault };

/** A start order. */
export type StartOrder = {
  readonly instanceId: string;
  readonly nodeId: string;
  /** Default 1. */
  readonly generation?: bigint;
  /** The node that keeps a copy of the order; none if missing. */
  readonly witnessNodeId?: string;
  /** With the module's digest filled in. */
  readonly spec: InstanceSpec;
};

/** What giving orders needs. */
export type StartOrderDeps = {
  readonly agents: NodeAgents;
  readonly modules: ModuleStore;
  readonly startTimeoutMs: number;
  readonly orderTimeoutMs: number;
};

/** Gives the order, with the module if the node lacks it. Throws what the agent answers for good, such as `LIMIT_INVALID`. */
export async function giveStartOrder(
  deps: StartOrderDeps,
  order: StartOrder,
  call: CallOptions,
): Promise<StartOutcome> {
  try {
    return await attempt(deps, order, call);
  } catch (error) {
    if (error instanceof UndeliverableModule) throw error.cause;
    if (!isFault(error)) throw error;
    if (isRefusal(error)) {
      if (ANOTHER_NODE_MAY.has(error.reason)) return { kind: "passed-over", why: error };
      throw error;
    }
    if (wasNeverSent(error)) return { kind: "passed-over", why: error };
    return afterUnclear(deps, order, call, error);
  }
}

/** Asks a node whether it has the instance: undefined if it surely does not. Throws if it cannot be asked. */
export async function askForInstance(
  deps: StartOrderDeps,
  order: { readonly instanceId: string; readonly nodeId: string },
  call: CallOptions,
): Promise<Instance | undefined> {
  const { instanceId, nodeId } = order;
  try {
    const answer = await deps.agents.order(nodeId, `Cannot start instance "${instanceId}"`, (agent) =>
      agent.queryInstance({ instanceId }, { ...call, timeoutMs: deps.orderTimeoutMs }),
    );
    return answer.instance;
  } catch (error) {
    if (isFault(error, Reason.INSTANCE_NOT_FOUND)) return undefined;
    throw error;
  }
}

/** Refusals that say something of the node, not of the order. */
const ANOTHER_NODE_MAY: ReadonlySet<Reason> = new Set([
  Reason.NODE_CORDONED,
  Reason.GENERATION_SUPERSEDED,
  Reason.NODE_AT_CAPACITY,
  Reason.NODE_UNREACHABLE,
  Reason.SHUTTING_DOWN,
  Reason.TOO_MANY_REQUESTS,
  Reason.NOT_SHARED,
  Reason.PROVIDER_NOT_FOUND,
]);

async function attempt(deps: StartOrderDeps, order: StartOrder, call: CallOptions): Promise<StartOutcome> {
  try {
    return await send(deps, order, call);
  } catch (error) {
    if (!isFault(error, Reason.MODULE_NOT_FOUND) || !isRefusal(error)) throw error;
  }
  try {
    await deps.modules.deliver(order.spec.moduleDigest, order.nodeId, call);
  } catch (error) {
    // The node has refused and lacks the module still, so nothing was started there.
    if (isFault(error) && ANOTHER_NODE_MAY.has(error.reason)) return { kind: "passed-over", why: error };
    throw new UndeliverableModule(error);
  }
  return send(deps, order, call);
}

/** Sets a failed delivery apart from a failed order: it leaves nothing unclear. */
class UndeliverableModule extends Error {
  constructor(cause: unknown) {
    super("module cannot be delivered", { cause });
  }
}

async function send(
  deps: StartOrderDeps,
  { instanceId, nodeId, spec, generation = 1n, witnessNodeId = "" }: StartOrder,
  call: CallOptions,
): Promise<StartOutcome> {
  const doing = `Cannot start instance "${instanceId}"`;
  const modulePeers = [...deps.modules.peers(spec.moduleDigest, nodeId)];
  const request = { instanceId, generation, spec, witnessNodeId, modulePeers };
  const { instance, alreadyStarted } = await deps.agents.order(nodeId, doing, (agent) =>
    agent.startInstance(request, { ...call, timeoutMs: deps.startTimeoutMs }),
  );
  if (!instance)
    throw fault(Reason.INTERNAL, `${doing}: node "${nodeId}" answered without an instance`, { subject: nodeId });
  return { kind: "started", instance, alreadyStarted };
}

/** The order may have arrived: only the node itself can say. */
async function afterUnclear(
  deps: StartOrderDeps,
  order: StartOrder,
  call: CallOptions,
  why: Fault,
): Promise<StartOutcome> {
  try {
    const instance = await askForInstance(deps, order, call);
    if (instance && instance.generation >= (order.generation ?? 1n))
      return { kind: "started", instance, alreadyStarted: false };
  } catch (error) {
    return { kind: "unclear", why: isFault(error) ? error : why };
  }
  if (isFault(why, Reason.NODE_UNREACHABLE)) return { kind: "passed-over", why };
  throw why;
}
