/** Gives orders to agents, and says in our own words why one could not be given. */
import { createClient, type Client, type Transport } from "@connectrpc/connect";
import type { Clock } from "../clock.ts";
import { fault, isFault, Reason, type Fault } from "../fault.ts";
import { NodeAgentService } from "../gen/wasmatrix/v1/node_agent_pb.ts";
import { NodeFleetService } from "../gen/wasmatrix/v1/node_fleet_pb.ts";
import { NodeState } from "../gen/wasmatrix/v1/node_pb.ts";
import { RemoteFault } from "../rpc/fault-to-connect.ts";
import { faultTransport } from "../rpc/fault-transport.ts";
import { nodeStateAt, type SilencePolicy } from "./fleet-view.ts";
import type { Fleet } from "./fleet.ts";

/** A client of one agent; every failure of its calls is a `Fault`. */
export type AgentClient = Client<typeof NodeAgentService>;

/** A client of what one agent does for the fleet; every failure of its calls is a `Fault`. */
export type FleetAgentClient = Client<typeof NodeFleetService>;

/** The agents of the fleet. */
export interface NodeAgents {
  /**
   * Gives an order to the agent of a node. Throws `NODE_NOT_FOUND`, `NODE_UNREACHABLE` (it is silent, has left, cannot be
   * dialled or does not answer), or what the agent answered. `doing` begins the sentence: `Cannot stop instance "a1"`.
   */
  order<T>(nodeId: string, doing: string, call: (agent: AgentClient) => Promise<T>): Promise<T>;
  /** Like `order`, for NodeFleetService. */
  fleetOrder<T>(nodeId: string, doing: string, call: (agent: FleetAgentClient) => Promise<T>): Promise<T>;
  /** Like `order`, for an answer that is a stream: failures in its midst are put into words as well. */
  stream<T>(nodeId: string, doing: string, call: (agent: AgentClient) => AsyncIterable<T>): AsyncGenerator<T>;
}

/** What giving orders needs. */
export type NodeAgentsDeps = {
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly silence: SilencePolicy;
  /** Makes a transport to an agent's base URL; it may connect lazily. */
  readonly dial: (address: string) => Transport;
};

/** Clients kept at once; they hold no connection themselves. */
const CLIENTS_MAX = 10_000;

/** Makes the agents of a fleet reachable. */
export function createNodeAgents(deps: NodeAgentsDeps): NodeAgents {
  type Clients = { readonly agent: AgentClient; readonly fleet: FleetAgentClient };
  const clients = new Map<string, Clients>();
  const clientAt = (address: string): Clients => {
    const known = clients.get(address);
    if (known) return known;
    const transport = faultTransport(deps.dial(address));
    const client = {
      agent: createClient(NodeAgentService, transport),
      fleet: createClient(NodeFleetService, transport),
    };
    const oldest = clients.keys().next().value;
    if (clients.size >= CLIENTS_MAX && oldest !== undefined) clients.delete(oldest);
    clients.set(address, client);
    return client;
  };
  const clientOf = (nodeId: string, doing: string): Clients => {
    const node = deps.fleet.node(nodeId);
    if (!node) throw fault(Reason.NODE_NOT_FOUND, `${doing}: no node has the id "${nodeId}"`, { subject: nodeId });
    const state = nodeStateAt(node, deps.clock.steadyMs(), deps.silence);
    const silentS = Math.round((deps.clock.steadyMs() - node.times.lastReportSteadyMs) / 1_000);
    if (state === NodeState.LEFT) throw silent(nodeId, doing, "has left");
    if (state === NodeState.LOST) throw silent(nodeId, doing, `has been silent for ${silentS} s`);
    const { address } = node.fold.announced.info;
    if (!isDiallable(address)) throw silent(nodeId, doing, "has no address at which it can be dialled");
    return clientAt(address);
  };
  return {
    async order(nodeId, doing, call) {
      const { agent } = clientOf(nodeId, doing);
      try {
        return await call(agent);
      } catch (error) {
        throw inOurWords(error, nodeId, doing);
      }
    },
    async fleetOrder(nodeId, doing, call) {
      const { fleet } = clientOf(nodeId, doing);
      try {
        return await call(fleet);
      } catch (error) {
        throw inOurWords(error, nodeId, doing);
      }
    },
    async *stream(nodeId, doing, call) {
      const { agent: client } = clientOf(nodeId, doing);
      try {
        yield* call(client);
      } catch (error) {
        throw inOurWords(error, nodeId, doing);
      }
    },
  };
}

/** What an agent says of itself is taken as it is, and may be nonsense. */
function isDiallable(address: string): boolean {
  const protocol = URL.parse(address)?.protocol;
  return protocol === "http:" || protocol === "https:";
}

/** Whether the agent itself answered so, which means that the order was not and will not be carried out. */
export function isRefusal(error: unknown): error is Fault {
  return error instanceof RemoteFault && !UNCLEAR_ANSWERS.has(error.reason);
}

/** Whether the order surely never reached the agent: it was not even tried, nobody was there to connect to, or the door stayed shut. */
export function wasNeverSent(error: unknown): boolean {
  if (isFault(error, Reason.NODE_UNREACHABLE) && error.cause === undefined) return true;
  for (let cause = error, depth = 0; cause instanceof Error && depth < 6; cause = cause.cause, depth++) {
    if (isFault(cause, Reason.UNAUTHENTICATED)) return true;
    if ("code" in cause && typeof cause.code === "string" && NOT_CONNECTED.has(cause.code)) return true;
  }
  return false;
}

const NOT_CONNECTED: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH"]);

/** Answers after which the order may still have been carried out. */
const UNCLEAR_ANSWERS: ReadonlySet<Reason> = new Set([
  Reason.UNSPECIFIED,
  Reason.CANCELED,
  Reason.CALL_TIMED_OUT,
  Reason.INTERNAL,
]);

function silent(nodeId: string, doing: string, what: string): Fault {
  return fault(Reason.NODE_UNREACHABLE, `${doing}: node "${nodeId}" ${what}`, { subject: nodeId });
}

/** What the agent says is passed on; what the connection says means nothing to a caller. */
function inOurWords(error: unknown, nodeId: string, doing: string): unknown {
  if (isFault(error, Reason.UNAUTHENTICATED)) {
    return fault(Reason.NODE_UNREACHABLE, `${doing}: node "${nodeId}" does not accept this control plane's token`, {
      subject: nodeId,
      cause: error,
    });
  }
  if (!isFault(error) || error instanceof RemoteFault) return error;
  const options = { subject: nodeId, cause: error };
  switch (error.reason) {
    case Reason.NODE_UNREACHABLE:
    case Reason.UNSPECIFIED:
      return fault(Reason.NODE_UNREACHABLE, `${doing}: node "${nodeId}" does not answer`, options);
    case Reason.CALL_TIMED_OUT:
      return fault(Reason.CALL_TIMED_OUT, `${doing}: node "${nodeId}" did not answer in time`, options);
    default:
      return error;
  }
}
