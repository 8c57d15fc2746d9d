/** Modules in pieces over RPC, both ways. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { fault, Reason } from "../../fault.ts";
import type {
  PullModuleResponseSchema,
  PushModuleRequest,
  PushModuleResponseSchema,
} from "../../gen/wasmatrix/v1/node_agent_pb.ts";
import type { ModuleStore } from "../module-store.ts";

/** Pieces of a pulled module. */
const CHUNK_BYTES = 256 * 1024;

/** Takes a pushed module; see `ModuleStore.put`. Throws `INVALID_REQUEST` if the first message names no digest. */
export async function pushModule(
  store: Pick<ModuleStore, "put">,
  messages: AsyncIterable<PushModuleRequest>,
): Promise<MessageInitShape<typeof PushModuleResponseSchema>> {
  const reader = messages[Symbol.asyncIterator]();
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
  const { sizeBytes } = await store.put(digest, chunksOf(first, reader));
  return { digest, sizeBytes: BigInt(sizeBytes) };
}

/** Gives a module out; throws `MODULE_NOT_FOUND`. */
export async function* pullModule(
  store: Pick<ModuleStore, "read">,
  digest: string,
): AsyncGenerator<MessageInitShape<typeof PullModuleResponseSchema>> {
  const bytes = await store.read(digest);
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    yield { chunk: bytes.subarray(start, start + CHUNK_BYTES) };
  }
}

async function* chunksOf(
  first: IteratorResult<PushModuleRequest>,
  reader: AsyncIterator<PushModuleRequest>,
): AsyncGenerator<Uint8Array> {
  for (let next = first; next.done !== true; next = await reader.next()) yield next.value.chunk;
}
