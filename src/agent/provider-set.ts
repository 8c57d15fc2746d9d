/** The providers that are configured on this node: which there are, which take calls, and starting and stopping them. */
import { create } from "@bufbuild/protobuf";
import { fault, isFault, Reason } from "../fault.ts";
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import { ProviderSchema, ProviderState, type Provider } from "../gen/wasmatrix/v1/node_pb.ts";
import type { Log } from "../log.ts";
import type { HttpProvider } from "../providers/http/http.ts";
import type { KvProvider } from "../providers/kv/kv.ts";
import type { MessagingProvider } from "../providers/messaging/messaging.ts";
import type { CapabilityType } from "../providers/permissions.ts";
import { protoFromCapabilityType, type ProviderDirectory } from "./assignments.ts";
import type { Journal } from "./journal.ts";

/** What a provider of a type is, once it is open. Files and environment are used in the guest's own thread: here they are only a switch. */
export type ProviderBackends = {
  readonly kv: KvProvider;
  readonly http: HttpProvider;
  readonly messaging: MessagingProvider;
  readonly files: undefined;
  readonly environment: undefined;
};

/** One configured provider of one type. */
export type ProviderConfigOf<Type extends CapabilityType> = {
  readonly id: string;
  readonly type: Type;
  /** What is behind it, for people: "memory", "sqlite". */
  readonly backend: string;
  /** Whether it loses nothing by `close`. A provider that does is kept open while it is stopped. */
  readonly durable: boolean;
  readonly open: () => Promise<ProviderBackends[Type]>;
};

/** One configured provider. */
export type ProviderConfig = { [Type in CapabilityType]: ProviderConfigOf<Type> }[CapabilityType];

/** What a provider set is given. */
export type ProviderSetDeps = {
  readonly nodeId: string;
  /** By type, the first is the default. */
  readonly configs: readonly ProviderConfig[];
  readonly journal: Pick<Journal, "stoppedProviders" | "setProviderStopped">;
  readonly onFact: (kind: FactKind, provider: Provider, message: string, requestId: string) => void;
  /** Carries to guests that a provider was started or stopped; the order is answered when it has resolved. */
  readonly onSwitched?: (id: string) => Promise<void>;
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
  /** Whether it was ordered to stop, or could not be opened; so is one that this node does not have. */
  isStopped(id: string): boolean;
  /** The provider, if it takes calls; throws `PROVIDER_STOPPED` or `PROVIDER_UNAVAILABLE`, and `PROVIDER_NOT_FOUND` also for one of another type. */
  kv(id: string): KvProvider;
  http(id: string): HttpProvider;
  messaging(id: string): MessagingProvider;
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
      member.backend = await openBackend(config);
    } catch (error) {
      // The node is worth running without this provider; its guests are told at each call.
      deps.log.error("provider cannot be opened", { provider: config.id, backend: config.backend }, error);
    }
  }

  const memberOf = (id: string): Member => members.get(id) ?? notFound(`"${id}" on node "${nodeId}"`, id);

  const described = (member: Member): Provider =>
    create(ProviderSchema, {
      id: member.config.id,
      type: protoFromCapabilityType(member.config.type),
      backend: member.config.backend,
      state: takesCalls(member) ? ProviderState.RUNNING : ProviderState.STOPPED,
      nodeId,
    });

  const startMember = async (member: Member, requestId: string): Promise<Provider> => {
    const { id } = member.config;
    if (takesCalls(member)) return described(member);
    try {
      member.backend ??= await openBackend(member.config);
    } catch (error) {
      throw isFault(error) ? error : unavailable(id, "its backend cannot be opened", error);
    }
    journal.setProviderStopped(id, false);
    member.stopped = false;
    deps.onFact(FactKind.PROVIDER_STARTED, described(member), `Provider "${id}" started`, requestId);
    await deps.onSwitched?.(id);
    return described(member);
  };

  const stopMember = async (member: Member, requestId: string): Promise<Provider> => {
    const { id, durable } = member.config;
    if (member.stopped) return described(member);
    journal.setProviderStopped(id, true);
    member.stopped = true;
    await deps.onSwitched?.(id);
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

  const backendOf = (id: string): Backend => {
    const { stopped, backend } = memberOf(id);
    if (stopped) throw fault(Reason.PROVIDER_STOPPED, `Cannot use provider "${id}": it is stopped`, { subject: id });
    if (backend === undefined) throw unavailable(id, "its backend could not be opened", undefined);
    return backend;
  };

  return {
    defaultId: (type: CapabilityType) => deps.configs.find((config) => config.type === type)?.id,
    typeOf: (id) => members.get(id)?.config.type,
    list: () => [...members.values()].map(described).toSorted((left, right) => (left.id < right.id ? -1 : 1)),
    start: async (id, requestId) => inTurn(id, (member) => startMember(member, requestId)),
    stop: async (id, requestId) => inTurn(id, (member) => stopMember(member, requestId)),
    isStopped(id) {
      const member = members.get(id);
      return member === undefined || !takesCalls(member);
    },
    kv(id) {
      const backend = backendOf(id);
      return backend.type === "kv" ? backend.provider : notFound(`"${id}" of the type kv`, id);
    },
    http(id) {
      const backend = backendOf(id);
      return backend.type === "http" ? backend.provider : notFound(`"${id}" of the type http`, id);
    },
    messaging(id) {
      const backend = backendOf(id);
      return backend.type === "messaging" ? backend.provider : notFound(`"${id}" of the type messaging`, id);
    },
    async close() {
      await Promise.all([...members.values()].map((member) => member.busy.then(() => member.backend?.close())));
    },
  };
}

/** How long requests that are under way may take to finish when their provider is stopped. */
const HTTP_CLOSE_GRACE_MS = 2_000;

type Member = {
  readonly config: ProviderConfig;
  stopped: boolean;
  backend: Backend | undefined;
  busy: Promise<void>;
};

type Backend = { close(): Promise<void> } & (
  | { readonly type: "kv"; readonly provider: KvProvider }
  | { readonly type: "http"; readonly provider: HttpProvider }
  | { readonly type: "messaging"; readonly provider: MessagingProvider }
  | { readonly type: "files" | "environment" }
);

async function openBackend(config: ProviderConfig): Promise<Backend> {
  switch (config.type) {
    case "kv": {
      const provider = await config.open();
      return { type: "kv", provider, close: () => provider.close() };
    }
    case "http": {
      const provider = await config.open();
      return { type: "http", provider, close: () => provider.close(HTTP_CLOSE_GRACE_MS) };
    }
    case "messaging": {
      const provider = await config.open();
      return { type: "messaging", provider, close: () => provider.close() };
    }
    case "files":
    case "environment":
      await config.open();
      return { type: config.type, close: () => Promise.resolve() };
  }
}

function takesCalls(member: Member): boolean {
  return !member.stopped && member.backend !== undefined;
}

function ignore(): void {
  // See `inTurn`.
}

function notFound(what: string, id: string): never {
  throw fault(Reason.PROVIDER_NOT_FOUND, `Cannot find provider ${what}`, { subject: id });
}

function unavailable(id: string, why: string, cause: unknown): Error {
  return fault(Reason.PROVIDER_UNAVAILABLE, `Cannot use provider "${id}": ${why}`, { subject: id, cause });
}
