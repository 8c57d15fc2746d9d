/** What every client of ours sends along with a call. Wrap the transport in `faultTransport` to have failures as faults. */
import type { Interceptor } from "@connectrpc/connect";
import { REQUEST_ID_HEADER } from "./request-id.ts";

/** What a client sends along. */
export type RpcClientOptions = {
  /** The bearer token, if the server wants one. */
  readonly token?: string | undefined;
};

/** Adds the token and, unless the call's own headers carry one, leaves the request id to the server. */
export function rpcClientInterceptors(options: RpcClientOptions): Interceptor[] {
  const { token } = options;
  if (token === undefined) return [];
  return [
    (next) => (request) => {
      request.header.set("authorization", `Bearer ${token}`);
      return next(request);
    },
  ];
}

/** Call headers that pass a request id on to the next server. */
export function requestIdHeaders(requestId: string): Record<string, string> {
  return requestId === "" ? {} : { [REQUEST_ID_HEADER]: requestId };
}
