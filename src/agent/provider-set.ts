/** The providers that are configured on this node: which there are, which take calls, and starting and stopping them. */
import { create } from "@bufbuild/protobuf";
import { fault, isFault, Reason } from "../fault.ts";
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import { ProviderSchema, ProviderState, type Provider } from "../gen/wasmatrix/v1/node_pb.ts";
import type { Log } from "../log.ts";
import type { KvProvider } from "../providers/kv/kv.ts";
import type { CapabilityType } from "../providers/permissions.ts";
import { protoFromCapabilityType, type ProviderDirectory } from "./assignments.ts";
import type { Journal } from "./journal.ts";

/** One configured provider. */
export type ProviderConfig = {
  readonly id: string;
  readonly type: "kv";
  /** What is behind it, for people: "memory", "sqlite". */
  readonly backend: string;
  /** Whether its data outlives `close`. A provider whose data does not is kept open while it is stopped. */
  readonly durable: boolean;
  readonly open: () => Promise<KvProvider>;
};

/** What a provider set is given. */
export type ProviderSetDeps = {
  readonly nodeId: string;
  /** By type, the first is the default. */
  readonly configs: readonly ProviderConfig[];
  readonly journal: Pick<Journal, "stoppedProviders" | "setProviderStopped">;
  readonly onFact: (kind: FactKind, provider: Provider, message: string, requestId: string) => void;
  readonly log: Log;
};

/** See the top of the file. Whatever takes an id throws `PROVIDER_NOT_FOUND` for an unknown one. */
export interface ProviderSet extends ProviderDirectory {
  /** All, by id. */
  list(): readonly Provider[];
  /** Takes calls from here on; throws `PROVIDER_UNAVAILABLE` if its backend cannot be opened. Idempotent. */
  start(id: string, requestId: string): Promise<Provider>;
  /** Refuses calls from here on, also after the agent's own restart; its data stays. Idempotent. */
  stop(id: string, requestId: string): Promise<Provider>;
  /** The provider, if it takes calls; throws `PROVIDER_STOPPED` or `PROVIDER_UNAVAILABLE`. */
  kv(id: string): KvProvider;
  /** Closes every backend. May be called twice. */
  close(): Promise<void>;
}

/** Opens all configured providers but those that were ordered to stop. One that fails to open is reported, and refuses calls. */
export async function openProviderSet(deps: ProviderSetDeps): Promise<ProviderSet> {
  const { nodeId, journal } = deps;
  const members = new Map<string, Member>();
  const stoppedBefore = new Set(journal.stoppedProviders());
  for (const config of deps.configs) {
    const member: Member = {
      config,
      stopped: stoppedBefore.has(config.id),
      backend: undefined,
      busy: Promise.resolve(),
    };
    members.set(config.id, member);
    if (member.stopped) continue;
    try {
      member.backend = await config.open();
    } catch (error) {
      // The node is worth running without this provider; its guests are told at each call.
      deps.log.error("provider cannot be opened", { provider: config.id, backend: config.backend }, error);
    }
  }

  const memberOf = (id: string): Member => {
    const member = members.get(id);
    if (member === undefined)
      throw fault(Reason.PROVIDER_NOT_FOUND, `Cannot find provider "${id}" on node "${nodeId}"`, { subject: id });
    return member;
  };

  const described = (member: Member): Provider =>
    create(ProviderSchema, {
      id: member.config.id,
      type: protoFromCapabilityType(member.config.type),
      backend: member.config.backend,
      state: member.stopped || member.backend === undefined ? ProviderState.STOPPED : ProviderState.RUNNING,
      nodeId,
    });

  const startMember = async (member: Member, requestId: string): Promise<Provider> => {
    const { id } = member.config;
    if (!member.stopped && member.backend !== undefined) return described(member);
    try {
      member.backend ??= await member.config.open();
    } catch (error) {
      throw isFault(error) ? error : unavailable(id, "its backend cannot be opened", error);
    }
    journal.setProviderStopped(id, false);
    member.stopped = false;
    deps.onFact(FactKind.PROVIDER_STARTED, described(member), `Provider "${id}" started`, requestId);
    return described(member);
  };

  const stopMember = async (member: Member, requestId: string): Promise<Provider> => {
    const { id, durable } = member.config;
    if (member.stopped) return described(member);
    journal.setProviderStopped(id, true);
    member.stopped = true;
    if (durable) {
      await member.backend?.close();
      member.backend = undefined;
    }
    deps.onFact(FactKind.PROVIDER_STOPPED, described(member), `Provider "${id}" stopped`, requestId);
    return described(member);
  };

  /** One change of a provider at a time, in the order of their arrival. */
  const inTurn = (id: string, change: (member: Member) => Promise<Provider>): Promise<Provider> => {
    const member = memberOf(id);
    const result = member.busy.then(() => change(member));
    // The failure reaches the one who asked; the next change must not.
    member.busy = result.then(ignore, ignore);
    return result;
  };

  return {
    defaultId: (type: CapabilityType) => deps.configs.find((config) => config.type === type)?.id,
    typeOf: (id) => members.get(id)?.config.type,
    list: () => [...members.values()].map(described).toSorted((left, right) => (left.id < right.id ? -1 : 1)),
    start: async (id, requestId) => inTurn(id, (member) => startMember(member, requestId)),
    stop: async (id, requestId) => inTurn(id, (member) => stopMember(member, requestId)),
    kv(id) {
      const { stopped, backend } = memberOf(id);
      if (stopped) throw fault(Reason.PROVIDER_STOPPED, `Cannot use provider "${id}": it is stopped`, { subject: id });
      if (backend === undefined) throw unavailable(id, "its backend could not be opened", undefined);
      return backend;
    },
    async close() {
      await Promise.all([...members.values()].map((member) => member.busy.then(() => member.backend?.close())));
    },
  };
}

type Member = {
  readonly config: ProviderConfig;
  stopped: boolean;
  backend: KvProvider | undefined;
  busy: Promise<void>;
};

function ignore(): void {
  // See `inTurn`.
}

function unavailable(id: string, why: string, cause: unknown): Error {
  return fault(Reason.PROVIDER_UNAVAILABLE, `Cannot use provider "${id}": ${why}`, { subject: id, cause });
}
