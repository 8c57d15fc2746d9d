/** Modules in pieces over RPC, both ways. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../../clock.ts";
import { fault, Reason, type Fault } from "../../fault.ts";
import type {
  PullModuleResponseSchema,
  PushModuleRequest,
  PushModuleResponseSchema,
} from "../../gen/wasmatrix/v1/node_agent_pb.ts";
import { eachWithin } from "../../rpc/deadline.ts";
import type { Slots } from "../../rpc/slots.ts";
import type { ModuleStore } from "../module-store.ts";

/** Pieces of a pulled module. */
const CHUNK_BYTES = 256 * 1024;

/** Pushes at once. Each may write a whole module to the disk before its digest proves it wrong. */
export const PUSHES_MAX = 8;

/** Pulls at once. Each holds a whole module in memory. */
export const PULLS_MAX = 16;

/** Between two pieces of a push. */
const PUSH_IDLE_TIMEOUT_MS = 60_000;

/** What taking a pushed module needs. */
export type PushDeps = {
  readonly store: Pick<ModuleStore, "put">;
  readonly clock: Clock;
  /** Places for pushes. */
  readonly slots: Slots;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
};

/**
 * Takes a pushed module; see `ModuleStore.put`. Throws `INVALID_REQUEST` if the first message names no digest, `TOO_MANY_REQUESTS` if
 * too many are under way, and `CALL_TIMED_OUT` if the next piece does not come.
 */
export async function pushModule(
  deps: PushDeps,
  messages: AsyncIterable<PushModuleRequest>,
): Promise<MessageInitShape<typeof PushModuleResponseSchema>> {
  const release = deps.slots.take("Cannot keep module", deps.signal);
  const late = (): Fault =>
    fault(Reason.CALL_TIMED_OUT, `Cannot keep module: no piece came for ${PUSH_IDLE_TIMEOUT_MS / 1_000} s`);
  const reader = eachWithin(deps.clock, PUSH_IDLE_TIMEOUT_MS, messages, late);
  try {
    const first = await reader.next();
    const digest = first.done === true ? "" : first.value.digest;
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
      throw fault(
        Reason.INVALID_REQUEST,
        "Cannot keep module: the first message has no digest of the form sha256:<64 hex digits>",
        {
          subject: "digest",
        },
      );
    }
    const { sizeBytes } = await deps.store.put(digest, chunksOf(first, reader));
    return { digest, sizeBytes: BigInt(sizeBytes) };
  } finally {
    await reader.return(undefined);
    release();
  }
}

/** Gives a module out; throws `MODULE_NOT_FOUND`, or `TOO_MANY_REQUESTS` if too many are being given out. */
export async function* pullModule(
  deps: {
    readonly store: Pick<ModuleStore, "read">;
    /** Places for pulls. */
    readonly slots: Slots;
    /** Aborts when the caller goes away. */
    readonly signal: AbortSignal;
  },
  digest: string,
): AsyncGenerator<MessageInitShape<typeof PullModuleResponseSchema>> {
  const release = deps.slots.take(`Cannot give module ${digest}`, deps.signal);
  try {
    const bytes = await deps.store.read(digest);
    for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
      yield { chunk: bytes.subarray(start, start + CHUNK_BYTES) };
    }
  } finally {
    release();
  }
}

async function* chunksOf(
  first: IteratorResult<PushModuleRequest>,
  reader: AsyncIterator<PushModuleRequest>,
): AsyncGenerator<Uint8Array> {
  for (let next = first; next.done !== true; next = await reader.next()) yield next.value.chunk;
}
