/** Serves Connect and gRPC-Web, binary and JSON, through `fetch`. */
import { createConnectRouter, type ConnectRouter } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";

/** Answers RPCs. */
export interface RpcOverFetch {
  /** The response, or undefined if the path is not that of a method. */
  handle(request: Request, path: string): Promise<Response> | undefined;
}

/**
 * Makes handlers of the services that `routes` adds. Plain gRPC needs trailers, which a fetch `Response` has not, so it is
 * answered with 415; `routes` must switch it off for each service (connect turns it on again for a service with options of its own).
 */
export function rpcOverFetch(routes: (router: ConnectRouter) => void): RpcOverFetch {
  const router = createConnectRouter({ grpc: false });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, createFetchHandler(handler)]));
  return { handle: (request, path) => handlers.get(path)?.(request) };
}
