/** Transports to simulated agents, in this process: connect's own codecs at both ends, and bytes between them. */
import { createConnectRouter, type ConnectRouter, type Transport } from "@connectrpc/connect";
import type { UniversalClientRequest, UniversalClientResponse, UniversalHandler } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";

const MESSAGE_MAX_BYTES = 16 * 1024 * 1024;

/** Answers one request. */
export type Answer = (request: UniversalClientRequest) => Promise<UniversalClientResponse>;

/** A transport that hands every request to `answer`. */
export function transportTo(baseUrl: string, answer: Answer): Transport {
  return createTransport({
    httpClient: answer,
    baseUrl,
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: Number.MAX_SAFE_INTEGER,
    readMaxBytes: MESSAGE_MAX_BYTES,
    writeMaxBytes: MESSAGE_MAX_BYTES,
  });
}

/** Answers requests by the handlers that `routes` adds. */
export function answerBy(routes: (router: ConnectRouter) => void): Answer {
  const router = createConnectRouter({ connect: true, grpc: false, grpcWeb: false });
  routes(router);
  const handlers = new Map(
    router.handlers.map((handler): [string, UniversalHandler] => [handler.requestPath, handler]),
  );
  return async ({ method, url, header, body, signal }) => {
    const handler = handlers.get(new URL(url).pathname);
    if (handler === undefined) return { status: 404, header: new Headers(), body: empty(), trailer: new Headers() };
    const answered = await handler({
      httpVersion: "2.0",
      method,
      url,
      header: new Headers(header),
      body: body ?? empty(),
      signal: signal ?? new AbortController().signal,
    });
    const bytes = answered.body;
    return {
      status: answered.status,
      header: new Headers(answered.header),
      body: bytes instanceof Uint8Array ? once(bytes) : (bytes ?? empty()),
      trailer: new Headers(answered.trailer),
    };
  };
}

/** The answer that a stream of messages is; it stays open. Returns what sends a message, enveloped. */
export function openStream(signal: AbortSignal | undefined): {
  readonly response: UniversalClientResponse;
  readonly send: (message: Uint8Array) => void;
} {
  const waiting: Uint8Array[] = [];
  let wake = (): void => undefined;
  const isOver = (): boolean => signal?.aborted === true;
  signal?.addEventListener("abort", () => wake(), { once: true });
  const body = async function* (): AsyncGenerator<Uint8Array> {
    while (!isOver()) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    response: {
      status: 200,
      header: new Headers({ "content-type": "application/connect+proto" }),
      body: body(),
      trailer: new Headers(),
    },
    send(message) {
      waiting.push(message);
      wake();
    },
  };
}

/** A message with the head that streams have: no flags, and its length. */
export function enveloped(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* empty(): AsyncGenerator<Uint8Array> {
  // Nothing follows.
}
