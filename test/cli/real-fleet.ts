/** A real control plane and a real agent in this process, on any ports, with a data folder of their own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveAgent, type AgentOptions } from "../../src/agent/serve.ts";
import { serveControlPlane } from "../../src/cp/entry/node.ts";
import { silentLog } from "../../src/log.ts";
import { runCaptured, type CapturedIoOptions, type CliResult } from "./captured-io.ts";

/** One control plane with one agent. */
export type RealFleet = {
  readonly url: string;
  readonly nodeId: string;
  /** Runs the command line against it. */
  readonly cli: (argv: readonly string[], options?: CapturedIoOptions) => Promise<CliResult>;
  close(): Promise<void>;
};

/** Starts both and waits until the agent has joined. */
export async function startRealFleet(
  options: Pick<AgentOptions, "token" | "instancesMax" | "sharedFolders" | "sharedEnv" | "env"> = {},
): Promise<RealFleet> {
  const dataDir = await mkdtemp(join(tmpdir(), "wasmatrix-cli-"));
  const token = options.token === undefined ? {} : { token: options.token };
  const controlPlane = await serveControlPlane({ port: 0, log: silentLog, ...token });
  const agent = await serveAgent({
    dataDir,
    controlPlanes: [controlPlane.url],
    port: 0,
    ingressPort: 0,
    log: silentLog,
    ...options,
    instancesMax: options.instancesMax ?? 50,
  });
  await agent.joined;
  return {
    url: controlPlane.url,
    nodeId: agent.nodeId,
    cli: (argv, given = {}) =>
      runCaptured(argv, { ...given, env: { WASMATRIX_ADDRESS: controlPlane.url, ...given.env } }),
    async close() {
      await agent.close(0);
      await controlPlane.close(0);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The path of an example's module. */
export function exampleFile(name: string): string {
  return join(import.meta.dirname, "../../examples", name, `${name}.wasm`);
}
