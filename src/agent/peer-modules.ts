/** Fetches modules from agents that hold them, so that one control plane need not send every module to every node. */
import { createClient, type Transport } from "@connectrpc/connect";
import type { Clock } from "../clock.ts";
import { fault, isFault, Reason, type Fault } from "../fault.ts";
import { NodeAgentService } from "../gen/wasmatrix/v1/node_agent_pb.ts";
import type { Log } from "../log.ts";
import { eachWithin } from "../rpc/deadline.ts";
import { faultTransport } from "../rpc/fault-transport.ts";
import { createSlots } from "../rpc/slots.ts";
import type { ModuleStore } from "./module-store.ts";

/** What fetching needs. */
export type PeerModulesDeps = {
  readonly store: Pick<ModuleStore, "touch" | "put">;
  /** Makes a transport to an agent's base URL; it may connect lazily, and must send the agents' token. */
  readonly dial: (address: string) => Transport;
  readonly clock: Clock;
  readonly log: Log;
};

/** See the top of the file. */
export interface PeerModules {
  /**
   * Brings a module here that is not here yet, from the first of these base URLs that has it; the digest decides what is taken.
   * Never rejects: a module that nobody gives is missing still, and whoever needs it says so.
   */
  fetch(digest: string, peers: readonly string[]): Promise<void>;
}

/** Fetches at once; one more is left to the control plane. */
const FETCHES_MAX = 4;
/** Until the next piece comes. */
const IDLE_TIMEOUT_MS = 5_000;
/** After this no further peer is tried: somebody waits for the start. */
const TRIES_MAX_MS = 15_000;

/** Makes a fetcher. */
export function createPeerModules({ store, dial, clock, log }: PeerModulesDeps): PeerModules {
  const underWay = new Map<string, Promise<void>>();
  const slots = createSlots(FETCHES_MAX, "fetches of modules");

  async function* pieces(digest: string, address: string): AsyncGenerator<Uint8Array> {
    const peer = createClient(NodeAgentService, faultTransport(dial(address)));
    const gone = new AbortController();
    const late = (): Fault =>
      fault(Reason.CALL_TIMED_OUT, `Cannot fetch module ${digest}: nothing came for ${IDLE_TIMEOUT_MS / 1_000} s`);
    try {
      const stream = peer.pullModule({ digest }, { signal: gone.signal });
      for await (const { chunk } of eachWithin(clock, IDLE_TIMEOUT_MS, stream, late)) yield chunk;
    } finally {
      gone.abort();
    }
  }

  const fetchFromAny = async (digest: string, peers: readonly string[]): Promise<void> => {
    if (await store.touch(digest)) return;
    const beganMs = clock.steadyMs();
    for (const address of peers) {
      if (!isDiallable(address) || clock.steadyMs() - beganMs > TRIES_MAX_MS) continue;
      try {
        const { sizeBytes } = await store.put(digest, pieces(digest, address));
        return log.info("module fetched from another node", { digest, peer: address, sizeBytes });
      } catch (error) {
        // The next one may have it; if none has, the order is refused with MODULE_NOT_FOUND and the control plane sends it.
        log.info("module not fetched from a node", { digest, peer: address, why: reasonOf(error) });
      }
    }
  };

  return {
    async fetch(digest, peers) {
      if (peers.length === 0) return;
      const running = underWay.get(digest);
      if (running !== undefined) return running;
      try {
        const release = slots.take(`Cannot fetch module ${digest}`);
        const fetching = fetchFromAny(digest, peers).finally(() => {
          release();
          underWay.delete(digest);
        });
        underWay.set(digest, fetching);
        await fetching;
      } catch (error) {
        log.warn("module not fetched", { digest, why: reasonOf(error) });
      }
    },
  };
}

function isDiallable(address: string): boolean {
  const protocol = URL.parse(address)?.protocol;
  return protocol === "http:" || protocol === "https:";
}

function reasonOf(error: unknown): string {
  return isFault(error) || error instanceof Error ? error.message : String(error);
}
