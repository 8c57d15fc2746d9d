/** Where modules come from when they are started, and how they reach the nodes that lack them. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { fault, Reason, type Fault } from "../../fault.ts";
import type { ModuleSource } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import type { GuestKind } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { PushModuleRequestSchema, type PushModuleRequest } from "../../gen/wasmatrix/v1/node_agent_pb.ts";
import { isHeard, type HeldNode, type SilencePolicy } from "../fleet-view.ts";
import { eachWithin } from "../../rpc/deadline.ts";
import type { Fleet } from "../fleet.ts";
import type { Log } from "../../log.ts";
import type { ControlPlaneLimits } from "../limits.ts";
import type { NodeAgents } from "../node-agents.ts";
import { createSlots } from "../../rpc/slots.ts";
import { assertWasm, digestOf, possibleKinds } from "./module-bytes.ts";
import { createModuleCache } from "./module-cache.ts";
import { createModuleCollector, type HeldModule } from "./module-collector.ts";
import { fetchModule, type Fetch } from "./module-fetch.ts";

/** A module that is about to be started. */
export type ResolvedModule = {
  readonly digest: string;
  /** The kinds that it may turn out to have; empty if its bytes are not here. */
  readonly kinds: readonly GuestKind[];
};

/** Modules that were uploaded, sent inline, fetched or pulled. */
export interface ModuleStore {
  /** The module that a start request names; fetches it if it is on the web. Throws `MODULE_*`. */
  resolve(source: ModuleSource | undefined): Promise<ResolvedModule>;
  /** Takes an upload. Throws `MODULE_*`, or `TOO_MANY_REQUESTS`. */
  upload(chunks: AsyncIterable<{ readonly digest: string; readonly chunk: Uint8Array }>): Promise<HeldModule>;
  /** Base URLs of nodes that say that they hold a module, for one that does not; at most 8, and none if it says that it does. */
  peers(digest: string, nodeId: string): readonly string[];
  /** Brings a module to a node, from here or from another node. Throws `MODULE_NOT_FOUND` if nobody has it. */
  deliver(digest: string, nodeId: string, call: CallOptions): Promise<void>;
}

/** What a module store needs. */
export type ModuleStoreDeps = {
  readonly fleet: Fleet;
  readonly agents: NodeAgents;
  readonly silence: SilencePolicy;
  readonly clock: Clock;
  readonly log: Log;
  readonly fetch: Fetch;
  readonly limits: ControlPlaneLimits;
};

/** Size of the pieces in which a module is pushed. */
const PUSH_CHUNK_BYTES = 1024 * 1024;
/** Peers that are named in one order; as many as the contract lets it carry. */
const PEERS_MAX = 8;

