/**
 * What discovery needs of etcd, and nothing more. Implemented by etcd3 (`src/etcd`) and by the simulator's etcd; every
 * implementation passes `test/discovery/discovery-store-contract.ts`.
 *
 * Each method settles within the store's own time limit: it rejects with a `Fault` (`DISCOVERY_UNAVAILABLE`) when the store
 * cannot be reached, never hangs, and does not retry: that is its caller's.
 */
import type { DiscoveryKey } from "./discovery-key.ts";

/** Names a lease. */
export type LeaseId = string;

/** See the top of the file. */
export interface DiscoveryStore {
  /** A new lease; keys put under it go when it has not been kept alive for `ttlMs` (whole seconds). */
  grantLease(ttlMs: number): Promise<LeaseId>;
  /** Resolves to whether the lease was still there. */
  keepAlive(lease: LeaseId): Promise<boolean>;
  /** Ends a lease and takes its keys away; a missing one is no error. */
  revoke(lease: LeaseId): Promise<void>;
  /** Writes a key under a lease; throws `INTERNAL` for a key that the guard did not make, `DISCOVERY_UNAVAILABLE` also if the lease is gone. */
  put(key: DiscoveryKey, text: string, lease: LeaseId): Promise<void>;
  /** Takes a key away; a missing one is no error. */
  remove(key: DiscoveryKey): Promise<void>;
  /** Everything below `/wasmatrix/`, whoever wrote it, at most `listMaxKeys` of it. */
  list(): Promise<readonly { readonly key: string; readonly text: string }[]>;
  /** Calls `onChange` when something below `/wasmatrix/` may have changed: "look again". It may miss changes while the store is away. */
  watch(onChange: () => void): () => void;
  /** May be called twice. */
  close(): Promise<void>;
}

/** Whether the store could be reached, the last time that it was tried. */
export type DiscoveryHealth =
  | { readonly kind: "untried" }
  | { readonly kind: "reached"; readonly atMs: number }
  | { readonly kind: "unreachable"; readonly sinceMs: number; readonly message: string };
