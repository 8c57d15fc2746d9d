/** Takes a report into the fleet, whichever way it came: pushed by its agent, or read from a stream. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { fault, Reason } from "../fault.ts";
import type { ReportStatusRequest } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import type { NodeInfo } from "../gen/wasmatrix/v1/node_pb.ts";
import type { Log } from "../log.ts";
import type { Fleet, ReportOutcome } from "./fleet.ts";
import type { NodeFold, NodeReport } from "./fold.ts";
import { assertProtocolVersionServed } from "./served-protocol.ts";

/** Folds a report in. Throws `INVALID_REQUEST` for one that contradicts itself, and `PROTOCOL_VERSION_UNSUPPORTED`. */
export function takeReport(
  deps: { readonly fleet: Fleet; readonly log: Log },
  request: ReportStatusRequest,
): ReportOutcome {
  const report = reportFromRequest(request);
  const before = deps.fleet.node(report.info.nodeId)?.fold;
  const outcome = deps.fleet.report(report);
  logChange(deps, report, before);
  return outcome;
}

/** What an agent says of itself; throws if it says nothing, or speaks a protocol version that is not served. */
export function servedInfo(info: NodeInfo | undefined): NodeInfo {
  if (!info)
    throw fault(Reason.INVALID_REQUEST, "Cannot take report: it does not say who reports", { subject: "info" });
  assertProtocolVersionServed(info.protocolVersion, info.nodeId);
  return info;
}

/** Tells operators of nodes that come and go; silence is seen in `/metrics` and ListNodes, not here. */
function logChange(
  { log, fleet }: { readonly fleet: Fleet; readonly log: Log },
  report: NodeReport,
  before: NodeFold | undefined,
): void {
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

function nanoseconds(time: Timestamp | undefined): bigint {
  return time ? time.seconds * 1_000_000_000n + BigInt(time.nanos) : 0n;
}
