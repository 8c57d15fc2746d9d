/** What the services of a control plane share. */
import type { CallOptions, HandlerContext } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { fault, Reason, type Fault } from "../../fault.ts";
import type { Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { Log } from "../../log.ts";
import { requestIdHeaders } from "../../rpc/client-interceptors.ts";
import { requestIdKey } from "../../rpc/request-id.ts";
import type { MoveOutcome } from "../drain/move-instance.ts";
import type { FleetReader } from "../fleet-reader.ts";
import type { SilencePolicy } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import type { UnheardAgent } from "../known-agents.ts";
import type { ControlPlaneLimits } from "../limits.ts";
import type { ModuleStore } from "../modules/module-store.ts";
import type { AgentClient, NodeAgents } from "../node-agents.ts";
import type { OrderEcho } from "../order-echo.ts";
import type { PlacementNode } from "../placement.ts";
import type { Slots } from "../../rpc/slots.ts";
import type { WitnessOrders } from "../witness/witness-orders.ts";
import type { InstanceStarter } from "../start/start-instance.ts";

/** The parts of one control plane. */
export type ServiceDeps = {
  readonly clock: Clock;
  readonly log: Log;
  readonly fleet: Fleet;
  readonly reader: FleetReader;
  /** Agents that are known by address and have never been heard. */
  readonly unheard: () => readonly UnheardAgent[];
  readonly silence: SilencePolicy;
  readonly agents: NodeAgents;
  readonly modules: ModuleStore;
  readonly starter: InstanceStarter;
  /** The nodes as placement sees them, for an instance of a name (empty: none). */
  readonly placementNodes: (name: string) => readonly PlacementNode[];
  readonly echo: OrderEcho;
  readonly witnesses: WitnessOrders;
  /** Moves an instance to another node. Never rejects. */
  readonly move: (instance: Instance) => Promise<MoveOutcome>;
  readonly streams: Slots;
  readonly limits: ControlPlaneLimits;
  readonly reportIntervalMs: number;
  /** Aborts when the control plane closes: streams end. */
  readonly closing: AbortSignal;
};

/** An agent's answer about one instance. */
export type AboutInstance = { readonly instance?: Instance | undefined };

/** An order that changes one instance. */
export type InstanceOrder = {
  readonly target: Instance;
  /** Begins the sentence of errors: `Cannot stop instance "a1"`. */
  readonly doing: string;
  readonly give: (agent: AgentClient) => Promise<AboutInstance>;
};

/** Gives the order to the instance's agent and answers the instance as the agent did, once its report has shown it. */
export async function giveInstanceOrder(
  deps: ServiceDeps,
  { target, doing, give }: InstanceOrder,
): Promise<{ instance: Instance }> {
  const order = (): Promise<AboutInstance> => deps.agents.order(target.nodeId, doing, give);
  const { instance } = await deps.echo.afterReport(target.id, order, (answer) => answer.instance);
  if (instance) return { instance };
  throw fault(Reason.INTERNAL, `${doing}: node "${target.nodeId}" answered without an instance`, {
    subject: target.nodeId,
  });
}

/** Headers that pass the request's id on. */
export function passedHeaders(context: HandlerContext): Record<string, string> {
  return requestIdHeaders(context.values.get(requestIdKey));
}

/** Call options that pass the request's id on, for an order that goes on if its caller goes away. */
export function orderOptions(context: HandlerContext, timeoutMs: number): CallOptions {
  return { headers: passedHeaders(context), timeoutMs };
}

/** Call options for a call that ends when its caller goes away. */
export function callOptions(context: HandlerContext, timeoutMs: number): CallOptions {
  return { ...orderOptions(context, timeoutMs), signal: context.signal };
}

/** The error with which streams end when the control plane does. */
export function shuttingDown(doing: string): Fault {
  return fault(Reason.SHUTTING_DOWN, `${doing}: this control plane is shutting down`);
}