/** Makes a store that holds nothing yet. */
export function createModuleStore(deps: ModuleStoreDeps): ModuleStore {
  const { limits } = deps;
  const cache = createModuleCache(limits.moduleCacheMaxBytes);
  const transfers = createSlots(limits.moduleTransfersMax, "transfers of modules");
  const pulls = new Map<string, Promise<HeldModule>>();
  const pushes = new Map<string, Promise<void>>();
  /** Grows, so that not everybody is sent to the same peer. */
  let turn = 0;

  const keep = (module: HeldModule): HeldModule => {
    cache.put(module);
    return module;
  };
  const inSlot = async (doing: string, transfer: () => Promise<HeldModule>): Promise<HeldModule> => {
    const release = transfers.take(doing);
    try {
      return keep(await transfer());
    } finally {
      release();
    }
  };

  async function pull(digest: string): Promise<HeldModule> {
    const doing = `Cannot pull module ${digest}`;
    for (const { nodeId } of holdersOf(digest, deps)) {
      try {
        const collector = createModuleCollector(`module ${digest}`, limits.moduleMaxBytes);
        const options = { timeoutMs: limits.startTimeoutMs };
        for await (const { chunk } of deps.agents.stream(nodeId, doing, (agent) =>
          agent.pullModule({ digest }, options),
        )) {
          collector.add(chunk);
        }
        return keep(await collector.finish(digest));
      } catch (error) {
        // What this node cannot give another may; if none can, the caller is told that the module is not found.
        deps.log.warn("module not pulled", {
          digest,
          nodeId,
          why: error instanceof Error ? error.message : String(error),
        });
      }
    }
    throw fault(
      Reason.MODULE_NOT_FOUND,
      `Cannot start module ${digest}: neither this control plane nor a node that answers holds it; upload it`,
      {
        subject: digest,
      },
    );
  }

  async function push(digest: string, nodeId: string, call: CallOptions): Promise<void> {
    const module = cache.get(digest) ?? (await once(pulls, digest, () => pull(digest)));
    const doing = `Cannot push module ${digest}`;
    await deps.agents.order(nodeId, doing, (agent) =>
      agent.pushModule(pieces(module), { ...call, timeoutMs: limits.startTimeoutMs }),
    );
  }

  return {
    async resolve(source) {
      switch (source?.source.case) {
        case "digest": {
          const held = cache.get(source.source.value);
          return { digest: source.source.value, kinds: held ? possibleKinds(held.bytes) : [] };
        }
        case "inline": {
          const bytes = new Uint8Array(source.source.value);
          assertWasm(bytes, "inline module");
          return resolved(keep({ digest: await digestOf(bytes), bytes }));
        }
        case "url": {
          const { url, digest } = source.source.value;
          const held = digest === "" ? undefined : cache.get(digest);
          if (held) return resolved(held);
          const fetching = {
            fetch: deps.fetch,
            clock: deps.clock,
            maxBytes: limits.moduleMaxBytes,
            timeoutMs: limits.moduleFetchTimeoutMs,
          };
          return resolved(await inSlot("Cannot fetch module", () => fetchModule(fetching, { url, digest })));
        }
        case undefined:
          throw fault(Reason.INVALID_REQUEST, "Cannot start instance: the request names no module", {
            subject: "module",
          });
      }
    },
    upload: (chunks) =>
      inSlot("Cannot take module", async () => {
        const collector = createModuleCollector("uploaded module", limits.moduleMaxBytes);
        let wanted = "";
        for await (const { digest, chunk } of eachWithin(deps.clock, limits.uploadIdleTimeoutMs, chunks, stalled)) {
          if (wanted === "") wanted = digest;
          collector.add(chunk);
        }
        return collector.finish(wanted);
      }),
    peers(digest, nodeId) {
      if (deps.fleet.node(nodeId)?.fold.announced.info.moduleDigests.includes(digest) === true) return [];
      const addresses: string[] = [];
      for (const { fold } of holdersOf(digest, deps)) {
        if (addresses.length === PEERS_MAX) break;
        if (fold.announced.info.address !== "") addresses.push(fold.announced.info.address);
      }
      const first = addresses.length === 0 ? 0 : turn++ % addresses.length;
      return [...addresses.slice(first), ...addresses.slice(0, first)];
    },
    // Many instances of one module start at once: the first brings it, the others wait for that.
    deliver: (digest, nodeId, call) => once(pushes, `${nodeId}/${digest}`, () => push(digest, nodeId, call)),
  };
}

function stalled(): Fault {
  return fault(Reason.CALL_TIMED_OUT, "Cannot take module: its next piece did not come in time");
}

function resolved(module: HeldModule): ResolvedModule {
  return { digest: module.digest, kinds: possibleKinds(module.bytes) };
}

/** The nodes that say that they hold the module. */
function* holdersOf(digest: string, deps: ModuleStoreDeps): Generator<HeldNode> {
  for (const node of deps.fleet.nodes()) {
    const holds = node.fold.announced.info.moduleDigests.includes(digest);
    if (holds && isHeard(node, deps.clock.steadyMs(), deps.silence)) yield node;
  }
}

async function once<T>(underWay: Map<string, Promise<T>>, key: string, start: () => Promise<T>): Promise<T> {
  const running = underWay.get(key);
  if (running) return running;
  const promise = start().finally(() => underWay.delete(key));
  underWay.set(key, promise);
  return promise;
}

async function* pieces(module: HeldModule): AsyncGenerator<MessageInitShape<typeof PushModuleRequestSchema>> {
  for (let offset = 0; offset < module.bytes.length; offset += PUSH_CHUNK_BYTES) {
    const chunk = module.bytes.subarray(offset, offset + PUSH_CHUNK_BYTES);
    const message: PushModuleRequest = create(PushModuleRequestSchema, {
      digest: offset === 0 ? module.digest : "",
      chunk,
    });
    yield message;
  }
}
