/** A control plane and an agent in one process, as `wasmatrix dev` runs them, for benchmarks. Prints its URLs as one JSON line. */
import { serveAgent } from "../src/agent/serve.ts";
import { serveControlPlane } from "../src/cp/entry/node.ts";
import { silentLog } from "../src/log.ts";

const dataDir = process.argv[2];
if (dataDir === undefined) throw new Error("Cannot start: usage: fleet-process.ts DATA_DIR");

const controlPlane = await serveControlPlane({ port: 0, log: silentLog });
const agent = await serveAgent({
  dataDir,
  controlPlanes: [controlPlane.url],
  port: 0,
  ingressPort: 0,
  instancesMax: 2_000,
  memoryMaxBytes: 2 ** 40,
  log: silentLog,
});
await agent.joined;
console.log(JSON.stringify({ controlPlaneUrl: controlPlane.url, ingressUrl: agent.ingressUrl }));

process.on("message", (message) => {
  if (message !== "memory") return;
  globalThis.gc?.();
  process.send?.({ rssBytes: process.memoryUsage.rss() });
});
process.once("SIGTERM", () => {
  void agent
    .close(0)
    .then(() => controlPlane.close(0))
    .then(() => process.exit(0));
});
