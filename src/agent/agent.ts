/** The node agent without files, ports and processes: it is given a runtime, a journal, a clock and clients, and can as well run in a simulator. */
import { create } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import type { Clock, Entropy } from "../clock.ts";
import type { ReportStatusRequest } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import type { Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import { CapacitySchema, LoadSchema, NodeInfoSchema, type Load, type NodeInfo } from "../gen/wasmatrix/v1/node_pb.ts";
import type { Log } from "../log.ts";
import { PROTOCOL_VERSION } from "../protocol-version.ts";
import type { GuestHost, Runtime } from "../runtime/runtime.ts";
import type { NodeCapacity } from "./admission.ts";
import { createCapabilityGate, type CapabilityGate } from "./capability-gate.ts";
import { nextEpoch } from "./epoch.ts";
import { protoFromGuestKind } from "./guest-kind.ts";
import { createGuestRights, NOTHING_SHARED, type NodeShares } from "./guest-rights.ts";
import type { IngressTargets } from "./ingress.ts";
import { limitBoundsFrom, protoFromBounds } from "./instance-limits.ts";
import { hasEnded, instanceFromRecord, type InstanceRecord } from "./instance-record.ts";
import type { Journal, JournalProblem } from "./journal.ts";
import type { LogFiles } from "./log-files.ts";
import { createLogStore, type LogStore } from "./log-store.ts";
import { createMessageDeliveries } from "./message-deliveries.ts";
import { createModuleShapes } from "./module-shapes.ts";
import type { ModuleStore } from "./module-store.ts";
import { createPeerModules, type PeerModules } from "./peer-modules.ts";
import { createPermissionUses, usesText } from "./permission-uses.ts";
import { openProviderSet, type ProviderConfig, type ProviderSet } from "./provider-set.ts";
import { createRepeats } from "./repeats.ts";
import { createFleetDuties, type FleetDuties } from "./fleet/fleet-duties.ts";
import type { FleetJournal } from "./fleet/fleet-journal.ts";
import { openMemoryFleetJournal } from "./fleet/memory-fleet-journal.ts";
import { reportStream } from "./fleet/report-stream.ts";
import { createReportLog, type FactDraft } from "./report-log.ts";
import { snapshotPages, type ReportPosition } from "./report-plan.ts";
import { startReporter, type ReportClient, type Reporter } from "./reporter.ts";
import { createSupervisor, type Supervisor } from "./supervisor.ts";

/** What an agent is given. */
export type AgentDeps = {
  readonly nodeId: string;
  readonly runtime: Runtime;
  readonly journal: Journal;
  /** What the node keeps for the fleet. Default: in memory only. */
  readonly fleetJournal?: FleetJournal;
  readonly store: ModuleStore;
  /** Makes a transport to another agent's base URL, to fetch modules from. Default: modules come from control planes only. */
  readonly dialPeer?: (address: string) => Transport;
  /** The node's providers; by type, the first is the default. */
  readonly providers: readonly ProviderConfig[];
  /** Where output of instances outlives the agent. Default: in memory only. */
  readonly logFiles?: LogFiles;
  readonly capacity: NodeCapacity;
  /** Folders and variables of the host that instances may be assigned. Default: none. */
  readonly shares?: NodeShares;
  readonly labels: Readonly<Record<string, string>>;
  /** The program's version, for people. */
  readonly softwareVersion: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** Whom to report to, and at which addresses this node is found. */
export type ReportingOptions = {
  readonly controlPlanes: readonly { readonly address: string; readonly client: ReportClient }[];
  /** Base URL of NodeAgentService; empty if it cannot be dialled. */
  readonly address: string;
  /** Base URL of the ingress. */
  readonly ingressAddress: string;
};

/** An agent in operation. */
export interface Agent {
  readonly nodeId: string;
  readonly epoch: string;
  readonly supervisor: Supervisor;
  readonly providers: ProviderSet;
  readonly gate: CapabilityGate;
  readonly logs: LogStore;
  readonly store: ModuleStore;
  /** Fetches modules from other agents; undefined if it cannot dial them. */
  readonly peerModules: PeerModules | undefined;
  readonly ingressTargets: IngressTargets;
  /** What it does for the fleet. */
  readonly fleet: FleetDuties;
  /** Reports for a control plane that dialled this agent, from a position on, until `signal` aborts or the agent goes down. */
  reports(from: ReportPosition, intervalMs: number, signal: AbortSignal): AsyncIterable<ReportStatusRequest>;
  /** An instance as of now, in the contract's form. */
  describe(record: InstanceRecord): Instance;
  /** Brings back what the journal says. Once, before the first order. */
  resume(): void;
  /** Begins to report. Resolves once one control plane holds everything; never, if there is none. Call once. */
  report(options: ReportingOptions): Promise<void>;
  /** Shuts down in order: instances within `graceMs`, then the last reports, then what the agent was given. May be called twice. */
  close(graceMs: number): Promise<void>;
}

/** Makes an agent; nothing runs before `resume`. */
export async function createAgent(deps: AgentDeps): Promise<Agent> {
  const { nodeId, journal, clock, log } = deps;
  const life = nextEpoch({ nowMs: clock.nowMs(), lastCounter: journal.epochCounter(), random: deps.entropy.hex(4) });
  journal.setEpochCounter(life.counter);
  const facts = createReportLog({ nodeId, epoch: life.epoch });
  const logs = createLogStore({ clock, ...(deps.logFiles === undefined ? {} : { files: deps.logFiles }) });
  let reporters: readonly Reporter[] = [];
  let closed: Promise<void> | undefined;
  /** Who waits for news: streams of reports. */
  const listeners = new Set<() => void>();
  const leaving = new AbortController();
  let nodeInfo = (): NodeInfo => nodeInfoFrom(deps, fleet, { controlPlanes: [], address: "", ingressAddress: "" });

  const append = (draft: Omit<FactDraft, "timeMs">): void => {
    facts.append({ ...draft, timeMs: clock.nowMs() });
    for (const reporter of reporters) reporter.wake();
    for (const listener of listeners) listener();
  };

  append({ kind: FactKind.NODE_STARTED, message: ["Agent started", ...journal.problems.map(sentenceFrom)].join("; ") });
  for (const problem of journal.problems) log.error(sentenceFrom(problem));

  const providers = await openProviderSet({
    nodeId,
    configs: deps.providers,
    journal,
    onFact: (kind, provider, message, requestId) => append({ kind, provider, message, requestId }),
    onSwitched: (id) => supervisor.providerSwitched(id),
    log,
  });

  const fleet = createFleetDuties({
    nodeId,
    journal: deps.fleetJournal ?? openMemoryFleetJournal(),
    clock,
    append: (draft) => append(draft),
  });

  const describe = (record: InstanceRecord): Instance => instanceFromRecord(record, uses.of(record.id));
  const appendAbout = (kind: FactKind, record: InstanceRecord, message: string, requestId = ""): void => {
    // Whatever the fact is about, it carries the counts.
    uses.noteReported(record.id);
    append({ kind, instance: describe(record), message, requestId });
  };
  const noteAbout = (kind: FactKind, id: string, message: (record: InstanceRecord) => string): void => {
    const record = supervisor.find(id);
    if (record !== undefined) appendAbout(kind, record, message(record));
  };

  const uses = createPermissionUses({
    clock,
    onChanged: (id) => noteAbout(FactKind.PERMISSION_USED, id, () => `Permissions used: ${usesText(uses.of(id))}`),
  });
  const gate = createCapabilityGate({
    grantsOf: (id) => liveGrants(supervisor, id),
    providers,
    uses: {
      count(id, use) {
        if (supervisor.find(id) !== undefined) uses.count(id, use);
      },
    },
    onDenied: (id, count, message) => supervisor.noteDenied(id, count, message),
    clock,
  });
  const failedDeliveries = createRepeats({
    clock,
    noun: "messages",
    tell: (id, _count, message) => noteAbout(FactKind.DELIVERY_FAILED, id, () => message),
  });

  const hostOf = (id: string): GuestHost => ({
    kv: (call) => gate.kv(id, call),
    messaging: (call) => gate.messaging(id, call),
    http: (request, signal) => gate.http(id, request, signal),
    output: (stream, bytes) => logs.write(id, stream, bytes),
    log: (level, context, message) => logs.log(id, level, context, message),
    audit: (permission, outcome, count) => gate.audit(id, permission, outcome, count),
  });

  const supervisor: Supervisor = createSupervisor({
    ...deps,
    modules: createModuleShapes({ store: deps.store, runtime: deps.runtime }),
    providers,
    placedOn: (id) => fleet.reservations.placedOn(id),
    stoppedUpTo: (id) => fleet.witnesses.stoppedUpTo(id),
    isCordoned: () => fleet.isCordoned(),
    rights: createGuestRights({ shares: deps.shares ?? NOTHING_SHARED, isStopped: (id) => providers.isStopped(id) }),
    deliveries: createMessageDeliveries({
      messaging: (id) => providers.messaging(id),
      mayReceive: (id, message) => gate.mayReceive(id, message),
      onFailed: (id, message) => failedDeliveries.add(id, message),
      log,
    }),
    hostOf,
    facts: {
      instance(kind, record, message, requestId) {
        logs.note(record);
        appendAbout(kind, record, message, requestId);
      },
    },
    onForgotten(id) {
      logs.drop(id);
      uses.drop(id);
    },
  });

  const load = (): Load => {
    const { instances, memoryBytes } = supervisor.load();
    return create(LoadSchema, { instances, memoryBytes: BigInt(memoryBytes) });
  };

  const takeSnapshot = (): ReturnType<typeof snapshotPages> =>
    snapshotPages({
      sequence: facts.sequence,
      instances: supervisor.list().map(describe),
      providers: providers.list(),
      witnesses: fleet.witnesses.list(),
    });

  const close = async (graceMs: number): Promise<void> => {
    gate.flush();
    failedDeliveries.flush();
    append({ kind: FactKind.NODE_STOPPING, message: "Agent shuts down" });
    await supervisor.close(graceMs);
    logs.close();
    leaving.abort();
    await Promise.all(reporters.map((reporter) => reporter.close(LEAVE_MAX_MS)));
    await deps.runtime.close();
    await providers.close();
    journal.close();
    fleet.close();
  };

  return {
    nodeId,
    epoch: life.epoch,
    supervisor,
    providers,
    gate,
    logs,
    store: deps.store,
    peerModules: deps.dialPeer && createPeerModules({ ...deps, dial: deps.dialPeer }),
    ingressTargets: ingressTargetsOf(supervisor),
    fleet,
    reports: (from, intervalMs, signal) =>
      reportStream(
        {
          facts,
          nodeInfo,
          load,
          takeSnapshot,
          clock,
          entropy: deps.entropy,
          leaving: leaving.signal,
          onFact(wake) {
            listeners.add(wake);
            return () => listeners.delete(wake);
          },
        },
        from,
        intervalMs,
        signal,
      ),
    describe,
    resume() {
      supervisor.resume();
      // What ended stays readable, and its followers end.
      for (const record of supervisor.list()) logs.note(record);
      logs.dropUnknown((id) => supervisor.find(id) !== undefined);
    },
    report(options) {
      nodeInfo = () => nodeInfoFrom(deps, fleet, options);
      const started = options.controlPlanes.map(({ address, client }) =>
        startReporter({ ...deps, client, address, facts, nodeInfo, load, takeSnapshot }),
      );
      reporters = started;
      return started.length === 0 ? new Promise(() => undefined) : Promise.race(started.map((one) => one.joined));
    },
    close: (graceMs) => (closed ??= close(graceMs)),
  };
}

/** How long a shutdown waits for control planes to take the last reports. */
const LEAVE_MAX_MS = 2_000;

/** As many as the contract lets a report carry. */
const REPORTED_DIGESTS_MAX = 256;

function nodeInfoFrom(deps: AgentDeps, fleet: FleetDuties, options: ReportingOptions): NodeInfo {
  return create(NodeInfoSchema, {
    nodeId: deps.nodeId,
    address: options.address,
    ingressAddress: options.ingressAddress,
    labels: { ...deps.labels },
    capacity: create(CapacitySchema, {
      instancesMax: deps.capacity.instancesMax,
      memoryMaxBytes: BigInt(deps.capacity.memoryMaxBytes),
    }),
    protocolVersion: PROTOCOL_VERSION,
    softwareVersion: deps.softwareVersion,
    cordoned: fleet.isCordoned(),
    guestKinds: deps.runtime.kinds.map(protoFromGuestKind),
    moduleDigests: deps.store.digests().slice(0, REPORTED_DIGESTS_MAX),
    sharedFolders: [...(deps.shares?.sharedFolders ?? [])],
    sharedEnvNames: Object.keys(deps.shares?.sharedEnv ?? {}).toSorted(),
    limitsMax: protoFromBounds(limitBoundsFrom(deps.capacity)),
  });
}

function liveGrants(
  supervisor: Supervisor,
  id: string,
): ReturnType<Parameters<typeof createCapabilityGate>[0]["grantsOf"]> {
  const record = supervisor.find(id);
  return record === undefined || hasEnded(record) ? undefined : record.grants;
}

function ingressTargetsOf(supervisor: Supervisor): IngressTargets {
  return {
    running: (name) =>
      supervisor
        .runningGuests(name)
        .filter(({ record }) => record.kind === "http")
        .map(({ record, guest }) => ({ id: record.id, guest, requestBodyMaxBytes: record.limits.requestBodyMaxBytes })),
    isKnown: (name) => supervisor.isLive(name, "http"),
  };
}

function sentenceFrom(problem: JournalProblem): string {
  switch (problem.kind) {
    case "moved-aside":
      return `The journal could not be read (${problem.message}) and was moved to ${problem.movedTo}; instances in it are not brought back`;
    case "record-unreadable":
      return `The journal's record of instance "${problem.id}" could not be read (${problem.message}); it is not brought back`;
  }
}
