/** A supervisor on a scripted runtime and a virtual clock, whose disk survives it. */
import { fault, Reason } from "../../src/fault.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import type { RestartPolicy } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { RestartPolicySchema } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { silentLog, type Log } from "../../src/log.ts";
import type { CapabilityType } from "../../src/providers/permissions.ts";
import type { StartOrder } from "../../src/agent/admission.ts";
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import type { Journal } from "../../src/agent/journal.ts";
import { createMemoryJournalDisk, openMemoryJournal } from "../../src/agent/memory-journal.ts";
import { createGuestRights, NOTHING_SHARED, type NodeShares } from "../../src/agent/guest-rights.ts";
import { createModuleShapes } from "../../src/agent/module-shapes.ts";
import { createSupervisor, type Supervisor } from "../../src/agent/supervisor.ts";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createScriptedRuntime, type ScriptedRuntime } from "./scripted-runtime.ts";
import { createPlainEntropy, createVirtualClock, type VirtualClock } from "./virtual-clock.ts";
import { specOf } from "./records.ts";

export type TestFact = {
  readonly kind: string;
  readonly state: string;
  readonly message: string;
  readonly record: InstanceRecord;
};

export type TestNode = {
  readonly clock: VirtualClock;
  readonly disk: ReturnType<typeof createMemoryJournalDisk>;
  readonly modules: Map<string, string>;
  /** Of the present life. */
  runtime: ScriptedRuntime;
  supervisor: Supervisor;
  journal: Journal;
  /** Of all lives. */
  readonly facts: TestFact[];
  readonly forgotten: string[];
  /** What deliveries were told, in order. */
  readonly followed: readonly { readonly id: string; readonly state: string; readonly takes: boolean }[];
  /** Kinds of facts about one instance. */
  kinds(id: string): string[];
  /** A new life on the same disk; the old one just ends, as by kill -9. */
  reboot(): void;
};

const DEFAULT_PROVIDERS: Readonly<Record<CapabilityType, string>> = {
  kv: "kv",
  http: "http",
  messaging: "messaging",
  files: "files",
  environment: "env",
};
const PROVIDER_TYPES: ReadonlyMap<string, CapabilityType> = new Map([
  ["kv", "kv"],
  ["http", "http"],
  ["messaging", "messaging"],
  ["files", "files"],
  ["env", "environment"],
]);

export const WEB: string = moduleDigest("web");
export const COMMAND: string = moduleDigest("command");
const kindNames = new Map<number, string>(Object.entries(FactKind).map(([name, value]) => [value, name]));

export function moduleDigest(name: string): string {
  return `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0")}`;
}

export function idOf(name: string): string {
  return name.padEnd(20, "0");
}

export function orderOf(
  name: string,
  spec: Parameters<typeof specOf>[0] & { policy?: MessageInitShape<typeof RestartPolicySchema> } = {},
): StartOrder {
  const { policy, ...fields } = spec;
  const restartPolicy: { restartPolicy?: RestartPolicy } =
    policy === undefined ? {} : { restartPolicy: create(RestartPolicySchema, policy) };
  return {
    id: idOf(name),
    generation: 1n,
    spec: specOf({ moduleDigest: WEB, ...fields, ...restartPolicy }),
    requestId: "req-1",
  };
}

export function createTestNode(
  options: {
    readonly endedRecordsMax?: number;
    readonly instancesMax?: number;
    readonly wrapJournal?: (journal: Journal) => Journal;
    readonly log?: Log;
    readonly shares?: NodeShares;
    readonly placedOn?: (id: string) => string | undefined;
    readonly stoppedUpTo?: (id: string) => bigint | undefined;
    readonly isCordoned?: () => boolean;
  } = {},
): TestNode {
  const clock = createVirtualClock();
  const disk = createMemoryJournalDisk();
  const modules = new Map([
    [WEB, "http"],
    [COMMAND, "command"],
  ]);
  const store = {
    read: async (digest: string) => {
      const text = modules.get(digest);
      if (text === undefined)
        throw fault(Reason.MODULE_NOT_FOUND, `Cannot read module ${digest}: this node does not hold it`);
      return new TextEncoder().encode(text);
    },
    touch: async (digest: string) => modules.has(digest),
  };
  const facts: TestFact[] = [];
  const forgotten: string[] = [];
  const followed: TestNode["followed"][number][] = [];

  const life = (): Pick<TestNode, "runtime" | "supervisor" | "journal"> => {
    const runtime = createScriptedRuntime();
    const opened = openMemoryJournal(disk);
    const journal = options.wrapJournal?.(opened) ?? opened;
    const supervisor = createSupervisor({
      nodeId: "node-1",
      runtime,
      journal,
      modules: createModuleShapes({ store, runtime }),
      ...(options.placedOn === undefined ? {} : { placedOn: options.placedOn }),
      ...(options.stoppedUpTo === undefined ? {} : { stoppedUpTo: options.stoppedUpTo }),
      ...(options.isCordoned === undefined ? {} : { isCordoned: options.isCordoned }),
      providers: {
        defaultId: (type) => DEFAULT_PROVIDERS[type],
        typeOf: (id) => PROVIDER_TYPES.get(id),
      },
      capacity: { instancesMax: options.instancesMax ?? 1_000, memoryMaxBytes: 2 ** 40 },
      rights: createGuestRights({ shares: options.shares ?? NOTHING_SHARED, isStopped: () => false }),
      deliveries: {
        follow: async (record, guest) =>
          void followed.push({ id: record.id, state: record.state, takes: guest !== undefined }),
      },
      hostOf: () => ({
        kv: async () => ({ kind: "done" }),
        messaging: async () => ({ kind: "done" }),
        http: () => Promise.reject(new Error("no test of the supervisor sends requests")),
        output: () => undefined,
        log: () => undefined,
        audit: () => undefined,
      }),
      facts: {
        instance: (kind, record, message) =>
          void facts.push({ kind: kindNames.get(kind) ?? "?", state: record.state, message, record }),
      },
      onForgotten: (id) => void forgotten.push(id),
      clock,
      entropy: createPlainEntropy(),
      log: options.log ?? silentLog,
      endedRecords: { recordsMax: options.endedRecordsMax ?? 500, specsMaxBytes: 1_000_000 },
    });
    return { runtime, supervisor, journal };
  };

  const node: TestNode = {
    clock,
    disk,
    modules,
    ...life(),
    facts,
    forgotten,
    followed,
    kinds: (id) => facts.filter(({ record }) => record.id === id).map(({ kind }) => kind.replace("INSTANCE_", "")),
    reboot() {
      // Writes of the dead life reach nothing from here on.
      node.journal.close();
      Object.assign(node, life());
      node.supervisor.resume();
    },
  };
  return node;
}
