/**
 * Production's control planes and agents in one process, on a virtual clock: agents have a scripted runtime and disks in memory,
 * and every line between them can be cut. For what only all parts together do.
 */
import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type Client,
  type Transport,
} from "@connectrpc/connect";
import { createAgent, type Agent } from "../../src/agent/agent.ts";
import {
  createMemoryFleetDisk,
  openMemoryFleetJournal,
  type MemoryFleetDisk,
} from "../../src/agent/fleet/memory-fleet-journal.ts";
import { nodeFleetService } from "../../src/agent/fleet/node-fleet-service.ts";
import { createMemoryJournalDisk, openMemoryJournal, type MemoryJournalDisk } from "../../src/agent/memory-journal.ts";
import { digestOf, type ModuleStore } from "../../src/agent/module-store.ts";
import { nodeAgentService } from "../../src/agent/services/node-agent-service.ts";
import { systemEntropy } from "../../src/clock.ts";
import { createControlPlane, type ControlPlane, type ControlPlaneDeps } from "../../src/cp/app.ts";
import { fault, Reason } from "../../src/fault.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceState, OnNodeLoss, type Instance } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeAgentService } from "../../src/gen/wasmatrix/v1/node_agent_pb.ts";
import { NodeFleetService } from "../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import { createJsonLog, silentLog, type Log } from "../../src/log.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { rpcServerInterceptors } from "../../src/rpc/server-interceptors.ts";
import { createScriptedRuntime, type ScriptedRuntime } from "../agent/scripted-runtime.ts";
import { createVirtualClock, type VirtualClock } from "../agent/virtual-clock.ts";
import { inline } from "./test-fleet.ts";

/** One host: its disks outlive the agents on it. */
export interface RealNode {
  readonly nodeId: string;
  readonly address: string;
  readonly fleetDisk: MemoryFleetDisk;
  disk: MemoryJournalDisk;
  readonly modules: Map<string, Uint8Array>;
  /** The present life; undefined while it is down. */
  agent: Agent | undefined;
  runtime: ScriptedRuntime;
  /** Nobody reaches it, and it reaches nobody; it runs on. */
  cut: boolean;
  /** Ids of the instances that run. */
  running(): readonly string[];
  boot(): Promise<void>;
  /** Ends it as kill -9 does. */
  kill(): void;
}

/** One control plane, which knows of all nodes by a list. */
export interface RealControlPlane {
  readonly controlPlane: ControlPlane;
  readonly client: Client<typeof ControlPlaneService>;
  close(): Promise<void>;
}

