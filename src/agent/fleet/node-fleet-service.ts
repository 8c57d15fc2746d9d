/** NodeFleetService over an agent: what it does for the fleet beside running instances. */
import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { fault, Reason } from "../../fault.ts";
import {
  WatchReportsResponseSchema,
  type NodeFleetService,
  type WatchReportsRequest,
} from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import { requestIdKey } from "../../rpc/request-id.ts";
import { createSlots } from "../../rpc/slots.ts";
import type { Agent } from "../agent.ts";
import { instanceFromRecord } from "../instance-record.ts";
import type { ReportPosition } from "../report-plan.ts";

/** Control planes that read reports at once. */
const REPORT_STREAMS_MAX = 64;
const INTERVAL_DEFAULT_MS = 5_000;

/** The handlers. They throw faults; the server's interceptors put those on the wire. */
export function nodeFleetService(agent: Agent): ServiceImpl<typeof NodeFleetService> {
  const { supervisor } = agent;
  const { witnesses, reservations } = agent.fleet;
  const slots = createSlots(REPORT_STREAMS_MAX, "report streams");
  return {
    async *watchReports(request, context) {
      const release = slots.take(`Cannot watch reports of node "${agent.nodeId}"`, context.signal);
      try {
        const intervalMs =
          request.reportInterval === undefined ? INTERVAL_DEFAULT_MS : durationMs(request.reportInterval);
        for await (const report of agent.reports(positionFrom(request, agent), intervalMs, context.signal))
          yield create(WatchReportsResponseSchema, { report });
      } finally {
        release();
      }
    },
    async keepWitness({ copy: asked, modulePeers }, context) {
      const copy = required(asked, "copy");
      // Without its module an order could not be carried out when its node, and who sent it, are gone.
      if (!copy.stopped) await holdModule(agent, copy.spec?.moduleDigest ?? "", modulePeers);
      return { witness: witnesses.keep(copy, requestIdOf(context)) };
    },
    claimGeneration: (request, context) => ({ copy: witnesses.claim(request, requestIdOf(context)) }),
    readWitness: ({ instanceId }) => ({ copy: witnesses.read(instanceId) }),
    dropWitness(request, context) {
      witnesses.drop(request, requestIdOf(context));
      return {};
    },
    async changeWitness(request, context) {
      return { copy: supervisor.changeWitness(request, requestIdOf(context)) };
    },
    adoptGeneration: (request, context) => ({
      instance: instanceFromRecord(supervisor.adoptGeneration(request, requestIdOf(context))),
    }),
    async fenceInstance({ instanceId, supersededByGeneration }, context) {
      const record = await supervisor.fence(instanceId, supersededByGeneration, requestIdOf(context));
      return record === undefined ? {} : { instance: instanceFromRecord(record) };
    },
    // Where it is already, it goes.
    reservePlacement: (request) => ({
      nodeId: supervisor.find(request.instanceId) === undefined ? reservations.reserve(request) : agent.nodeId,
    }),
    setCordon({ cordoned }, context) {
      agent.fleet.setCordoned(cordoned, requestIdOf(context));
      return { cordoned };
    },
  };
}

/** Brings a module here; throws `MODULE_NOT_FOUND` if no peer gives it. */
async function holdModule(
  { store, peerModules, nodeId }: Agent,
  digest: string,
  peers: readonly string[],
): Promise<void> {
  if (await store.touch(digest)) return;
  await peerModules?.fetch(digest, peers);
  if (await store.touch(digest)) return;
  throw fault(Reason.MODULE_NOT_FOUND, `Cannot keep a start order: node "${nodeId}" does not hold module ${digest}`, {
    subject: digest,
  });
}

/** What the caller says that it holds counts if it is of this life; otherwise it is sent everything. */
function positionFrom({ holds }: WatchReportsRequest, { epoch }: Agent): ReportPosition {
  return holds.case === "acknowledged" && holds.value.epoch === epoch
    ? { kind: "holds", sequence: Number(holds.value.sequence) }
    : { kind: "behind" };
}

function required<T>(value: T | undefined, field: string): T {
  if (value !== undefined) return value;
  throw fault(Reason.INVALID_REQUEST, `Cannot read request: ${field} is missing`, { subject: field });
}

function requestIdOf(context: HandlerContext): string {
  return context.values.get(requestIdKey);
}
