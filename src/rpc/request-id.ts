/** The id that goes along with a request from its caller through control plane and agent, and back in an error. */
import { createContextKey, type ContextKey } from "@connectrpc/connect";
import type { Entropy } from "../clock.ts";
import { REQUEST_ID_MAX_LENGTH } from "./rpc-limits.ts";

/** The header that carries it, in requests and in responses. */
export const REQUEST_ID_HEADER = "x-request-id";

/** Where a handler finds it: `context.values.get(requestIdKey)`. */
export const requestIdKey: ContextKey<string> = createContextKey("", { description: "request id" });

/** The caller's id if it is short and harmless in a log or a header, else a fresh one. */
export function requestIdFromHeader(header: string | null, entropy: Entropy): string {
  if (header !== null && header.length <= REQUEST_ID_MAX_LENGTH && /^[\w.-]+$/.test(header)) return header;
  return entropy.hex(8);
}
