/** The node agent as a process: opens the data folder and the ports, and reports to its control planes. */
import { mkdir } from "node:fs/promises";
import { hostname, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { createClient, type Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport } from "@connectrpc/connect-node";
import { systemClock, systemEntropy, type Clock, type Entropy } from "../clock.ts";
import { fault, isFault, Reason } from "../fault.ts";
import { ControlPlaneService } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { startRegistration } from "../discovery/registration.ts";
import { openEtcd3Store, type EtcdOptions } from "../etcd/etcd3-store.ts";
import { NodeAgentService } from "../gen/wasmatrix/v1/node_agent_pb.ts";
import { NodeFleetService } from "../gen/wasmatrix/v1/node_fleet_pb.ts";
import { assertMayBind } from "../listen/bind-rule.ts";
import { listenOnePort, type OnePortHandler } from "../listen/one-port.ts";
import { cutStalledBody } from "../listen/stalled-body.ts";
import type { Log } from "../log.ts";
import { rpcClientInterceptors } from "../rpc/client-interceptors.ts";
import { faultTransport } from "../rpc/fault-transport.ts";
import { RPC_READ_MAX_BYTES, RPC_WRITE_MAX_BYTES } from "../rpc/rpc-limits.ts";
import { rpcServerInterceptors } from "../rpc/server-interceptors.ts";
import { createRuntime } from "../runtime/worker-runtime.ts";
import { createAgent, type Agent } from "./agent.ts";
import { announcedAddress, assertAnnounceable } from "./announced-address.ts";
import { builtInProviders } from "./built-in-providers.ts";
import { lockDataFolder } from "./data-folder-lock.ts";
import { discoveryEntries } from "./fleet/discovery-entries.ts";
import type { FleetJournal } from "./fleet/fleet-journal.ts";
import { nodeFleetService } from "./fleet/node-fleet-service.ts";
import { openSqliteFleetJournal } from "./fleet/sqlite-fleet-journal.ts";
import { openIngress } from "./ingress.ts";
import { openLogFiles } from "./log-files.ts";
import { openModuleStore } from "./module-store.ts";
import { settleNodeId } from "./node-id.ts";
import { nodeShares } from "./node-shares.ts";
import type { ReportClient } from "./reporter.ts";
import { nodeAgentService } from "./services/node-agent-service.ts";
import { openSqliteJournal } from "./sqlite-journal.ts";

/** How an agent is run. */
export type AgentOptions = {
  /** Holds everything that outlives the process; created if missing. */
  readonly dataDir: string;
  /** Base URLs. Each gets every report. May be empty, if control planes come by themselves. */
  readonly controlPlanes: readonly string[];
  /** Default 127.0.0.1; anything else needs a token. */
  readonly host?: string;
  /** Of NodeAgentService. Default 7421; 0 takes any free port. */
  readonly port?: number;
  /** Of the HTTP ingress. Default 7480; 0 takes any free port. */
  readonly ingressPort?: number;
  /** Base URL at which control planes reach this agent. Default: the one that it listens on; needed where they are on other machines and that is loopback or all addresses. */
  readonly advertise?: string;
  /** Bearer token that callers must show, and that is shown to control planes. */
  readonly token?: string;
  /** Default: the one kept in the data folder; at first the host's name with a random suffix. */
  readonly nodeId?: string;
  /** For placement. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Live instances that this node takes. Default 10,000; the engine holds some 16,000 memories at once. */
  readonly instancesMax?: number;
  /** Sum of what live instances may take (memory_max_bytes times concurrent_calls_max). Default: three quarters of the machine's memory. */
  readonly memoryMaxBytes?: number;
  /** Absolute folders that instances may be assigned, with all below them. Default: none. */
  readonly sharedFolders?: readonly string[];
  /** Names of variables of `env` that instances may be assigned; none that begins with `WASMATRIX_`. Default: none. */
  readonly sharedEnv?: readonly string[];
  /** Where shared variables are taken from. Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where the node and its providers are made known, for control planes that look there. */
  readonly etcd?: EtcdOptions;
  /** The program's version, for people. */
  readonly softwareVersion?: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
};

/** An agent in operation. */
export type RunningAgent = {
  readonly nodeId: string;
  /** Base URL of NodeAgentService. */
  readonly url: string;
  /** Base URL of the ingress. */
  readonly ingressUrl: string;
  /** Resolves once a control plane has acknowledged a whole report; never, if there is none. */
  readonly joined: Promise<void>;
  /**
   * Shuts down in order: calls in flight finish within `graceMs` (default 5 s), instances whose policy restarts them come back with
   * the next agent on this folder. May be called twice.
   */
  close(graceMs?: number): Promise<void>;
};

/**
 * Runs an agent in this process. Throws `INVALID_REQUEST` if a port is taken (naming the flag), the folder belongs to a running
 * agent or to another node or cannot be written, another host than loopback is asked for without a token, or control planes elsewhere
 * would be told an address that means this machine only.
 */
export async function serveAgent(options: AgentOptions): Promise<RunningAgent> {
  const { dataDir, token, clock = systemClock, entropy = systemEntropy } = options;
  const host = options.host ?? "127.0.0.1";
  assertMayBind({ host, token, what: "the agent", hostFlag: "--host" });
  for (const url of options.controlPlanes) assertBaseUrl(url, "control plane");
  if (options.advertise !== undefined) assertBaseUrl(options.advertise, "advertised address");
  // Control planes that find it through etcd are where etcd is, if not elsewhere.
  const announcedTo = [...options.controlPlanes, ...(options.etcd?.endpoints ?? [])];
  const announce = { host, advertise: options.advertise, controlPlanes: announcedTo };
  assertAnnounceable(announce);

  /** Undone in reverse order: at the end, or when a later step fails. */
  const undo: (() => Promise<void>)[] = [];
  const undoAll = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    // The journal holds environment variables, which may be secrets: nobody else on the machine may read it. In a folder
    // that was there before and is open to others, everything below is made so by itself.
    await mkdir(dataDir, { recursive: true, mode: 0o700 }).catch(unusable(dataDir));
    const lock = await lockDataFolder(dataDir, entropy).catch(unusable(dataDir));
    undo.push(() => lock.release());
    const nodeId = await settleNodeId({ dataDir, asked: options.nodeId, hostname: hostname(), entropy });
    const log = options.log.with({ node: nodeId });
    const agent = await openAgent({ options, nodeId, log, clock, entropy });
    undo.push(() => agent.close(0));

    const ingressPort = { host, port: options.ingressPort ?? 7480, portFlag: "--ingress-port" };
    const ingress = await openIngress({ ...ingressPort, targets: agent.ingressTargets, entropy, log });
    undo.push(() => ingress.close(0));
    const interceptors = rpcServerInterceptors({ log, clock, entropy, token });
    const byRpc = connectNodeAdapter({
      routes: (router) =>
        router
          .service(NodeAgentService, nodeAgentService(agent, { clock }))
          .service(NodeFleetService, nodeFleetService(agent)),
      interceptors,
      readMaxBytes: RPC_READ_MAX_BYTES,
      writeMaxBytes: RPC_WRITE_MAX_BYTES,
    });
    const handler: OnePortHandler = (request, response) => {
      cutStalledBody(request);
      byRpc(request, response);
    };
    const api = await listenOnePort({ host, port: options.port ?? 7421, portFlag: "--port", handler });
    undo.push(() => api.close(0));

    // Only now that nothing can fail any more: an agent that does not come up leaves the journal as it was. No order
    // slips in before it, because nothing waits between listening and here.
    agent.resume();
    const address = announcedAddress(announce, api.url);
    const controlPlanes = options.controlPlanes.map((url) => ({ address: url, client: reportClient(url, token) }));
    const ingressAddress = ingressAddressOf(address, ingress.url);
    const joined = agent.report({ controlPlanes, address, ingressAddress });
    const store = options.etcd === undefined ? undefined : openEtcd3Store(options.etcd);
    const registration =
      store &&
      startRegistration({ store, clock, log, entries: () => discoveryEntries(agent, { address, ingressAddress }) });
    log.info("agent is up", { url: api.url, ingress: ingress.url, epoch: agent.epoch });

    const close = async (graceMs: number): Promise<void> => {
      // Doors first, so that nothing new comes in; what is in flight ends with its instance.
      const doors = Promise.all([ingress.close(graceMs), api.close(graceMs)]);
      await agent.close(graceMs);
      await doors;
      await registration?.close();
      await store?.close();
      await lock.release();
      log.info("agent is down");
    };
    let closed: Promise<void> | undefined;
    return {
      nodeId,
      url: api.url,
      ingressUrl: ingress.url,
      joined,
      close: (graceMs = 5_000) => (closed ??= close(graceMs)),
    };
  } catch (error) {
    await undoAll();
    throw error;
  }
}

