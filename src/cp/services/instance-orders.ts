/** StopInstance, InvokeInstance and TailLogs: what an agent is asked to do with an instance. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { ControlPlaneService, TailLogsRequest } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { NodeAgentServiceTailLogsResponse } from "../../gen/wasmatrix/v1/node_agent_pb.ts";
import { hasEnded } from "../instance-life.ts";
import {
  callOptions,
  giveInstanceOrder,
  orderOptions,
  passedHeaders,
  shuttingDown,
  type ServiceDeps,
} from "./service-deps.ts";

/** The grace time if the request names none; the agent's default is the same. */
const GRACE_DEFAULT_MS = 10_000;

type Handlers = Pick<ServiceImpl<typeof ControlPlaneService>, "stopInstance" | "invokeInstance" | "tailLogs">;

/** The handlers. */
export function instanceOrders(deps: ServiceDeps): Handlers {
  const { reader, agents, limits } = deps;
  return {
    async stopInstance(request, context) {
      const target = reader.find(request.instance, "Cannot stop instance");
      // What has ended for good stays so; its node need not even be there any more.
      if (hasEnded(target)) return { instance: target };
      const graceMs = request.grace ? durationMs(request.grace) : GRACE_DEFAULT_MS;
      const options = orderOptions(context, graceMs + limits.orderTimeoutMs);
      const order = { instanceId: target.id, ...(request.grace ? { grace: request.grace } : {}) };
      // The witness first: what is acknowledged as stopped must not be placed anew, whatever becomes of its node.
      await deps.witnesses.stop(target, options);
      return giveInstanceOrder(deps, {
        target,
        doing: doing("stop", target),
        give: (agent) => agent.stopInstance(order, options),
      });
    },

    async invokeInstance(request, context) {
      const target = reader.find(request.instance, "Cannot invoke instance");
      const { function: name, argsJson } = request;
      const options = callOptions(context, limits.invokeTimeoutMs);
      const { resultsJson } = await agents.order(target.nodeId, doing("invoke", target), (agent) =>
        agent.invokeInstance({ instanceId: target.id, function: name, argsJson }, options),
      );
      return { resultsJson, instanceId: target.id };
    },

    tailLogs: (request, context) => tailLogs(deps, request, context),
  };
}

async function* tailLogs(
  deps: ServiceDeps,
  request: TailLogsRequest,
  context: HandlerContext,
): AsyncGenerator<Pick<NodeAgentServiceTailLogsResponse, "lines">> {
  const target = deps.reader.find(request.instance, "Cannot tail logs of instance");
  const what = doing("tail logs of", target);
  const release = deps.streams.take(what, context.signal);
  const signal = AbortSignal.any([context.signal, deps.closing]);
  try {
    const { follow, lastLines, afterSequence } = request;
    const order = { instanceId: target.id, follow, lastLines, afterSequence };
    // The agent's empty messages are passed on: they say that the whole way to it stands.
    const headers = passedHeaders(context);
    for await (const { lines } of deps.agents.stream(target.nodeId, what, (agent) =>
      agent.tailLogs(order, { headers, signal }),
    )) {
      yield { lines };
    }
  } catch (error) {
    if (deps.closing.aborted) throw shuttingDown(what);
    throw error;
  } finally {
    release();
  }
}

function doing(verb: string, instance: Instance): string {
  return `Cannot ${verb} instance "${instance.id}"`;
}
