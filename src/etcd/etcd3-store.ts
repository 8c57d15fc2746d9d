/** The discovery store on etcd, through etcd3. Node only: etcd3 speaks gRPC. */
import { Etcd3, EtcdLeaseInvalidError, type IOptions, type Watcher } from "etcd3";
import { noop } from "cockatiel";
import { systemClock, type Clock } from "../clock.ts";
import { assertMayWrite, DISCOVERY_PREFIX } from "../discovery/discovery-key.ts";
import type { DiscoveryStore } from "../discovery/discovery-store.ts";
import { fault, isFault, Reason } from "../fault.ts";

/** How etcd is reached. */
export type EtcdOptions = {
  /** Base URLs of its members: `http://127.0.0.1:2379`; `https://` needs `tls.ca` unless the system trusts the certificate. */
  readonly endpoints: readonly string[];
  readonly user?: { readonly name: string; readonly password: string };
  /** PEM texts. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** For one call. Default 3,000: etcd3 itself has none, and hangs while a member is stopped. */
  readonly callTimeoutMs?: number;
  /** Keys that one `list` reads. Default 50,000. */
  readonly listMaxKeys?: number;
  readonly clock?: Clock;
};

const CALL_TIMEOUT_DEFAULT_MS = 3_000;
const LIST_DEFAULT_MAX_KEYS = 50_000;

/** Opens a store. Nothing is dialled before it is first used. */
export function openEtcd3Store(options: EtcdOptions): DiscoveryStore {
  const { callTimeoutMs = CALL_TIMEOUT_DEFAULT_MS, listMaxKeys = LIST_DEFAULT_MAX_KEYS, clock = systemClock } = options;
  const endpoints = options.endpoints.join(", ");
  const client = new Etcd3(clientOptions(options, callTimeoutMs));
  const watchers = new Set<Watcher>();
  let isClosed = false;

  const attempt = async <T>(doing: string, act: () => Promise<T>): Promise<T> => {
    try {
      return await within(clock, callTimeoutMs, act());
    } catch (error) {
      if (isFault(error)) throw error;
      throw fault(Reason.DISCOVERY_UNAVAILABLE, `Cannot ${doing} at etcd (${endpoints}): ${sentenceFrom(error)}`, {
        subject: endpoints,
        cause: error,
      });
    }
  };

  return {
    grantLease: (ttlMs) =>
      attempt("take a lease", async () => {
        const { ID } = await client.leaseClient.leaseGrant({ TTL: Math.max(1, Math.ceil(ttlMs / 1000)) });
        return ID;
      }),
    keepAlive: (lease) =>
      attempt("keep a lease alive", async () => {
        const { TTL } = await keptAlive(client, lease);
        return Number(TTL) > 0;
      }),
    revoke: (lease) =>
      attempt("give a lease back", async () => {
        try {
          await client.leaseClient.leaseRevoke({ ID: lease });
        } catch (error) {
          if (!(error instanceof EtcdLeaseInvalidError)) throw error;
        }
      }),
    put(key, text, lease) {
      assertMayWrite(key);
      return attempt(`write ${key.text}`, async () => {
        await client.kv.put({ key: Buffer.from(key.text), value: Buffer.from(text), lease });
      });
    },
    remove(key) {
      assertMayWrite(key);
      return attempt(`take ${key.text} away`, async () => {
        await client.kv.deleteRange({ key: Buffer.from(key.text) });
      });
    },
    list: () =>
      attempt("read nodes and providers", async () => {
        const { kvs } = await client.kv.range({
          key: Buffer.from(DISCOVERY_PREFIX),
          range_end: Buffer.from(endOfPrefix(DISCOVERY_PREFIX)),
          limit: listMaxKeys,
        });
        return kvs.map(({ key, value }) => ({ key: key.toString(), text: value.toString() }));
      }),
    watch(onChange) {
      let isEnded = false;
      let watcher: Watcher | undefined;
      let cancelRetry = (): void => {};
      const open = (): void => {
        if (isEnded || isClosed) return;
        const opened = client.watch().prefix(DISCOVERY_PREFIX).watcher();
        watcher = opened;
        watchers.add(opened);
        opened.on("data", onChange);
        // What happened while it was away is not replayed for sure: look again.
        opened.on("connected", onChange);
        // etcd gave this watch up, as after a compaction: begin another.
        opened.on("error", () => {
          watchers.delete(opened);
          opened.removeAllListeners("data");
          onChange();
          cancelRetry = clock.after(REWATCH_MS, open);
        });
      };
      open();
      return () => {
        isEnded = true;
        cancelRetry();
        if (watcher === undefined || !watchers.delete(watcher)) return;
        watcher.cancel().catch(ignore);
      };
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      await Promise.allSettled([...watchers].map((watcher) => within(clock, CLOSE_MAX_MS, watcher.cancel())));
      client.close();
    },
  };
}

/** Waits before a watch that etcd gave up is begun anew. */
const REWATCH_MS = 1_000;
/** For the orderly end of one watch. */
const CLOSE_MAX_MS = 500;

/** Retries and circuit breakers are the caller's: one layer retries, and it must hear of every failure at once. */
function clientOptions(options: EtcdOptions, callTimeoutMs: number): IOptions {
  const { tls, user } = options;
  return {
    hosts: [...options.endpoints],
    dialTimeout: callTimeoutMs,
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + callTimeoutMs }),
    faultHandling: { host: () => noop, global: noop },
    ...(user === undefined ? {} : { auth: { username: user.name, password: user.password } }),
    ...(tls === undefined
      ? {}
      : {
          credentials: {
            rootCertificate: tls.ca,
            ...(tls.cert === undefined ? {} : { certChain: tls.cert }),
            ...(tls.key === undefined ? {} : { privateKey: tls.key }),
          },
        }),
  };
}

/** One keep-alive on a stream of its own: etcd has no unary form. */
async function keptAlive(client: Etcd3, lease: string): Promise<{ readonly TTL: string }> {
  const stream = await client.leaseClient.leaseKeepAlive();
  try {
    return await new Promise((resolve, reject) => {
      stream.on("data", resolve);
      stream.on("error", reject);
      stream.on("end", () => reject(new Error("the stream ended without an answer")));
      stream.write({ ID: lease });
    });
  } finally {
    stream.end();
  }
}

/** etcd3 hangs where a member accepts a connection and says nothing, whatever the deadline of the call. */
function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
    work.then(resolve, reject).finally(cancel);
  });
}

/** The first key after all that begin with `prefix`, as etcd names ranges. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function sentenceFrom(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^\d+ [A-Z_]+: /, "") : String(error);
}

function ignore(): void {
  // Lost: that a watch did not end in order. The connection that it lives on is about to go, or has gone.
}