const INSTANCES_MAX_DEFAULT = 10_000;

async function openAgent(input: {
  readonly options: AgentOptions;
  readonly nodeId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly entropy: Entropy;
}): Promise<Agent> {
  const { options, nodeId, log, clock, entropy } = input;
  const env = options.env ?? process.env;
  const journal = openSqliteJournal({ file: join(options.dataDir, "journal.sqlite"), nowMs: clock.nowMs() });
  let fleetJournal: FleetJournal | undefined;
  try {
    fleetJournal = openSqliteFleetJournal(join(options.dataDir, "fleet.sqlite"));
    /** The store opens before the agent that knows which modules are needed. */
    let agent: Agent | undefined;
    const isNeeded = (digest: string): boolean =>
      agent === undefined || agent.supervisor.needsModule(digest) || agent.fleet.witnesses.needsModule(digest);
    const store = await openModuleStore({ dir: join(options.dataDir, "modules"), isNeeded, clock, entropy, log });
    agent = await createAgent({
      nodeId,
      runtime: createRuntime({ cacheDir: join(options.dataDir, "cache"), clock }),
      journal,
      fleetJournal,
      store,
      providers: builtInProviders({ dataDir: options.dataDir, clock, entropy, log }),
      shares: nodeShares({
        folders: options.sharedFolders ?? [],
        envNames: options.sharedEnv ?? [],
        env,
        neverShared: [resolve(options.dataDir)],
      }),
      logFiles: openLogFiles({ dir: join(options.dataDir, "logs"), log }),
      capacity: {
        instancesMax: options.instancesMax ?? INSTANCES_MAX_DEFAULT,
        memoryMaxBytes: options.memoryMaxBytes ?? Math.floor(totalmem() * 0.75),
      },
      labels: options.labels ?? {},
      softwareVersion: options.softwareVersion ?? "",
      clock,
      entropy,
      log,
    });
    return agent;
  } catch (error) {
    fleetJournal?.close();
    journal.close();
    throw error;
  }
}

