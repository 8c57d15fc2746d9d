/** NodeAgentService over an agent: reads the request, asks the agent, answers. */
import { create } from "@bufbuild/protobuf";
import { durationMs, type Duration } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { fault, Reason } from "../../fault.ts";
import { InstanceSpecSchema, type InstanceSpec } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { NodeAgentService } from "../../gen/wasmatrix/v1/node_agent_pb.ts";
import { requestIdKey } from "../../rpc/request-id.ts";
import { createSlots } from "../../rpc/slots.ts";
import type { Agent } from "../agent.ts";
import { hasEnded } from "../instance-record.ts";
import { kvCallFromOperation, kvResultFromAnswer } from "../kv-operation.ts";
import { listPage } from "./list-page.ts";
import { pullModule, PULLS_MAX, PUSHES_MAX, pushModule } from "./module-transfer.ts";
import { tailLogs } from "./tail-logs.ts";

/** Grace of a stop that names none. */
export const STOP_GRACE_DEFAULT_MS = 10_000;

/** The handlers. They throw faults; the server's interceptors put those on the wire. */
export function nodeAgentService(agent: Agent, deps: { readonly clock: Clock }): ServiceImpl<typeof NodeAgentService> {
  const { supervisor, providers, describe } = agent;
  const slots = createSlots(PUSHES_MAX, "pushes");
  const pulls = createSlots(PULLS_MAX, "pulls");
  return {
    async startInstance(request, context) {
      const spec = requiredSpec(request.spec);
      const order = {
        id: request.instanceId,
        generation: request.generation,
        spec,
        requestId: requestIdOf(context),
        witnessNodeId: request.witnessNodeId,
      };
      const isNew = supervisor.find(order.id)?.generation !== order.generation;
      if (isNew) await agent.peerModules?.fetch(spec.moduleDigest, request.modulePeers);
      const { record, alreadyStarted } = await supervisor.start(order);
      return { instance: describe(record), alreadyStarted };
    },
    async stopInstance(request, context) {
      const record = await supervisor.stop(request.instanceId, graceMsFrom(request.grace), requestIdOf(context));
      return { instance: describe(record) };
    },
    queryInstance: (request) => ({ instance: describe(supervisor.get(request.instanceId)) }),
    listInstances(request) {
      const { items, nextPageToken } = listPage(supervisor.list(), request);
      return { instances: items.map(describe), nextPageToken };
    },
    async invokeInstance(request, context) {
      const guest = supervisor.guest(request.instanceId);
      const results = await guest.invoke(request.function, argsFrom(request.argsJson), context.signal);
      return { resultsJson: JSON.stringify(results) };
    },
    async invokeCapability(request) {
      const record = supervisor.get(request.instanceId);
      if (request.generation < record.generation) {
        const sentence = `generation ${request.generation} was replaced by ${record.generation}`;
        throw fault(Reason.INSTANCE_NOT_RUNNING, `Cannot act for instance "${record.id}": ${sentence}`, {
          subject: record.id,
        });
      }
      if (hasEnded(record)) {
        throw fault(Reason.INSTANCE_NOT_RUNNING, `Cannot act for instance "${record.id}": it is ${record.state}`, {
          subject: record.id,
        });
      }
      if (request.kv === undefined) throw missing("kv");
      return { kv: kvResultFromAnswer(await agent.gate.kv(record.id, kvCallFromOperation(request.kv))) };
    },
    async assignCapability({ instanceId, assignment }, context) {
      if (assignment === undefined) throw missing("assignment");
      return { instance: describe(await supervisor.assign(instanceId, assignment, requestIdOf(context))) };
    },
    async revokeCapability({ instanceId, assignment }, context) {
      if (assignment === undefined) throw missing("assignment");
      return { instance: describe(await supervisor.revoke(instanceId, assignment, requestIdOf(context))) };
    },
    tailLogs: (request, context) => tailLogs(agent, request, { signal: context.signal, clock: deps.clock }),
    pushModule: (chunks, { signal }) => pushModule({ store: agent.store, clock: deps.clock, slots, signal }, chunks),
    pullModule: (request, { signal }) => pullModule({ store: agent.store, slots: pulls, signal }, request.digest),
    startProvider: async (request, context) => ({
      provider: await providers.start(request.providerId, requestIdOf(context)),
    }),
    stopProvider: async (request, context) => ({
      provider: await providers.stop(request.providerId, requestIdOf(context)),
    }),
    listProviders: () => ({ providers: [...providers.list()] }),
  };
}

function requestIdOf(context: HandlerContext): string {
  return context.values.get(requestIdKey);
}

function graceMsFrom(grace: Duration | undefined): number {
  return grace === undefined ? STOP_GRACE_DEFAULT_MS : durationMs(grace);
}

function requiredSpec(spec: InstanceSpec | undefined): InstanceSpec {
  if (spec === undefined) throw missing("spec");
  if (spec.moduleDigest === "") throw missing("spec.module_digest");
  // A copy of its own: the record keeps it for the instance's whole life.
  return create(InstanceSpecSchema, spec);
}

function argsFrom(json: string): readonly unknown[] {
  if (json === "") return [];
  const refuse = (why: string, cause?: unknown): Error =>
    fault(Reason.ARGUMENT_INVALID, `Cannot read arguments: ${why}`, { subject: "args_json", cause });
  let args: unknown;
  try {
    args = JSON.parse(json);
  } catch (error) {
    throw refuse("they are not JSON", error);
  }
  if (!Array.isArray(args)) throw refuse("they are not a JSON array");
  return args;
}

function missing(field: string): Error {
  return fault(Reason.INVALID_REQUEST, `Cannot accept request: ${field} is missing`, { subject: field });
}
