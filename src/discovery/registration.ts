/** Keeps a node's entries in a discovery store, under a lease, for as long as the agent lives. */
import type { Clock } from "../clock.ts";
import { isFault } from "../fault.ts";
import type { Log } from "../log.ts";
import { keyOfEntry, textFromEntry, type DiscoveryEntry } from "./discovery-entry.ts";
import type { DiscoveryKey } from "./discovery-key.ts";
import type { DiscoveryHealth, DiscoveryStore, LeaseId } from "./discovery-store.ts";
import { healthAfter } from "./health-after.ts";

/** What a registration is given. */
export type RegistrationDeps = {
  readonly store: DiscoveryStore;
  readonly clock: Clock;
  readonly log: Log;
  /** What should stand in the store now. */
  readonly entries: () => readonly DiscoveryEntry[];
  /** How long the entries stay after the agent's death. Default 15 s. */
  readonly ttlMs?: number;
};

/** See the top of the file. */
export interface Registration {
  readonly health: DiscoveryHealth;
  /** The entries may have changed: writes what is new soon. */
  refresh(): void;
  /** Takes the entries away, if the store can be reached in time. May be called twice. */
  close(): Promise<void>;
}

const TTL_DEFAULT_MS = 15_000;

/** Starts to register; never throws: while the store is away the agent works on, and registers when it is back. */
export function startRegistration(deps: RegistrationDeps): Registration {
  const { store, clock, log, ttlMs = TTL_DEFAULT_MS } = deps;
  let lease: LeaseId | undefined;
  /** What was written under the lease. */
  let written = new Map<string, { readonly key: DiscoveryKey; readonly text: string }>();
  let health: DiscoveryHealth = { kind: "untried" };
  let cancelTimer = (): void => {};
  let running: Promise<void> | undefined;
  let isStale = false;
  let closed: Promise<void> | undefined;

  /** One round: a lease that lives, and under it what should stand there. */
  const round = async (): Promise<void> => {
    if (lease !== undefined && !(await store.keepAlive(lease))) {
      log.warn("lease in the discovery store was lost, registering anew", { lease });
      lease = undefined;
    }
    if (lease === undefined) {
      lease = await store.grantLease(ttlMs);
      written = new Map();
    }
    const wanted = new Map(deps.entries().map((entry) => [keyOfEntry(entry).text, entry] as const));
    for (const [text, entry] of wanted) {
      const value = textFromEntry(entry);
      if (written.get(text)?.text === value) continue;
      const key = keyOfEntry(entry);
      await store.put(key, value, lease);
      written.set(text, { key, text: value });
    }
    for (const [text, { key }] of written) {
      if (wanted.has(text)) continue;
      await store.remove(key);
      written.delete(text);
    }
  };

  const run = async (): Promise<void> => {
    isStale = false;
    try {
      await round();
      if (health.kind !== "reached") log.info("registered in the discovery store", { entries: written.size });
      health = healthAfter(health, undefined, clock.nowMs());
    } catch (error) {
      if (health.kind !== "unreachable") log.warn("discovery store cannot be reached", { why: messageOf(error) });
      health = healthAfter(health, messageOf(error), clock.nowMs());
    }
  };

  /** Rounds never overlap; one that was asked for meanwhile follows at once. */
  const turn = (): void => {
    if (running !== undefined || closed !== undefined) return;
    cancelTimer();
    running = run().finally(() => {
      running = undefined;
      if (closed !== undefined) return;
      if (isStale) turn();
      else cancelTimer = clock.after(ttlMs / ROUNDS_PER_TTL, turn);
    });
  };

  const end = async (): Promise<void> => {
    cancelTimer();
    await running;
    if (lease === undefined) return;
    // Lost: the orderly removal. The lease runs out by itself.
    await store.revoke(lease).catch(() => undefined);
  };

  turn();
  return {
    get health() {
      return health;
    },
    refresh() {
      isStale = true;
      turn();
    },
    close: () => (closed ??= end()),
  };
}

/** Two rounds may fail before a lease is lost. */
const ROUNDS_PER_TTL = 3;

function messageOf(error: unknown): string {
  return isFault(error) ? error.message : String(error);
}