function reportClient(baseUrl: string, token: string | undefined): ReportClient {
  return createClient(ControlPlaneService, faultTransport(transportTo(baseUrl, token)));
}

function transportTo(baseUrl: string, token: string | undefined): Transport {
  return createConnectTransport({
    baseUrl,
    httpVersion: "1.1",
    interceptors: rpcClientInterceptors({ token }),
    readMaxBytes: RPC_READ_MAX_BYTES,
    writeMaxBytes: RPC_WRITE_MAX_BYTES,
  });
}

/** Turns what the file system says of a data folder into a fault that names it. */
function unusable(dataDir: string): (error: unknown) => never {
  return (error) => {
    if (isFault(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw fault(Reason.INVALID_REQUEST, `Cannot use data folder "${dataDir}": ${why}; choose another with --data`, {
      subject: dataDir,
      cause: error,
    });
  };
}

/** The ingress as others reach it: on the host of the advertised address. */
function ingressAddressOf(address: string, ingressUrl: string): string {
  const url = new URL(ingressUrl);
  url.hostname = new URL(address).hostname;
  return url.origin;
}

function assertBaseUrl(url: string, what: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol === "http:" || parsed?.protocol === "https:") return;
  throw fault(Reason.INVALID_REQUEST, `Cannot use ${what} "${url}": it is not an http or https URL`, { subject: url });
}
