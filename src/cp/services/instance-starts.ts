/** StartInstance and StartInstances. */
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, Fault, Reason } from "../../fault.ts";
import {
  StartResultSchema,
  type ControlPlaneService,
  type StartInstanceRequest,
  type StartInstanceResponseSchema,
  type StartResult,
} from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { requestIdKey } from "../../rpc/request-id.ts";
import { startBatch } from "../start/start-batch.ts";
import type { Started } from "../start/start-instance.ts";
import { orderOptions, type ServiceDeps } from "./service-deps.ts";

type Handlers = Pick<ServiceImpl<typeof ControlPlaneService>, "startInstance" | "startInstances">;

/** Verdicts that one answer carries. */
const VERDICTS_MAX = 100;
/** Instances beyond this are told in short, so that the answer stays below what one message may hold. */
const RESULTS_MAX_BYTES = 3 * 1024 * 1024;

/** The handlers. */
export function instanceStarts(deps: ServiceDeps): Handlers {
  const { starter, limits } = deps;
  const batch = {
    clock: deps.clock,
    modules: deps.modules,
    placementNodes: deps.placementNodes,
    countsOf: (name: string) => deps.fleet.index.liveNamed(name),
    start: starter.start,
  };
  return {
    startInstance: (request, context) =>
      request.dryRun ? explain(deps, request) : starter.start(request, orderOptions(context, limits.startTimeoutMs)),
    async startInstances({ requests }, context) {
      const settled = await startBatch(batch, requests, orderOptions(context, limits.startTimeoutMs));
      return { results: inOneMessage(settled.map((each) => resultFrom(each, deps, context))) };
    },
  };
}

async function explain(
  { starter }: ServiceDeps,
  request: StartInstanceRequest,
): Promise<MessageInitShape<typeof StartInstanceResponseSchema>> {
  const { instance, verdicts } = await starter.explain(request);
  if (instance !== undefined) return { instance, alreadyStarted: true };
  return {
    verdicts: verdicts.slice(0, VERDICTS_MAX).map((verdict) => ({
      ...verdict,
      failed: [...verdict.failed],
      cost: verdict.loadCost + verdict.moduleCost + verdict.spreadCost,
    })),
  };
}

function resultFrom(
  settled: PromiseSettledResult<Started>,
  { log }: ServiceDeps,
  context: HandlerContext,
): StartResult {
  if (settled.status === "fulfilled") {
    const { instance, alreadyStarted } = settled.value;
    return create(StartResultSchema, { result: { case: "started", value: { instance, alreadyStarted } } });
  }
  const requestId = context.values.get(requestIdKey);
  const error: unknown = settled.reason;
  if (!(error instanceof Fault)) log.error("start of a batch failed", { requestId }, error);
  const { code, message, reason, subject } =
    error instanceof Fault
      ? error
      : fault(Reason.INTERNAL, `Internal error: the log has it under request id ${requestId}`);
  const failure = { code, message, detail: { reason, subject, requestId } };
  return create(StartResultSchema, { result: { case: "failure", value: failure } });
}

function inOneMessage(results: StartResult[]): StartResult[] {
  let sizeBytes = 0;
  for (const { result } of results) {
    if (result.case !== "started" || result.value.instance === undefined) continue;
    sizeBytes += toBinary(InstanceSchema, result.value.instance).length;
    if (sizeBytes > RESULTS_MAX_BYTES) result.value.instance = inShort(result.value.instance);
  }
  return results;
}

function inShort({ id, name, nodeId, generation, state }: Instance): Instance {
  return create(InstanceSchema, { id, name, nodeId, generation, state });
}
