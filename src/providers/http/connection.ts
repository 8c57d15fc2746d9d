/** One connection that carries one request after another, on undici's HTTP/1.1 client. */
import type { Socket } from "node:net";
import { Client, type Dispatcher } from "undici";
import type { HttpLimits } from "./http-limits.ts";

/** See the top of the file. */
export interface Connection {
  /** Where it leads and in whose name; requests of another key must not go over it. */
  readonly key: string;
  /** Requests that it has carried or carries. */
  readonly requests: number;
  /** Whether it has ended, by itself or by `close`. */
  readonly isClosed: boolean;
  /** Starts a request; only when the one before has ended. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  /** Called once when it has ended; at once if it has. */
  onClosed(action: () => void): void;
  /** Ends it at once. May be called twice. */
  close(): void;
}

/** Makes a connection out of a connected socket, which belongs to it from then on. */
export function connectionFromSocket(socket: Socket, origin: string, key: string, limits: HttpLimits): Connection {
  let requests = 0;
  let isClosed = false;
  let isTaken = false;
  const actions: (() => void)[] = [];

  const client = new Client(origin, {
    // The socket is there already; undici must never open one by itself, for it would resolve the name by itself too.
    connect: (_, callback) => {
      const isUsable = !isTaken && !socket.destroyed;
      isTaken = true;
      // Not at once: undici does not look at its queue again while it is asking.
      queueMicrotask(() => (isUsable ? callback(null, socket) : callback(new Error("the connection has ended"), null)));
    },
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: limits.responseHeaderMaxBytes,
    keepAliveTimeout: limits.idleConnectionMaxMs,
    keepAliveMaxTimeout: limits.idleConnectionMaxMs,
    // The exchange has timers of its own, which know who is waiting for whom.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    socket.destroy();
    // Whoever had a request on it has been told; what destroying a destroyed client says is of no use.
    client.destroy().catch(() => undefined);
    for (const action of actions.splice(0)) action();
  };
  client.on("disconnect", close);
  client.on("connectionError", close);
  // Also errors that come while undici does not listen.
  socket.on("error", () => undefined);
  socket.on("close", close);

  return {
    key,
    // The event that a destroyed socket gives comes later.
    get isClosed() {
      return isClosed || socket.destroyed;
    },
    get requests() {
      return requests;
    },
    dispatch(options, handler) {
      requests += 1;
      client.dispatch(options, handler);
    },
    onClosed(action) {
      if (isClosed) action();
      else actions.push(action);
    },
    close,
  };
}
