/** Takes a report into the fleet, whichever way it came: pushed by its agent, or read from a stream. */
import { create, toBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { fault, Reason } from "../fault.ts";
import type { ReportStatusRequest } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { FactSchema } from "../gen/wasmatrix/v1/fact_pb.ts";
import { InstanceSchema } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { NodeInfo } from "../gen/wasmatrix/v1/node_pb.ts";
import { PackedReportSchema, type PackedReport, type PackedSnapshot } from "../gen/wasmatrix/v1/packed_report_pb.ts";
import type { Log } from "../log.ts";
import type { Fleet, ReportOutcome } from "./fleet.ts";
import type { NodeFold, NodeReport } from "./fold.ts";
import { heldFactFromBytes, type HeldFact } from "./fold/held-fact.ts";
import { heldInstanceFromBytes, type HeldInstance } from "./fold/held-instance.ts";
import type { SnapshotPage } from "./fold/snapshot-pages.ts";
import { assertProtocolVersionServed } from "./served-protocol.ts";

/** Folds a report in. Throws `INVALID_REQUEST` for one that contradicts itself, and `PROTOCOL_VERSION_UNSUPPORTED`. */
export function takeReport(deps: { readonly fleet: Fleet; readonly log: Log }, packed: PackedReport): ReportOutcome {
  const report = nodeReportFromPacked(packed);
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

/** The report with its instances and facts as bytes, for one that was taken apart already: JSON cannot be left as it came. */
export function packedFromRequest(request: ReportStatusRequest): PackedReport {
  const { info, epoch, afterSequence, load, leaving, sendTime, snapshot } = request;
  return create(PackedReportSchema, {
    ...(info ? { info } : {}),
    ...(load ? { load } : {}),
    ...(sendTime ? { sendTime } : {}),
    ...(snapshot
      ? {
          snapshot: {
            sequence: snapshot.sequence,
            page: snapshot.page,
            pageCount: snapshot.pageCount,
            instances: snapshot.instances.map((instance) => toBinary(InstanceSchema, instance)),
            providers: snapshot.providers,
            witnesses: snapshot.witnesses,
          },
        }
      : {}),
    epoch,
    afterSequence,
    leaving,
    facts: request.facts.map((fact) => toBinary(FactSchema, fact)),
  });
}

/** The report as the fold reads it. Throws `INVALID_REQUEST` for one that contradicts itself, and `PROTOCOL_VERSION_UNSUPPORTED`. */
export function nodeReportFromPacked(packed: PackedReport): NodeReport {
  const info = servedInfo(packed.info);
  const { epoch, afterSequence, load, leaving, sendTime } = packed;
  const refuse = (what: string, field: string): never => {
    throw fault(Reason.INVALID_REQUEST, `Cannot take report of node "${info.nodeId}": ${what}`, { subject: field });
  };
  const facts = packed.facts.map((bytes, index): HeldFact => {
    const fact = factFromBytes(bytes);
    if (fact === undefined) return refuse(`fact ${index} cannot be read`, `facts[${index}]`);
    if (fact.nodeId !== info.nodeId) refuse(`fact ${index} is of node "${fact.nodeId}"`, `facts[${index}].node_id`);
    if (fact.epoch !== epoch) refuse(`fact ${index} is of another epoch`, `facts[${index}].epoch`);
    if (fact.sequence !== afterSequence + BigInt(index) + 1n)
      refuse(`fact ${index} is out of sequence`, `facts[${index}].sequence`);
    return fact;
  });
  const snapshot =
    packed.snapshot &&
    pageFromPacked(info.nodeId, packed.snapshot, () => refuse("an instance cannot be read", "snapshot.instances"));
  if (snapshot && snapshot.page >= snapshot.pageCount)
    refuse("the snapshot's page lies beyond its last", "snapshot.page");
  return { info, epoch, afterSequence, facts, snapshot, load, leaving, sentNs: nanoseconds(sendTime) };
}

function factFromBytes(bytes: Uint8Array): HeldFact | undefined {
  try {
    return heldFactFromBytes(bytes);
  } catch {
    // Lost: what exactly is wrong with the bytes. The agent is told which fact it was.
    return undefined;
  }
}

function pageFromPacked(nodeId: string, packed: PackedSnapshot, refuse: () => never): SnapshotPage {
  const { sequence, page, pageCount, providers, witnesses } = packed;
  const instances = inOnePiece(packed.instances).map(({ bytes, from, to }): HeldInstance => {
    try {
      return heldInstanceFromBytes(nodeId, bytes, from, to);
    } catch {
      // Lost: what exactly is wrong with the bytes.
      return refuse();
    }
  });
  return { sequence, page, pageCount, instances, providers, witnesses };
}

/** Where the parts of a message lie; in a piece of memory of their own if too much else lies around them, which they would keep. */
function inOnePiece(
  parts: readonly Uint8Array[],
): readonly { readonly bytes: Uint8Array; readonly from: number; readonly to: number }[] {
  const sizeBytes = parts.reduce((sum, each) => sum + each.length, 0);
  const buffer = parts[0]?.buffer;
  if (buffer && buffer.byteLength < sizeBytes * KEPT_AROUND && parts.every((each) => each.buffer === buffer)) {
    const bytes = new Uint8Array(buffer);
    return parts.map(({ byteOffset, length }) => ({ bytes, from: byteOffset, to: byteOffset + length }));
  }
  const bytes = new Uint8Array(sizeBytes);
  let end = 0;
  return parts.map((part) => {
    const from = end;
    bytes.set(part, from);
    end += part.length;
    return { bytes, from, to: end };
  });
}

/** A piece of memory may be this much larger than what it is kept for. */
const KEPT_AROUND = 1.5;

function nanoseconds(time: Timestamp | undefined): bigint {
  return time ? time.seconds * 1_000_000_000n + BigInt(time.nanos) : 0n;
}
