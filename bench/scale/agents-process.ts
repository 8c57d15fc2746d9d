/**
 * Plays the agents of a whole fleet to a control plane in the parent process: writes each node's snapshot to standard output, as
 * frames of node number, length and message. A process of its own, so that making reports costs the measured one nothing.
 */
import { once } from "node:events";
import { snapshotReports, streamedBytes } from "./node-reports.ts";
import type { FleetShape } from "./fleet-shapes.ts";

const { shape, recentFacts } = JSON.parse(process.argv[2] ?? "") as { readonly shape: FleetShape; readonly recentFacts: number };

for (let node = 0; node < shape.nodes; node++) {
  for (const report of snapshotReports(shape, node, recentFacts)) {
    const bytes = streamedBytes(report);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(node, 0);
    head.writeUInt32LE(bytes.length, 4);
    process.stdout.write(head);
    if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
  }
}
process.stdout.end();
