/** A simulated host with production's agent on it. */
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createAgent, type Agent } from "../../src/agent/agent.ts";
import { discoveryEntries } from "../../src/agent/fleet/discovery-entries.ts";
import { nodeFleetService } from "../../src/agent/fleet/node-fleet-service.ts";
import { nodeAgentService } from "../../src/agent/services/node-agent-service.ts";
import { startRegistration } from "../../src/discovery/registration.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeFleetService } from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import { NodeAgentService } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import type { Log } from "../../src/log.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { rpcServerInterceptors } from "../../src/rpc/server-interceptors.ts";
import type { GuestStart } from "../../src/runtime/runtime.ts";
import type { Run, Watcher } from "./history.ts";
import type { Network } from "./network.ts";
import { entropyFrom, type Random } from "./random.ts";
import { createSimDisk, type SimDisk } from "./sim-disk.ts";
import type { SimEtcd } from "./sim-etcd.ts";
import { startSimProcess, type SimProcess } from "./sim-process.ts";
import { createSimRuntime } from "./sim-runtime.ts";
import { speakVersion1, tapPushedReports } from "./taps.ts";
import type { Timeline } from "./timeline.ts";

/** What a host is given. */
export type SimAgentDeps = {
  readonly nodeId: string;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly random: Random;
  readonly log: Log;
  /** Control planes that it reports to by itself. */
  readonly controlPlanes: readonly string[];
  /** Where it registers, if anywhere. */
  readonly etcd: SimEtcd | undefined;
  readonly instancesMax: number;
  /** Whether it is an agent of protocol version 1, without what the fleet asks of agents since. */
  readonly isOld: boolean;
  readonly watcher: Required<Watcher>;
};

/** See the top of the file. */
export interface SimAgent {
  readonly nodeId: string;
  readonly disk: SimDisk;
  readonly skew: { offsetMs: number; rate: number };
  /** What runs on it now; undefined while it is down. */
  readonly running: { readonly process: SimProcess; readonly agent: Agent | undefined } | undefined;
  readonly instancesMax: number;
  boot(): void;
  kill(silently?: "silently"): void;
  /** Shuts the agent down in order; the process ends with it. */
  leave(): void;
}

type Running = { readonly process: SimProcess; agent: Agent | undefined; endRegistration: () => Promise<void> };

/** Makes a host that is down. */
export function createSimAgent(deps: SimAgentDeps): SimAgent {
  const { nodeId, timeline, network, watcher, log } = deps;
  const disk = createSimDisk();
  const skew = {
    offsetMs: deps.random.whole(-2_000, 2_000),
    rate: 1 + (deps.random.fraction() - 0.5) / 50,
  };
  const address = `http://${nodeId}`;
  let life = 0;
  let running: Running | undefined;

  /** Tells of guests that begin and end, with the generation that the agent has of them. */
  const watchRuns = (mine: Running): Parameters<typeof createSimRuntime>[1] => {
    const live = new Map<GuestStart, Run>();
    mine.process.onDeath(() => {
      for (const run of live.values()) watcher.onRunEnded(run, "with its process");
    });
    return {
      onStarted(start) {
        const generation = mine.agent?.supervisor.find(start.id)?.generation ?? 0n;
        const run = { node: nodeId, life: mine.process.name, id: start.id, generation };
        live.set(start, run);
        watcher.onRunStarted(run);
      },
      onEnded(start) {
        const run = live.get(start);
        live.delete(start);
        if (run !== undefined && mine.process.isAlive) watcher.onRunEnded(run, "by itself");
      },
    };
  };

  const bootAgent = async (mine: Running): Promise<void> => {
    const { process } = mine;
    const entropy = entropyFrom(deps.random.fork(process.name));
    const onDisk = {
      onRecord: (record: Parameters<typeof watcher.onRecord>[1]) => watcher.onRecord(nodeId, record),
      onWitness: (copy: Parameters<typeof watcher.onWitness>[1]) => watcher.onWitness(nodeId, copy),
    };
    const agent = await createAgent({
      nodeId,
      runtime: createSimRuntime(process, watchRuns(mine)),
      fleetJournal: disk.openFleetJournal(process, onDisk),
      journal: disk.openJournal(process, onDisk),
      store: disk.openModules(),
      providers: [{ id: "kv", type: "kv", backend: "memory", durable: false, open: async () => createMemoryKv() }],
      capacity: { instancesMax: deps.instancesMax, memoryMaxBytes: deps.instancesMax * 64 * 1024 * 1024 },
      labels: {},
      softwareVersion: "",
      clock: process.clock,
      entropy,
      log,
    });
    if (!process.isAlive) return;
    mine.agent = agent;
    const peer = { host: nodeId, process };
    const interceptors = rpcServerInterceptors({ log, clock: process.clock, entropy, token: undefined });
    network.listen(address, peer, (router) => {
      router.service(NodeAgentService, nodeAgentService(agent, { clock: process.clock }), { interceptors });
      if (!deps.isOld) router.service(NodeFleetService, nodeFleetService(agent), { interceptors });
    });
    agent.resume();
    const client: Interceptor[] = [...(deps.isOld ? [speakVersion1] : []), tapPushedReports(watcher.onReport)];
    const controlPlanes = deps.controlPlanes.map((to) => {
      const transport = network.transport(peer, to, client);
      return { address: to, client: createClient(ControlPlaneService, faultTransport(transport)) };
    });
    void agent.report({ controlPlanes, address, ingressAddress: "" });
    if (deps.etcd === undefined) return;
    const entries = (): ReturnType<typeof discoveryEntries> => discoveryEntries(agent, { address, ingressAddress: "" });
    const registration = startRegistration({ store: deps.etcd.connect(peer), clock: process.clock, log, entries });
    mine.endRegistration = () => registration.close();
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
      const process = startSimProcess(`${nodeId}#${++life}`, timeline, () => skew);
      const mine: Running = { process, agent: undefined, endRegistration: () => Promise.resolve() };
      running = mine;
      // A failure to boot is the simulator's to report: it surfaces as an unhandled rejection of the run.
      process.deliver(() => void bootAgent(mine));
    },
    kill(silently) {
      running?.process.kill(silently);
      running = undefined;
    },
    leave() {
      const mine = running;
      mine?.process.deliver(() => {
        void Promise.all([mine.agent?.close(1_000), mine.endRegistration()]).then(() => mine.process.kill());
      });
    },
  };
}
