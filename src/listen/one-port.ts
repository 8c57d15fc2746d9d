/**
 * HTTP/1.1 and HTTP/2 cleartext (prior knowledge) on one port.
 *
 * The HTTP/1.1 server owns the port, so its header and request timeouts and `closeIdleConnections` hold; a
 * connection that opens with the HTTP/2 preface is handed to the other server. `DESIGN.md` says why not the other way round.
 */
import * as http from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { fault, Reason } from "../fault.ts";
import { closeUnlessRead } from "./unread-body.ts";
import { sniffHttp2Preface } from "./http2-preface.ts";

/** Handles a request of either HTTP version. */
export type OnePortHandler = (
  request: http.IncomingMessage | http2.Http2ServerRequest,
  response: http.ServerResponse | http2.Http2ServerResponse,
) => void;

/** Where to listen and for whom. */
export type OnePortOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The flag that chose the port, for the error when it is taken. */
  readonly portFlag: string;
  readonly handler: OnePortHandler;
  /** Connections at once; one more is refused. Default 4,096. */
  readonly connectionsMax?: number;
  /** Time for a request's headers to arrive. Default 15 s. */
  readonly headersTimeoutMs?: number;
};

/** A listening port. */
export type OnePort = {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`, without a path. */
  readonly url: string;
  /** Takes no new connections, lets requests finish for `graceMs` (default 2 s), then cuts the rest. May be called twice. */
  close(graceMs?: number): Promise<void>;
};

/** Listens, or throws `INVALID_REQUEST` naming the flag if the port is taken, not permitted, or the host is not ours. */
export async function listenOnePort(options: OnePortOptions): Promise<OnePort> {
  const headersTimeout = options.headersTimeoutMs ?? 15_000;
  const http1 = http.createServer({ headersTimeout, connectionsCheckingInterval: 1_000 });
  // A long upload or an open stream may take longer than any fixed time; each handler has limits of its own.
  http1.requestTimeout = 0;
  http1.maxConnections = options.connectionsMax ?? 4_096;
  const h2 = http2.createServer({ settings: { maxConcurrentStreams: 1_000 } });
  http1.on("request", (request, response) => {
    closeUnlessRead(request, response);
    options.handler(request, response);
  });
  let closing = false;
  // A kept-alive connection that becomes idle while we close would hold the server open until its own timeout.
  http1.on("request", (request, response) => {
    response.once("close", () => {
      if (closing) setImmediate(() => http1.closeIdleConnections());
    });
  });
  h2.on("request", options.handler);
  // A broken session concerns its own peer only; the requests on it see it end.
  h2.on("sessionError", () => undefined);

  const sockets = new Set<Socket>();
  const serveHttp1 = http1.listeners("connection");
  http1.removeAllListeners("connection");
  http1.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    sniffHttp2Preface(socket, headersTimeout, (isHttp2) => {
      if (isHttp2) serveHttp2(h2, socket);
      else for (const serve of serveHttp1) serve.call(http1, socket);
    });
  });
  const sessions = new Set<http2.ServerHttp2Session>();
  h2.on("session", (session: http2.ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    endWhenIdle(session, headersTimeout);
  });

  await listen(http1, options);
  const { port } = http1.address() as AddressInfo;
  const bracketed = options.host.includes(":") ? `[${options.host}]` : options.host;
  let closed: Promise<void> | undefined;
  return {
    host: options.host,
    port,
    url: `http://${bracketed}:${String(port)}`,
    close(graceMs = 2_000) {
      closing = true;
      closed ??= close(http1, sessions, sockets, graceMs);
      return closed;
    },
  };
}

/** HTTP/1.1 knows half-open connections, HTTP/2 does not: one that only its peer has ended would never be closed. */
function serveHttp2(server: http2.Http2Server, socket: Socket): void {
  socket.allowHalfOpen = false;
  server.emit("connection", socket);
}

/** Longer than clients of ours keep an idle session (15 min), so that they end it first and no request meets a closing one. */
const SESSION_IDLE_MS = 20 * 60_000;

/** Cuts a session whose first request does not come in time, and closes one on which nothing has moved for long. */
function endWhenIdle(session: http2.ServerHttp2Session, firstRequestMs: number): void {
  const cut = setTimeout(() => session.destroy(), firstRequestMs);
  session.once("stream", () => clearTimeout(cut));
  session.once("close", () => clearTimeout(cut));
  session.setTimeout(SESSION_IDLE_MS, () => session.close());
}

function listen(server: http.Server, options: OnePortOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenFault(error, options)));
    server.listen(options.port, options.host, () => {
      server.removeAllListeners("error");
      // After listening, errors are those of accepting one connection (out of descriptors); the others go on.
      server.on("error", () => undefined);
      resolve();
    });
  });
}

function listenFault(error: NodeJS.ErrnoException, options: OnePortOptions): Error {
  const where = `${options.host}:${String(options.port)}`;
  const why: Record<string, string> = {
    EADDRINUSE: `port is taken; choose another with ${options.portFlag}`,
    EACCES: `this user may not open that port; choose one above 1023 with ${options.portFlag}`,
    EADDRNOTAVAIL: "the address does not belong to this machine",
    ENOTFOUND: "the host name is not known",
  };
  return fault(Reason.INVALID_REQUEST, `Cannot listen on ${where}: ${why[error.code ?? ""] ?? error.message}`, {
    subject: where,
    cause: error,
  });
}

async function close(
  server: http.Server,
  sessions: ReadonlySet<http2.ServerHttp2Session>,
  sockets: ReadonlySet<Socket>,
  graceMs: number,
): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  for (const session of sessions) session.close();
  const cut = setTimeout(() => {
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await ended;
  clearTimeout(cut);
}
