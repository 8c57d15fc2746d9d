/** Runs an agent on the folder that is named, and says on one line where it listens. */
import { createJsonLog } from "../../src/log.ts";
import { serveAgent } from "../../src/agent/serve.ts";

const [dataDir] = process.argv.slice(2);
if (dataDir === undefined) throw new Error("usage: agent-process DATA-DIR");
const log = createJsonLog({ write: (line) => process.stderr.write(`${line}\n`), level: "error" });
const { url, ingressUrl } = await serveAgent({ dataDir, controlPlanes: [], port: 0, ingressPort: 0, log });
process.stdout.write(`${JSON.stringify({ url, ingressUrl })}\n`);
