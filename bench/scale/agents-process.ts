/**
 * Plays the agents of a whole fleet to a control plane in the parent process: writes each node's snapshot to a file, as frames of
 * node number, length and message. A process of its own, so that making reports costs the measured one nothing.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { ReportStatusRequest } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { reportOf, sequenceOf, snapshotReports, streamedBytes } from "./node-reports.ts";
import { enveloped } from "./simulated-network.ts";
import type { FleetShape } from "./fleet-shapes.ts";

const { shape, recentFacts } = JSON.parse(process.argv[2] ?? "") as {
  readonly shape: FleetShape;
  readonly recentFacts: number;
};
const file = openSync(process.argv[3] ?? "", "w");

/** A heartbeat follows each snapshot, after as many others as come within a report interval. */
const HEARTBEAT_AFTER_NODES = 1_000;

for (let node = 0; node < shape.nodes + HEARTBEAT_AFTER_NODES; node++) {
  const earlier = node - HEARTBEAT_AFTER_NODES;
  if (node < shape.nodes) for (const report of snapshotReports(shape, node, recentFacts)) write(node, report);
  if (earlier >= 0 && earlier < shape.nodes)
    write(earlier, reportOf(earlier, shape.instancesPerNode, sequenceOf(shape)));
}
closeSync(file);

function write(node: number, report: ReportStatusRequest): void {
  const bytes = enveloped(streamedBytes(report));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(node, 0);
  head.writeUInt32LE(bytes.length, 4);
  writeSync(file, head);
  writeSync(file, bytes);
}
