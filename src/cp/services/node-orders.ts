/** CordonNode, UncordonNode and DrainNode. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CallOptions, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, Reason } from "../../fault.ts";
import type {
  ControlPlaneService,
  DrainNodeRequest,
  DrainNodeResponseSchema,
} from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { Node } from "../../gen/wasmatrix/v1/node_pb.ts";
import { STREAM_KEEPALIVE_MS } from "../../rpc/rpc-limits.ts";
import { drainNode, type DrainStep } from "../drain/drain-node.ts";
import { viewNode } from "../fleet-view.ts";
import { untilFleet } from "../until-fleet.ts";
import { orderOptions, shuttingDown, type ServiceDeps } from "./service-deps.ts";

const DRAIN_TIMEOUT_DEFAULT_MS = 5 * 60_000;

type Handlers = Pick<ServiceImpl<typeof ControlPlaneService>, "cordonNode" | "uncordonNode" | "drainNode">;

/** The handlers. */
export function nodeOrders(deps: ServiceDeps): Handlers {
  const { limits } = deps;
  return {
    async cordonNode({ nodeId }, context) {
      return { node: await setCordon(deps, { nodeId, cordoned: true }, orderOptions(context, limits.orderTimeoutMs)) };
    },
    async uncordonNode({ nodeId }, context) {
      return { node: await setCordon(deps, { nodeId, cordoned: false }, orderOptions(context, limits.orderTimeoutMs)) };
    },
    drainNode: (request, context) => drain(deps, request, context),
  };
}

/** Tells the agent, and answers the node once its report says so; waits at most as long as an order is waited for. */
async function setCordon(
  deps: ServiceDeps,
  { nodeId, cordoned }: { readonly nodeId: string; readonly cordoned: boolean },
  call: CallOptions,
): Promise<Node> {
  const doing = `Cannot ${cordoned ? "cordon" : "uncordon"} node "${nodeId}"`;
  await deps.agents.fleetOrder(nodeId, doing, (agent) => agent.setCordon({ cordoned }, call));
  const isSaid = (): boolean => deps.fleet.node(nodeId)?.fold.announced.info.cordoned === cordoned;
  await untilFleet(deps, deps.limits.echoTimeoutMs, isSaid);
  const node = deps.fleet.node(nodeId);
  if (node === undefined) throw fault(Reason.NODE_NOT_FOUND, `${doing}: no node has the id "${nodeId}"`);
  return viewNode(node, deps.clock.steadyMs(), deps.silence);
}

async function* drain(
  deps: ServiceDeps,
  { nodeId, timeout }: DrainNodeRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof DrainNodeResponseSchema>> {
  const doing = `Cannot drain node "${nodeId}"`;
  const release = deps.streams.take(doing, context.signal);
  const signal = AbortSignal.any([context.signal, deps.closing]);
  const call = orderOptions(context, deps.limits.orderTimeoutMs);
  const draining = {
    fleet: deps.fleet,
    clock: deps.clock,
    move: deps.move,
    keepAliveMs: STREAM_KEEPALIVE_MS,
    cordon: async (id: string) => void (await setCordon(deps, { nodeId: id, cordoned: true }, call)),
  };
  try {
    const timeoutMs = timeout === undefined ? DRAIN_TIMEOUT_DEFAULT_MS : durationMs(timeout);
    for await (const step of drainNode(draining, { nodeId, timeoutMs, signal })) {
      if (deps.closing.aborted) throw shuttingDown(doing);
      yield messageFromStep(step);
    }
  } finally {
    release();
  }
}

function messageFromStep(step: DrainStep): MessageInitShape<typeof DrainNodeResponseSchema> {
  switch (step.kind) {
    case "waiting":
      return {};
    case "begun":
      return { step: { case: "begun", value: { instances: step.instances, movable: step.movable } } };
    case "finished": {
      const { moved, stayed, witnessCopies } = step;
      return { step: { case: "finished", value: { moved, stayed, witnessCopies } } };
    }
    case "outcome": {
      const { instance, outcome } = step;
      const which = { instanceId: instance.id, name: instance.name };
      if (outcome.kind === "moved") {
        const { nodeId, generation } = outcome;
        return { step: { case: "moved", value: { ...which, nodeId, generation } } };
      }
      const { reason, message } = outcome.why;
      return { step: { case: "stayed", value: { ...which, reason, message } } };
    }
  }
}
