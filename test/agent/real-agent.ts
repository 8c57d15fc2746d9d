/** Real agents for tests: in this process or in one of their own, with their own folder and ports. */
import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll } from "vitest";
import { InstanceSpecSchema, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeAgentService } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { silentLog } from "../../src/log.ts";
import { rpcClientInterceptors } from "../../src/rpc/client-interceptors.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { serveAgent, type AgentOptions, type RunningAgent } from "../../src/agent/serve.ts";

export type AgentRpc = Client<typeof NodeAgentService>;
export type SpecInit = MessageInitShape<typeof InstanceSpecSchema>;

const cleanups: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

/** A folder that goes with the test file. Compiled modules are shared by all of a file's folders: compiling takes seconds. */
export function dataFolder(): string {
  const dir = temporaryFolder();
  symlinkSync((compiledDir ??= temporaryFolder()), join(dir, "cache"));
  return dir;
}

let compiledDir: string | undefined;

function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "agent-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** An agent in this process, without control planes, on free ports. */
export async function runAgent(
  options: Partial<AgentOptions> = {},
): Promise<RunningAgent & { readonly rpc: AgentRpc }> {
  const agent = await serveAgent({
    dataDir: dataFolder(),
    controlPlanes: [],
    port: 0,
    ingressPort: 0,
    log: silentLog,
    ...options,
  });
  cleanups.push(() => agent.close(0));
  return { ...agent, rpc: rpcTo(agent.url, options.token) };
}

/** An agent in a process of its own; `kill` is kill -9. */
export async function spawnAgent(
  dataDir: string,
): Promise<{ readonly url: string; readonly ingressUrl: string; readonly rpc: AgentRpc; kill(): Promise<void> }> {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, "agent-process.ts"), dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  };
  cleanups.push(kill);
  if (child.stdout === null) throw new Error("the agent process has no output");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url, ingressUrl } = JSON.parse(line) as { url: string; ingressUrl: string };
  return { url, ingressUrl, rpc: rpcTo(url), kill };
}

/** A client of an agent; failures are faults. */
export function rpcTo(baseUrl: string, token?: string): AgentRpc {
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "1.1",
    interceptors: rpcClientInterceptors({ token }),
  });
  return createClient(NodeAgentService, faultTransport(transport));
}

/** The bytes of `examples/NAME/NAME.wasm`. */
export function exampleModule(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(import.meta.dirname, "..", "..", "examples", name, `${name}.wasm`)));
}

export function digestOf(module: Uint8Array): string {
  return `sha256:${createHash("sha256").update(module).digest("hex")}`;
}

/** Pushes a module in two pieces. */
export async function push(rpc: AgentRpc, module: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = digestOf(module);
  const half = Math.floor(module.length / 2);
  await rpc.pushModule(
    (async function* () {
      yield { digest, chunk: module.subarray(0, half) };
      yield { chunk: module.subarray(half) };
    })(),
  );
  return digest;
}

/** Pushes and starts; the id is `name`, filled up. */
export async function start(
  rpc: AgentRpc,
  id: string,
  module: Uint8Array<ArrayBuffer>,
  spec: SpecInit = {},
): Promise<Instance> {
  const moduleDigest = await push(rpc, module);
  const { instance } = await rpc.startInstance({
    instanceId: idOf(id),
    generation: 1n,
    spec: create(InstanceSpecSchema, { ...spec, moduleDigest }),
  });
  if (instance === undefined) throw new Error("no instance came back");
  return instance;
}

export async function query(rpc: AgentRpc, id: string): Promise<Instance> {
  const { instance } = await rpc.queryInstance({ instanceId: idOf(id) });
  if (instance === undefined) throw new Error("no instance came back");
  return instance;
}

export function idOf(name: string): string {
  return name.padEnd(20, "0");
}
