/** Orders to witnesses on behalf of callers: a copy before a start, and what was stopped or granted before it is acknowledged. */
import { create } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import { fault, isFault, Reason, type Fault } from "../../fault.ts";
import { OnNodeLoss, type Instance, type InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { WitnessCopySchema, type WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import { sameAssignments } from "../same-assignments.ts";
import { keepCopy, type KeepCopyDeps } from "./keep-copy.ts";
import { witnessCandidates, type WitnessCandidatesDeps } from "./witness-candidates.ts";

/** What orders to witnesses need. */
export type WitnessOrdersDeps = WitnessCandidatesDeps & KeepCopyDeps;

/** See the top of the file. */
export interface WitnessOrders {
  /** Keeps a copy of a first order on another node than the one that is to carry it out, and answers which. Throws `NO_WITNESS`. */
  keep(
    order: { readonly instanceId: string; readonly nodeId: string; readonly spec: InstanceSpec },
    call: CallOptions,
  ): Promise<string>;
  /** Drops the copy of an order that nobody took. Never rejects. */
  drop(instanceId: string, witnessNodeId: string, call: CallOptions): Promise<void>;
  /** Makes sure that the instance is not placed anew any more, nor begins where it was placed meanwhile. Does nothing for one without a witness. Throws `NODE_UNREACHABLE` and the like. */
  stop(instance: Instance, call: CallOptions): Promise<void>;
  /** Brings the copy's assignments up to those of the instance as it is now. Does nothing for one without a witness. Throws `GENERATION_SUPERSEDED` if it is being placed anew. */
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

  const change = async (
    instance: Instance,
    changed: (copy: WitnessCopy) => WitnessCopy | undefined,
    call: CallOptions,
  ): Promise<WitnessCopy | undefined> => {
    const { id: instanceId, witnessNodeId } = instance;
    if (!wantsWitness(instance) || witnessNodeId === "") return undefined;
    const doing = `Cannot tell the witness of instance "${instanceId}"`;
    for (let attempt = 1; ; attempt++) {
      const { copy } = await agents.fleetOrder(witnessNodeId, doing, (agent) =>
        agent.readWitness({ instanceId }, call),
      );
      const next = copy === undefined ? undefined : changed(copy);
      if (next === undefined) return copy;
      try {
        await agents.fleetOrder(witnessNodeId, doing, (agent) => agent.keepWitness({ copy: next }, call));
        return next;
      } catch (error) {
        // It was placed anew between reading and writing: look again.
        if (!isFault(error, Reason.GENERATION_SUPERSEDED) || attempt === ATTEMPTS_MAX) throw error;
      }
    }
  };

  /** Stops what was placed on a node at which nobody has seen it yet: it must not begin there later. */
  const stopUnseen = async (copy: WitnessCopy, call: CallOptions): Promise<void> => {
    const { instanceId, nodeId } = copy;
    const doing = `Cannot stop instance "${instanceId}"`;
    await agents.fleetOrder(nodeId, doing, (agent) => agent.keepWitness({ copy }, call));
    try {
      await agents.order(nodeId, doing, (agent) => agent.stopInstance({ instanceId, grace: NO_GRACE }, call));
    } catch (error) {
      if (!isFault(error, Reason.INSTANCE_NOT_FOUND)) throw error;
    }
  };

  return {
    async keep({ instanceId, nodeId, spec }, call) {
      let last: Fault | undefined;
      for (const witnessNodeId of witnessCandidates(deps, nodeId).slice(0, WITNESSES_TRIED_MAX)) {
        try {
          const copy = create(WitnessCopySchema, { instanceId, generation: 1n, nodeId, spec });
          await keepCopy(deps, { witnessNodeId, copy }, call);
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
        .fleetOrder(witnessNodeId, `Cannot drop the order of instance "${instanceId}"`, (agent) =>
          agent.dropWitness(order, call),
        )
        // Lost: nothing for the caller, who is told why the start failed. The copy's node is asked to start it once more, and refuses again.
        .catch(() => undefined);
    },
    async stop(instance, call) {
      const copy = await change(instance, (held) => (held.stopped ? undefined : { ...held, stopped: true }), call);
      if (copy !== undefined && copy.generation > instance.generation && copy.nodeId !== instance.nodeId)
        await stopUnseen(copy, call);
    },
    async amend(instance, call) {
      if (!wantsWitness(instance)) return;
      const { id: instanceId, nodeId } = instance;
      let { generation, assignments } = instance;
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const wanted = { generation, assignments };
        await change(instance, (copy) => amended(copy, wanted), call);
        // Of two changes at once the one that the witness hears last need not be the one that was made last.
        const { instance: now } = await agents.order(nodeId, `Cannot read instance "${instanceId}"`, (agent) =>
          agent.queryInstance({ instanceId }, call),
        );
        if (now === undefined || sameAssignments(now.assignments, assignments)) return;
        ({ generation, assignments } = now);
      }
    },
  };
}

const NO_GRACE: { readonly seconds: bigint; readonly nanos: number } = { seconds: 0n, nanos: 0 };

/** The copy with these assignments; throws `GENERATION_SUPERSEDED` if it is of another generation, which began without them. */
function amended(
  copy: WitnessCopy,
  { generation, assignments }: Pick<Instance, "generation" | "assignments">,
): WitnessCopy | undefined {
  if (copy.spec === undefined || copy.stopped) return undefined;
  if (copy.generation === generation) return { ...copy, spec: { ...copy.spec, assignments } };
  throw fault(
    Reason.GENERATION_SUPERSEDED,
    `Cannot change what instance "${copy.instanceId}" may do: it is being placed on node "${copy.nodeId}"; retry`,
    { subject: copy.instanceId },
  );
}
