/** Control planes that listen on real ports, agents that are dialled over real connections, and curl. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createClient, type Client, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterEach } from "vitest";
import { systemClock, systemEntropy } from "../../../src/clock.ts";
import { serveControlPlane, type ControlPlaneOptions, type RunningControlPlane } from "../../../src/cp/entry/node.ts";
import { ControlPlaneService } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeAgentService } from "../../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { listenOnePort, type OnePort } from "../../../src/listen/one-port.ts";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { silentLog } from "../../../src/log.ts";
import { rpcClientInterceptors } from "../../../src/rpc/client-interceptors.ts";
import { rpcServerInterceptors } from "../../../src/rpc/server-interceptors.ts";
import { faultTransport } from "../../../src/rpc/fault-transport.ts";
import { createMemoryAgent, type MemoryAgent } from "../memory-agent.ts";

export const running: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.close();
});

export async function serve(options: Partial<ControlPlaneOptions> = {}): Promise<RunningControlPlane> {
  const controlPlane = await serveControlPlane({ port: 0, log: silentLog, ...options });
  running.push({ close: () => controlPlane.close(100) });
  return controlPlane;
}

/** An agent that is dialled over a real connection, as the control plane's transports do it. */
export async function joinAgent(
  controlPlane: RunningControlPlane,
  options: { token?: string; ingressAddress?: string; nodeId?: string; agentToken?: string } = {},
): Promise<MemoryAgent> {
  const interceptors = rpcClientInterceptors({ token: options.token });
  const back = faultTransport(createConnectTransport({ httpVersion: "1.1", baseUrl: controlPlane.url, interceptors }));
  let agent: MemoryAgent | undefined;
  const port: OnePort = await listenOnePort({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--port",
    handler: connectNodeAdapter({
      routes: (router) => {
        const inner: Transport = {
          unary: (...call) => transportOf(agent).unary(...call),
          stream: (...call) => transportOf(agent).stream(...call),
        };
        const forward = createClient(NodeAgentService, faultTransport(inner));
        const service: Partial<ServiceImpl<typeof NodeAgentService>> = {
          startInstance: (request) => forward.startInstance(request),
          stopInstance: (request) => forward.stopInstance(request),
          pushModule: (pieces) => forward.pushModule(pieces),
          tailLogs: (request, context) => forward.tailLogs(request, { signal: context.signal }),
        };
        const guard = { log: silentLog, clock: systemClock, entropy: systemEntropy, token: options.agentToken };
        router.service(NodeAgentService, service, { interceptors: rpcServerInterceptors(guard) });
      },
    }),
  });
  running.push(port);
  agent = createMemoryAgent(
    { nodeId: options.nodeId ?? "n1", address: port.url, ingressAddress: options.ingressAddress ?? "" },
    () => back,
  );
  await agent.report();
  return agent;
}

function transportOf(agent: MemoryAgent | undefined): Transport {
  if (agent) return agent.transport;
  throw new Error("the agent is not there yet");
}

export function clientOf(controlPlane: RunningControlPlane): Client<typeof ControlPlaneService> {
  return createClient(
    ControlPlaneService,
    faultTransport(createConnectTransport({ httpVersion: "1.1", baseUrl: controlPlane.url })),
  );
}

export const curl = async (...args: readonly string[]): Promise<{ status: number; body: string }> => {
  const { stdout } = await promisify(execFile)("curl", ["-sS", "--max-time", "20", "-w", "\n%{http_code}", ...args], {
    maxBuffer: 64 * 1024 ** 2,
  });
  const cut = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(cut + 1)), body: stdout.slice(0, cut) };
};
