/** RegisterNode, ReportStatus and ListNodes. */
import { durationFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { fault, Reason } from "../../fault.ts";
import type { ControlPlaneService, ReportStatusRequest } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { NodeInfo } from "../../gen/wasmatrix/v1/node_pb.ts";
import { PROTOCOL_VERSION } from "../../protocol-version.ts";
import { assertProtocolVersionServed } from "../served-protocol.ts";
import { viewNode } from "../fleet-view.ts";
import type { NodeFold, NodeReport } from "../fold.ts";
import type { ServiceDeps } from "./service-deps.ts";

type Handlers = Pick<ServiceImpl<typeof ControlPlaneService>, "registerNode" | "reportStatus" | "listNodes">;

/** The handlers. */
export function nodes(deps: ServiceDeps): Handlers {
  return {
    registerNode({ info, epoch }) {
      const known = servedInfo(info);
      deps.fleet.report({
        info: known,
        epoch,
        afterSequence: 0n,
        facts: [],
        snapshot: undefined,
        load: undefined,
        leaving: false,
        sentNs: 0n,
      });
      return { protocolVersion: PROTOCOL_VERSION, reportInterval: durationFromMs(deps.reportIntervalMs) };
    },

    reportStatus(request) {
      const report = reportFromRequest(request);
      const before = deps.fleet.node(report.info.nodeId)?.fold;
      const outcome = deps.fleet.report(report);
      logChange(deps, report, before);
      if (outcome.kind === "need-snapshot") return { holds: { case: "needSnapshot", value: { why: outcome.why } } };
      return { holds: { case: "acknowledged", value: { epoch: outcome.epoch, sequence: outcome.sequence } } };
    },

    listNodes() {
      const steadyMs = deps.clock.steadyMs();
      const held = [...deps.fleet.nodes()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
      return { nodes: held.map((node) => viewNode(node, steadyMs, deps.silence)) };
    },
  };
}

/** Tells operators of nodes that come and go; silence is seen in `/metrics` and ListNodes, not here. */
function logChange({ log, fleet }: ServiceDeps, report: NodeReport, before: NodeFold | undefined): void {
  const { nodeId, address } = report.info;
  const after = fleet.node(nodeId)?.fold;
  const fields = { node: nodeId, address, epoch: report.epoch };
  if (before?.coverage === undefined && after?.coverage !== undefined) log.info("node joined", fields);
  else if (before && after && before.epoch !== after.epoch) log.info("node restarted", fields);
  if (before?.leaving !== true && after?.leaving === true) log.info("node left", fields);
}

function reportFromRequest(request: ReportStatusRequest): NodeReport {
  const info = servedInfo(request.info);
  const { epoch, afterSequence, facts, snapshot, load, leaving, sendTime } = request;
  const refuse = (what: string, field: string): never => {
    throw fault(Reason.INVALID_REQUEST, `Cannot take report of node "${info.nodeId}": ${what}`, { subject: field });
  };
  facts.forEach((fact, index) => {
    if (fact.nodeId !== info.nodeId) refuse(`fact ${index} is of node "${fact.nodeId}"`, `facts[${index}].node_id`);
    if (fact.epoch !== epoch) refuse(`fact ${index} is of another epoch`, `facts[${index}].epoch`);
    if (fact.sequence !== afterSequence + BigInt(index) + 1n)
      refuse(`fact ${index} is out of sequence`, `facts[${index}].sequence`);
  });
  if (snapshot && snapshot.page >= snapshot.pageCount)
    refuse("the snapshot's page lies beyond its last", "snapshot.page");
  return { info, epoch, afterSequence, facts, snapshot, load, leaving, sentNs: nanoseconds(sendTime) };
}

function servedInfo(info: NodeInfo | undefined): NodeInfo {
  if (!info)
    throw fault(Reason.INVALID_REQUEST, "Cannot take report: it does not say who reports", { subject: "info" });
  assertProtocolVersionServed(info.protocolVersion, info.nodeId);
  return info;
}

function nanoseconds(time: Timestamp | undefined): bigint {
  return time ? time.seconds * 1_000_000_000n + BigInt(time.nanos) : 0n;
}
