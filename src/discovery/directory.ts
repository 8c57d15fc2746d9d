/**
 * The nodes and providers that a discovery store names, as a control plane knows them. Level-triggered: it looks again
 * at every change that the store tells of and at every interval, so a watch that breaks, is compacted or lies costs time, not truth.
 */
import type { Clock, Entropy } from "../clock.ts";
import { isFault } from "../fault.ts";
import type { Log } from "../log.ts";
import { entryFromText, type DiscoveryEntry, type NodeEntry, type ProviderEntry } from "./discovery-entry.ts";
import type { DiscoveryHealth, DiscoveryStore } from "./discovery-store.ts";
import { healthAfter } from "./health-after.ts";

/** What a directory is given. */
export type DirectoryDeps = {
  readonly store: DiscoveryStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Called when the nodes that are named have changed. */
  readonly onNodes: (nodes: readonly NodeEntry[]) => void;
  /** How often it looks without being told. Default 10 s, with jitter. */
  readonly lookIntervalMs?: number;
};

/** See the top of the file. */
export interface Directory {
  readonly health: DiscoveryHealth;
  /** By id. What was named last stays while the store is away. */
  readonly nodes: readonly NodeEntry[];
  readonly providers: readonly ProviderEntry[];
  /** May be called twice. */
  close(): Promise<void>;
}

const LOOK_INTERVAL_DEFAULT_MS = 10_000;
/** Changes within this time are one look. */
const GATHER_MS = 20;

/** Starts to look; never throws. */
export function openDirectory(deps: DirectoryDeps): Directory {
  const { store, clock, entropy, log, lookIntervalMs = LOOK_INTERVAL_DEFAULT_MS } = deps;
  let health: DiscoveryHealth = { kind: "untried" };
  let nodes: readonly NodeEntry[] = [];
  let providers: readonly ProviderEntry[] = [];
  let cancelTimer = (): void => {};
  let looking: Promise<void> | undefined;
  let isStale = false;
  let isClosed = false;

  const look = async (): Promise<void> => {
    isStale = false;
    try {
      const entries = (await store.list()).flatMap(({ key, text }): DiscoveryEntry[] => {
        const entry = entryFromText(key, text);
        return entry === undefined ? [] : [entry];
      });
      if (isClosed) return;
      const named = byId(entries.filter((entry) => entry.kind === "node"));
      providers = byId(entries.filter((entry) => entry.kind === "provider"));
      const hasChanged = JSON.stringify(named) !== JSON.stringify(nodes);
      nodes = named;
      health = healthAfter(health, undefined, clock.nowMs());
      if (hasChanged) deps.onNodes(nodes);
    } catch (error) {
      const message = isFault(error) ? error.message : String(error);
      if (health.kind !== "unreachable")
        log.warn("discovery store cannot be reached, going on with what it said last", { why: message });
      health = healthAfter(health, message, clock.nowMs());
    }
  };

  const turn = (): void => {
    if (looking !== undefined || isClosed) return;
    cancelTimer();
    looking = look().finally(() => {
      looking = undefined;
      if (!isClosed) schedule();
    });
  };
  const schedule = (): void => {
    cancelTimer();
    cancelTimer = clock.after(isStale ? GATHER_MS : lookIntervalMs * (0.75 + entropy.fraction() / 2), turn);
  };

  const unwatch = store.watch(() => {
    if (isStale || isClosed) return;
    isStale = true;
    if (looking === undefined) schedule();
  });
  turn();

  return {
    get health() {
      return health;
    },
    get nodes() {
      return nodes;
    },
    get providers() {
      return providers;
    },
    async close() {
      isClosed = true;
      cancelTimer();
      unwatch();
      await looking;
    },
  };
}

function byId<Entry extends DiscoveryEntry>(entries: readonly Entry[]): readonly Entry[] {
  const idOf = (entry: DiscoveryEntry): string =>
    entry.kind === "node" ? entry.nodeId : `${entry.nodeId}:${entry.providerId}`;
  return entries.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
}
