/**
 * etcd as control planes and agents meet it: leases that run out, watches that drop, members that lag behind, and times when
 * nobody is there. Its clients pass `test/discovery/discovery-store-contract.ts`.
 */
import { DISCOVERY_PREFIX, assertMayWrite } from "../../src/discovery/discovery-key.ts";
import type { DiscoveryStore } from "../../src/discovery/discovery-store.ts";
import { fault, Reason } from "../../src/fault.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";
import type { Weather } from "./weather.ts";
import type { Peer } from "./wire.ts";

/** The host that it is on, for the weather. */
export const ETCD_HOST = "etcd";
/** How long a client waits for an answer. */
const CALL_TIMEOUT_MS = 3_000;
/** How far back a member that lags can be. */
const HISTORY_MS = 10_000;

/** See the top of the file. */
export interface SimEtcd {
  /** A client in a process. */
  connect(peer: Peer): DiscoveryStore;
  /** While it is away every call fails. */
  isAway: boolean;
  /** Reads answer what stood there so long ago. */
  lagMs: number;
  /** Whether watchers are told of changes. */
  watchesDrop: boolean;
  /** All data is gone, leases included. */
  wipe(): void;
  /** Every key that was ever written. */
  readonly keysWritten: ReadonlySet<string>;
}

type Lease = { readonly id: string; readonly ttlMs: number; readonly keys: Set<string>; expire: () => void };
type Listing = readonly { readonly key: string; readonly text: string }[];

/** An empty etcd. */
export function createSimEtcd(deps: {
  readonly timeline: Timeline;
  readonly weather: Weather;
  readonly random: Random;
}): SimEtcd {
  const { timeline, weather, random } = deps;
  const values = new Map<string, string>();
  const leases = new Map<string, Lease>();
  const watchers = new Set<() => void>();
  const keysWritten = new Set<string>();
  let history: { readonly atMs: number; readonly listing: Listing }[] = [];
  let granted = 0;

  const listing = (): Listing =>
    [...values]
      .filter(([key]) => key.startsWith(DISCOVERY_PREFIX))
      .map(([key, text]) => ({ key, text }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const changed = (): void => {
    history = [
      ...history.filter(({ atMs }) => timeline.nowMs - atMs < HISTORY_MS),
      { atMs: timeline.nowMs, listing: listing() },
    ];
    if (!etcd.watchesDrop) for (const watcher of watchers) watcher();
  };
  const renew = (lease: Lease): void => {
    lease.expire();
    lease.expire = timeline.after(lease.ttlMs, () => end(lease));
  };
  const end = (lease: Lease): void => {
    lease.expire();
    leases.delete(lease.id);
    for (const key of lease.keys) values.delete(key);
    changed();
  };
  const unavailable = (why: string): Error =>
    fault(Reason.DISCOVERY_UNAVAILABLE, `Cannot reach the discovery store: ${why}`);

  const connect = ({ host, process }: Peer): DiscoveryStore => {
    let isClosed = false;
    const mine = new Set<() => void>();

    /** A round trip: there, `act`, and back; lost on either way it is a call that takes too long. */
    const call = <T>(act: () => T): Promise<T> => {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      const cancel = timeline.after(CALL_TIMEOUT_MS, () =>
        process.deliver(() => reject(unavailable("no answer in time"))),
      );
      const back = (settle: () => void): void => {
        const fate = weather.fate(ETCD_HOST, host);
        if (fate.kind !== "arrives") return;
        timeline.after(fate.delayMs, () =>
          process.deliver(() => {
            cancel();
            settle();
          }),
        );
      };
      if (isClosed) {
        cancel();
        reject(unavailable("the client is closed"));
        return promise;
      }
      const fate = process.effect("send") ? weather.fate(host, ETCD_HOST) : undefined;
      if (fate?.kind !== "arrives") return promise;
      timeline.after(fate.delayMs, () => {
        if (etcd.isAway) return back(() => reject(unavailable("connection refused")));
        try {
          const answer = act();
          back(() => resolve(answer));
        } catch (error) {
          back(() => reject(error));
        }
      });
      return promise;
    };

    return {
      grantLease: (ttlMs) =>
        call(() => {
          const lease: Lease = {
            id: String(++granted),
            ttlMs: Math.ceil(ttlMs / 1_000) * 1_000,
            keys: new Set(),
            expire: () => undefined,
          };
          leases.set(lease.id, lease);
          renew(lease);
          return lease.id;
        }),
      keepAlive: (id) =>
        call(() => {
          const lease = leases.get(id);
          if (lease !== undefined) renew(lease);
          return lease !== undefined;
        }),
      revoke: (id) =>
        call(() => {
          const lease = leases.get(id);
          if (lease !== undefined) end(lease);
        }),
      async put(key, text, id) {
        assertMayWrite(key);
        await call(() => {
          const lease = leases.get(id);
          if (lease === undefined) throw unavailable("the lease is gone");
          // A key is under one lease: the one that it was written under last.
          for (const other of leases.values()) other.keys.delete(key.text);
          lease.keys.add(key.text);
          keysWritten.add(key.text);
          values.set(key.text, text);
          changed();
        });
      },
      async remove(key) {
        assertMayWrite(key);
        await call(() => {
          if (values.delete(key.text)) changed();
        });
      },
      list: () =>
        call(() => {
          if (etcd.lagMs === 0) return listing();
          return history.findLast(({ atMs }) => atMs <= timeline.nowMs - etcd.lagMs)?.listing ?? [];
        }),
      watch(onChange) {
        const tell = (): void => {
          const fate = etcd.isAway ? undefined : weather.fate(ETCD_HOST, host);
          if (fate?.kind === "arrives")
            timeline.after(fate.delayMs + random.whole(0, 5), () => process.deliver(onChange));
        };
        watchers.add(tell);
        mine.add(tell);
        process.onDeath(() => watchers.delete(tell));
        return () => void watchers.delete(tell);
      },
      async close() {
        isClosed = true;
        for (const tell of mine) watchers.delete(tell);
      },
    };
  };

  const etcd: SimEtcd = {
    connect,
    isAway: false,
    lagMs: 0,
    watchesDrop: false,
    keysWritten,
    wipe() {
      for (const lease of leases.values()) lease.expire();
      leases.clear();
      values.clear();
      changed();
    },
  };
  return etcd;
}
