/** Orders to witnesses on behalf of callers: a copy before a start, and what was stopped or granted before it is acknowledged. */
import type { CallOptions } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { fault, isFault, Reason, type Fault } from "../../fault.ts";
import { OnNodeLoss, type Instance, type InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../gen/wasmatrix/v1/node_pb.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import { nodeStateAt, type SilencePolicy } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import type { NodeAgents } from "../node-agents.ts";

/** What orders to witnesses need. */
export type WitnessOrdersDeps = {
  readonly fleet: Fleet;
  readonly agents: NodeAgents;
  readonly clock: Clock;
  readonly silence: SilencePolicy;
};

/** See the top of the file. */
export interface WitnessOrders {
  /** Keeps a copy of a first order on another node than the one that is to carry it out, and answers which. Throws `NO_WITNESS`. */
  keep(order: { readonly instanceId: string; readonly nodeId: string; readonly spec: InstanceSpec }, call: CallOptions): Promise<string>;
  /** Drops the copy of an order that nobody took. Never rejects. */
  drop(instanceId: string, witnessNodeId: string, call: CallOptions): Promise<void>;
  /** Makes sure that the instance is not placed anew any more. Does nothing for one without a witness. Throws `NODE_UNREACHABLE` and the like. */
  stop(instance: Instance, call: CallOptions): Promise<void>;
  /** Brings the copy's assignments up to those of the instance as it is now. Does nothing for one without a witness. */
  amend(instance: Instance, call: CallOptions): Promise<void>;
}

/** Nodes that are asked to be a witness before a start is given up. */
const WITNESSES_TRIED_MAX = 4;
/** A copy that changes while it is changed is read again so often. */
const ATTEMPTS_MAX = 4;

/** Whether a spec asks for a witness. */
export function wantsWitness(spec: Pick<InstanceSpec, "onNodeLoss">): boolean {
  return spec.onNodeLoss === OnNodeLoss.RESTART_ELSEWHERE;
}

/** Makes the orders. */
export function createWitnessOrders(deps: WitnessOrdersDeps): WitnessOrders {
  const { agents } = deps;

  const available = (without: string): readonly string[] =>
    [...deps.fleet.nodes()]
      .filter((node) => node.nodeId !== without && node.fold.announced.info.address !== "")
      .filter((node) => nodeStateAt(node, deps.clock.steadyMs(), deps.silence) === NodeState.AVAILABLE)
      .toSorted((a, b) => copiesOf(a) - copiesOf(b) || (a.nodeId < b.nodeId ? -1 : 1))
      .map(({ nodeId }) => nodeId);

  const change = async (
    instance: Instance,
    changed: (copy: WitnessCopy) => WitnessCopy | undefined,
    call: CallOptions,
  ): Promise<void> => {
    const { id: instanceId, witnessNodeId } = instance;
    if (instance.onNodeLoss !== OnNodeLoss.RESTART_ELSEWHERE || witnessNodeId === "") return;
    const doing = `Cannot tell the witness of instance "${instanceId}"`;
    for (let attempt = 1; ; attempt++) {
      try {
        const { copy } = await agents.fleetOrder(witnessNodeId, doing, (agent) => agent.readWitness({ instanceId }, call));
        const next = copy === undefined ? undefined : changed(copy);
        if (next !== undefined) await agents.fleetOrder(witnessNodeId, doing, (agent) => agent.keepWitness({ copy: next }, call));
        return;
      } catch (error) {
        // It was placed anew between reading and writing: look again.
        if (!isFault(error, Reason.GENERATION_SUPERSEDED) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  };

  return {
    async keep({ instanceId, nodeId, spec }, call) {
      let last: Fault | undefined;
      for (const witnessNodeId of available(nodeId).slice(0, WITNESSES_TRIED_MAX)) {
        try {
          const copy = { instanceId, generation: 1n, nodeId, spec };
          await agents.fleetOrder(witnessNodeId, `Cannot keep a copy of the order of instance "${instanceId}"`, (agent) =>
            agent.keepWitness({ copy }, call),
          );
          return witnessNodeId;
        } catch (error) {
          if (!isFault(error) || error.reason === Reason.GENERATION_SUPERSEDED) throw error;
          last = error;
        }
      }
      const why = last === undefined ? "it is the only node that is available" : last.message;
      throw fault(
        Reason.NO_WITNESS,
        `Cannot start instance "${instanceId}" on node "${nodeId}": no other node can keep the order for its restart elsewhere (${why})`,
        { subject: instanceId, cause: last },
      );
    },
    async drop(instanceId, witnessNodeId, call) {
      const order = { instanceId, generation: 1n, instanceEnded: false };
      await agents
        .fleetOrder(witnessNodeId, `Cannot drop the order of instance "${instanceId}"`, (agent) => agent.dropWitness(order, call))
        // Lost: nothing for the caller, who is told why the start failed. The copy's node is asked to start it once more, and refuses again.
        .catch(() => undefined);
    },
    stop: (instance, call) => change(instance, (copy) => (copy.stopped ? undefined : { ...copy, stopped: true }), call),
    amend: (instance, call) =>
      change(
        instance,
        (copy) => (copy.spec === undefined ? undefined : { ...copy, spec: { ...copy.spec, assignments: instance.assignments } }),
        call,
      ),
  };
}

function copiesOf({ fold }: { readonly fold: { readonly witnesses: { readonly settled: ReadonlyMap<string, unknown> } } }): number {
  return fold.witnesses.settled.size;
}
