/** A client of one control plane, for the length of one command. */
import { createClient, type CallOptions, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ControlPlaneService } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { rpcClientInterceptors, requestIdHeaders } from "../rpc/client-interceptors.ts";
import { faultTransport } from "../rpc/fault-transport.ts";
import { RPC_READ_MAX_BYTES, RPC_WRITE_MAX_BYTES } from "../rpc/rpc-limits.ts";
import { resolveAddress, type AddressFlags } from "./address.ts";
import type { CommandContext } from "./command-context.ts";
import { reachTransport } from "./reach-transport.ts";

/** A control plane that a command talks to. Every failure of a call is a `Fault`. */
export type ControlPlaneSession = {
  /** Its base URL, without a slash at the end. */
  readonly url: string;
  /** What it was made from, to make another. */
  readonly origin: SessionOptions;
  readonly client: Client<typeof ControlPlaneService>;
  /** Options of one call: ended by Ctrl-C and after `timeoutMs`; streams and calls that wait for a guest give no time. */
  call(timeoutMs?: number): CallOptions;
};

/** Longest wait for an answer that needs no guest. */
export const ASK_TIMEOUT_MS = 30_000;

/** Longest wait for a start: the control plane may have to fetch the module, and the node to compile it. */
export const START_TIMEOUT_MS = 180_000;

/** Settles the address and makes the client; nothing is sent yet. */
export async function openSession(context: CommandContext, flags: AddressFlags): Promise<ControlPlaneSession> {
  const { url, token } = await resolveAddress(context.io, flags);
  return createSession({ url, token, signal: context.io.signal, requestId: context.requestId });
}

/** What a session is made from. */
export type SessionOptions = {
  readonly url: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
  readonly requestId: string;
};

/** Makes the client of a control plane whose address is known. */
export function createSession(options: SessionOptions): ControlPlaneSession {
  const { url, token, signal, requestId } = options;
  const transport = createConnectTransport({
    baseUrl: url,
    // Spoken by every proxy and edge platform on the way; HTTP/2 without TLS is not.
    httpVersion: "1.1",
    interceptors: rpcClientInterceptors({ token }),
    readMaxBytes: RPC_READ_MAX_BYTES,
    writeMaxBytes: RPC_WRITE_MAX_BYTES,
  });
  return {
    url,
    origin: options,
    client: createClient(ControlPlaneService, reachTransport(faultTransport(transport), url)),
    call: (timeoutMs) => ({
      signal,
      headers: requestIdHeaders(requestId),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }),
  };
}