export interface RealFleet {
  readonly clock: VirtualClock;
  readonly nodes: readonly RealNode[];
  node(nodeId: string): RealNode;
  /** Starts another control plane, which knows nothing yet. */
  addControlPlane(deps?: Partial<ControlPlaneDeps>): RealControlPlane;
  /** Lets time pass until `holds` answers without throwing and not with false; fails after `maxMs`. */
  until<T>(holds: () => T | Promise<T>, maxMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** Every log line of the fleet goes to stderr with WASMATRIX_TEST_LOG=1, for who looks into a test. */
const LOG: Log =
  process.env["WASMATRIX_TEST_LOG"] === "1"
    ? createJsonLog({ level: "debug", write: (line) => process.stderr.write(`${line}\n`) })
    : silentLog;

/** Makes a fleet whose nodes are up. */
export async function createRealFleet(nodeIds: readonly string[]): Promise<RealFleet> {
  const clock = createVirtualClock();
  const interceptors = rpcServerInterceptors({ log: LOG, clock, entropy: systemEntropy, token: undefined });
  const transports = new Map<string, Transport>();
  const open: { close(): Promise<void> }[] = [];

  const createNode = (nodeId: string): RealNode => {
    const address = `http://${nodeId}.test`;
    const node: RealNode = {
      nodeId,
      address,
      fleetDisk: createMemoryFleetDisk(),
      disk: createMemoryJournalDisk(),
      modules: new Map(),
      agent: undefined,
      runtime: createScriptedRuntime(),
      cut: false,
      running: () => node.runtime.live.map(({ start }) => start.id).toSorted(),
      async boot() {
        node.runtime = createScriptedRuntime();
        const journal = openMemoryJournal(node.disk);
        const agent = await createAgent({
          nodeId,
          runtime: node.runtime,
          journal,
          fleetJournal: openMemoryFleetJournal(node.fleetDisk),
          store: memoryModules(node.modules),
          dialPeer: (to) => lineTo(to, node),
          providers: [{ id: "kv", type: "kv", backend: "memory", durable: false, open: async () => createMemoryKv() }],
          capacity: { instancesMax: 100, memoryMaxBytes: 2 ** 40 },
          labels: {},
          softwareVersion: "",
          clock,
          entropy: systemEntropy,
          log: LOG,
        });
        node.agent = agent;
        transports.set(
          address,
          createRouterTransport(
            (router) => {
              router.service(NodeAgentService, nodeAgentService(agent, { clock }));
              router.service(NodeFleetService, nodeFleetService(agent));
            },
            { router: { interceptors } },
          ),
        );
        agent.resume();
        void agent.report({ controlPlanes: [], address, ingressAddress: "" });
      },
      kill() {
        const killed = node.agent;
        node.agent = undefined;
        transports.delete(address);
        // What it would write from here on reaches a disk that nobody reads any more.
        node.disk = {
          ...node.disk,
          records: new Map(node.disk.records),
          stoppedProviders: new Set(node.disk.stoppedProviders),
        };
        for (const guest of node.runtime.live) guest.end({ kind: "host-failed", message: "killed" });
        void killed?.close(0);
      },
    };
    return node;
  };

  const nodes = nodeIds.map(createNode);
  const nodeAt = (address: string): RealNode | undefined => nodes.find((node) => node.address === address);

  /** `from` is the caller's own host, whose line may be cut as well. */
  function lineTo(address: string, from?: RealNode): Transport {
    const reached = (): Transport => {
      const transport = transports.get(address);
      if (transport !== undefined && nodeAt(address)?.cut !== true && from?.cut !== true) return transport;
      const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
      throw new ConnectError("connection refused", Code.Unavailable, undefined, undefined, cause);
    };
    const lost = (): never => {
      throw new ConnectError("connection reset", Code.Unavailable, undefined, undefined, new Error("read ECONNRESET"));
    };
    /** Whether what was begun with this life of the node still gets through. */
    const isUp = (life: Transport): boolean =>
      transports.get(address) === life && nodeAt(address)?.cut !== true && from?.cut !== true;
    return {
      async unary(...call) {
        const life = reached();
        const answer = await life.unary(...call);
        return isUp(life) ? answer : lost();
      },
      async stream(...call) {
        const life = reached();
        const answer = await life.stream(...call);
        return { ...answer, message: whileUp(answer.message, () => isUp(life), lost) };
      },
    };
  }

  await Promise.all(nodes.map((node) => node.boot()));
  const fleet: RealFleet = {
    clock,
    nodes,
    node(nodeId) {
      const found = nodes.find((node) => node.nodeId === nodeId);
      if (found === undefined) throw new Error(`there is no node ${nodeId}`);
      return found;
    },
    addControlPlane(deps = {}) {
      const controlPlane = createControlPlane({
        clock,
        entropy: systemEntropy,
        log: LOG,
        fetch: () => Promise.reject(new Error("no web here")),
        dial: (address) => lineTo(address),
        staticAgents: nodes.map(({ address }) => address),
        ...deps,
      });
      const client = createClient(ControlPlaneService, faultTransport(createRouterTransport(controlPlane.routes)));
      const made = { controlPlane, client, close: () => controlPlane.close() };
      open.push(made);
      return made;
    },
    async until(holds, maxMs = 60_000) {
      for (let passedMs = 0; ; passedMs += STEP_MS) {
        await clock.advance(passedMs === 0 ? 0 : STEP_MS);
        try {
          const held = await holds();
          if (held !== false) return held;
          if (passedMs >= maxMs) throw new Error(`not so after ${maxMs} ms`);
        } catch (error) {
          if (passedMs >= maxMs) throw error;
        }
      }
    },
    async close() {
      await Promise.all(open.map((each) => each.close()));
      for (const node of nodes) node.kill();
    },
  };
  return fleet;
}

const STEP_MS = 100;

/** A running instance of this name that is to survive its node. `nodeId` pins it. */
export async function startSurvivor(
  { client }: RealControlPlane,
  fields: { readonly name?: string; readonly nodeId?: string; readonly key?: string; readonly none?: boolean } = {},
): Promise<Instance> {
  const { instance } = await client.startInstance({
    ...(fields.key === undefined ? {} : { idempotencyKey: fields.key }),
    ...(fields.nodeId === undefined ? {} : { nodeId: fields.nodeId }),
    spec: {
      name: fields.name ?? "web",
      onNodeLoss: fields.none === true ? OnNodeLoss.NONE : OnNodeLoss.RESTART_ELSEWHERE,
    },
    module: inline(),
  });
  if (instance === undefined) throw new Error("it was started without an instance");
  return instance;
}

/** Nodes on which an instance runs. */
export function runsOn(fleet: RealFleet, id: string): readonly string[] {
  return fleet.nodes.filter((node) => node.running().includes(id)).map(({ nodeId }) => nodeId);
}

/** The instance as a control plane answers it; throws unless it runs. */
export async function runningInstance({ client }: RealControlPlane, id: string): Promise<Instance> {
  const { instance } = await client.queryInstance({ instance: id });
  if (instance?.state === InstanceState.RUNNING) return instance;
  throw new Error(`instance ${id} is in state ${String(instance?.state)}`);
}

async function* whileUp<T>(messages: AsyncIterable<T>, isUp: () => boolean, lost: () => never): AsyncGenerator<T> {
  for await (const message of messages) {
    if (!isUp()) lost();
    yield message;
  }
}

function memoryModules(modules: Map<string, Uint8Array>): ModuleStore {
  return {
    digests: () => [...modules.keys()],
    touch: async (digest) => modules.has(digest),
    async read(digest) {
      const bytes = modules.get(digest);
      if (bytes !== undefined) return bytes;
      throw fault(Reason.MODULE_NOT_FOUND, `Cannot read module ${digest}: it is not held`);
    },
    async put(digest, chunks) {
      const pieces: Uint8Array[] = [];
      for await (const chunk of chunks) pieces.push(chunk);
      const bytes = new Uint8Array(Buffer.concat(pieces));
      if (digestOf(bytes) !== digest)
        throw fault(Reason.MODULE_DIGEST_MISMATCH, "Cannot keep module: its digest is another");
      modules.set(digest, bytes);
      return { sizeBytes: bytes.length };
    },
  };
}
