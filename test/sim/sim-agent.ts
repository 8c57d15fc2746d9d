/** A simulated host with production's agent on it. */
import { createClient } from "@connectrpc/connect";
import { createAgent, type Agent } from "../../src/agent/agent.ts";
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import { nodeFleetService } from "../../src/agent/fleet/node-fleet-service.ts";
import { nodeAgentService } from "../../src/agent/services/node-agent-service.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeFleetService } from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import { NodeAgentService } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import type { Log } from "../../src/log.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import { rpcClientInterceptors } from "../../src/rpc/client-interceptors.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { rpcServerInterceptors } from "../../src/rpc/server-interceptors.ts";
import type { GuestStart } from "../../src/runtime/runtime.ts";
import type { Network } from "./network.ts";
import { entropyFrom, type Random } from "./random.ts";
import { createSimDisk, type SimDisk } from "./sim-disk.ts";
import { startSimProcess, type ClockSkew, type SimProcess } from "./sim-process.ts";
import { createSimRuntime, type SimRuntime } from "./sim-runtime.ts";
import type { Timeline } from "./timeline.ts";

/** What a host is given. */
export type SimAgentDeps = {
  readonly nodeId: string;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly log: Log;
  readonly controlPlanes: readonly string[];
  readonly instancesMax: number;
  /** Every record that the agent ever journalled, which is all that it may ever say. */
  readonly onRecord: (nodeId: string, record: InstanceRecord) => void;
  readonly onStarted: (nodeId: string, start: GuestStart) => void;
};

/** See the top of the file. */
export interface SimAgent {
  readonly nodeId: string;
  readonly disk: SimDisk;
  readonly skew: { offsetMs: number; rate: number };
  /** What runs on it now; undefined while it is down. */
  readonly running: { readonly process: SimProcess; readonly agent: Agent | undefined; readonly runtime: SimRuntime } | undefined;
  readonly instancesMax: number;
  boot(): void;
  kill(): void;
}

/** Makes a host that is down. */
export function createSimAgent(deps: SimAgentDeps): SimAgent {
  const { nodeId, timeline, network } = deps;
  const disk = createSimDisk();
  const skew: ClockSkew & { offsetMs: number; rate: number } = {
    offsetMs: deps.random.whole(-2_000, 2_000),
    rate: 1 + (deps.random.fraction() - 0.5) / 50,
  };
  let life = 0;
  let running: { process: SimProcess; agent: Agent | undefined; runtime: SimRuntime } | undefined;

  const bootAgent = async (): Promise<void> => {
    const process = startSimProcess(`${nodeId}#${++life}`, timeline, () => skew);
    const runtime = createSimRuntime(process, (start) => deps.onStarted(nodeId, start));
    const mine = { process, agent: undefined as Agent | undefined, runtime };
    running = mine;
    const entropy = entropyFrom(deps.random.fork(process.name));
    const agent = await createAgent({
      nodeId,
      runtime,
      fleetJournal: disk.openFleetJournal(process),
      journal: disk.openJournal(process, (record) => deps.onRecord(nodeId, record)),
      store: disk.openModules(process),
      providers: [{ id: "kv", type: "kv", backend: "memory", durable: false, open: async () => createMemoryKv() }],
      capacity: { instancesMax: deps.instancesMax, memoryMaxBytes: deps.instancesMax * 64 * 1024 * 1024 },
      labels: {},
      softwareVersion: "",
      clock: process.clock,
      entropy,
      log: deps.log,
    });
    if (!process.isAlive) return;
    mine.agent = agent;
    const interceptors = rpcServerInterceptors({ log: deps.log, clock: process.clock, entropy, token: undefined });
    network.listen(`http://${nodeId}`, nodeId, process, (router) => {
      router.service(NodeAgentService, nodeAgentService(agent, { clock: process.clock }), { interceptors });
      router.service(NodeFleetService, nodeFleetService(agent), { interceptors });
    });
    agent.resume();
    const from = { host: nodeId, process };
    const controlPlanes = deps.controlPlanes.map((address) => {
      const transport = network.transport(from, address, rpcClientInterceptors({}));
      return { address, client: createClient(ControlPlaneService, faultTransport(transport)) };
    });
    void agent.report({ controlPlanes, address: `http://${nodeId}`, ingressAddress: "" });
  };

  return {
    nodeId,
    disk,
    skew,
    instancesMax: deps.instancesMax,
    get running() {
      return running?.process.isAlive === true ? running : undefined;
    },
    boot() {
      // A failure to boot is the simulator's to report: it surfaces as an unhandled rejection of the run.
      void bootAgent();
    },
    kill() {
      running?.process.kill();
      running = undefined;
    },
  };
}
