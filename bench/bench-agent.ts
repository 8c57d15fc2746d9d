/** The agent that is measured, as its users run it: built, in a process of its own, with a control plane in another. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { type InstanceSpecSchema, Reuse } from "../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeAgentService } from "../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { readyFields, startBenchProcess, type BenchProcess } from "./bench-process.ts";

/** A running agent. */
export type BenchAgent = {
  readonly process: BenchProcess;
  readonly api: Client<typeof NodeAgentService>;
  /** Base URL of its ingress. */
  readonly ingress: string;
  /** Base URL of the control plane, where its gateway answers as well. */
  readonly gateway: string;
  /** Hands over a module and says its digest. */
  push(module: Uint8Array): Promise<string>;
  /** Starts an instance and says its id; resolves when it takes calls. */
  start(spec: MessageInitShape<typeof InstanceSpecSchema>): Promise<string>;
  stop(id: string): Promise<void>;
  /** Ends the processes and removes what they kept. */
  close(): Promise<void>;
};

/** A spec's `reuse: none`. */
export const FRESH: Reuse = Reuse.NONE;

const CLI = join(import.meta.dirname, "..", "dist", "cli", "main.js");
const CHUNK_BYTES = 256 * 1024;

/** Starts both processes on free ports of this machine. `nodeFlags` are options of `node` for the agent. */
export async function startBenchAgent(nodeFlags: readonly string[] = []): Promise<BenchAgent> {
  const dataDir = mkdtempSync(join(tmpdir(), "wasmatrix-bench-"));
  const controlPlane = await startBenchProcess({ args: [CLI, "cp", "--port", "0", "--log-level", "error", "--json"] });
  const { controlPlane: reported = "" } = readyFields(controlPlane);
  // More memory than there is: instances are counted with their limits, not with what they use.
  const capacity = ["--memory-max", "1024GiB"];
  const ports = ["--port", "0", "--ingress-port", "0", "--log-level", "error", "--json"];
  const started = await startBenchProcess({
    args: [...nodeFlags, CLI, "agent", "--control-plane", reported, "--data", dataDir, ...capacity, ...ports],
  });
  const { agent = "", ingress = "" } = readyFields(started);
  const api = createClient(NodeAgentService, createConnectTransport({ baseUrl: agent, httpVersion: "2" }));
  let lastId = 0;
  return {
    process: started,
    api,
    ingress,
    gateway: reported,
    async push(module) {
      const digest = `sha256:${createHash("sha256").update(module).digest("hex")}`;
      await api.pushModule(pieces(digest, module));
      return digest;
    },
    async start(spec) {
      lastId += 1;
      const instanceId = lastId.toString(36).padStart(20, "0");
      await api.startInstance({ instanceId, generation: 1n, spec });
      return instanceId;
    },
    async stop(instanceId) {
      await api.stopInstance({ instanceId });
    },
    async close() {
      await Promise.all([started.stop(), controlPlane.stop()]);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function* pieces(digest: string, module: Uint8Array): AsyncIterable<{ digest: string; chunk: Uint8Array }> {
  for (let start = 0; start < module.length; start += CHUNK_BYTES) {
    yield { digest: start === 0 ? digest : "", chunk: module.subarray(start, start + CHUNK_BYTES) };
  }
}
