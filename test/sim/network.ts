/**
 * The simulated network: carries RPCs between processes as bytes, through connect's own codecs and handlers, and does to them
 * what networks do.
 */
import { createConnectRouter, type ConnectRouter, type Interceptor, type Transport } from "@connectrpc/connect";
import type {
  UniversalClientRequest,
  UniversalClientResponse,
  UniversalHandler,
  UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { answer } from "./network-answer.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";
import type { Weather } from "./weather.ts";
import { collect, once, refused, reset, type Connection, type NetworkWatcher, type Peer } from "./wire.ts";

/** What a network is given. */
export type NetworkDeps = {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly weather: Weather;
  readonly watcher: NetworkWatcher;
  readonly note: (line: string) => void;
};

/** See the top of the file. */
export interface Network {
  /** Lets a process be called at an address until it dies. */
  listen(address: string, peer: Peer, routes: (router: ConnectRouter) => void): void;
  /** A transport from a process to an address. */
  transport(from: Peer, address: string, interceptors: Interceptor[]): Transport;
  /** Connections on which something was lost break, but for those to hosts that are away: the weather has cleared. */
  mend(): void;
}

type Listener = Peer & {
  readonly handlers: ReadonlyMap<string, UniversalHandler>;
  readonly open: Set<Connection>;
};

/** Makes a network without anybody on it. */
export function createNetwork(deps: NetworkDeps): Network {
  const { timeline, random, weather, watcher, note } = deps;
  const listeners = new Map<string, Listener>();
  const stalled = new Set<{ readonly host: string; readonly breakOff: (error: Error) => void }>();
  let carried = 0;

  const isUp = (host: string): boolean =>
    [...listeners.values()].some((listener) => listener.host === host && listener.process.isAlive);

  const call = async (
    from: Peer,
    address: string,
    request: UniversalClientRequest,
  ): Promise<UniversalClientResponse> => {
    const body = await collect(request.body);
    const { promise, resolve, reject } = Promise.withResolvers<UniversalClientResponse>();
    if (!from.process.effect("send")) return promise;
    const number = ++carried;
    const path = new URL(request.url).pathname;
    const method = path.slice(path.lastIndexOf("/") + 1);
    const listener = listeners.get(address);
    const host = listener?.host ?? address.replace("http://", "");
    watcher.onSend(from, host, path);
    let failReader = (_error: Error): void => undefined;
    const breakOff = (error: Error): void => {
      reject(error);
      failReader(error);
    };
    const stall = (): void => {
      const entry = { host, breakOff: (error: Error) => from.process.deliver(() => breakOff(error)) };
      stalled.add(entry);
      request.signal?.addEventListener("abort", () => stalled.delete(entry), { once: true });
    };
    const abandon = (): void =>
      breakOff(request.signal?.reason instanceof Error ? request.signal.reason : reset(address));
    request.signal?.addEventListener("abort", abandon, { once: true });

    const fate = weather.fate(from.host, host);
    if (fate.kind === "lost") {
      note(`${number} ${from.process.name} -> ${host} ${method} lost`);
      stall();
      return promise;
    }
    if (listener === undefined || !listener.process.isAlive) {
      timeline.after(fate.delayMs, () => from.process.deliver(() => reject(refused(address))));
      return promise;
    }
    const connection: Connection = {
      number,
      from,
      to: listener,
      path,
      breakOff,
      onBreak: (fail) => (failReader = fail),
      stall,
    };
    listener.open.add(connection);
    const arrive = (isCopy: boolean): void => {
      listener.process.deliver(() => {
        note(
          `${number} ${from.process.name} -> ${listener.process.name} ${method}${fate.kind === "cut" ? " cut" : ""}${isCopy ? " again" : ""}`,
        );
        watcher.onArrival(from.host, listener, path);
        const gone = new AbortController();
        const leave = (): void => {
          listener.open.delete(connection);
          timeline.after(random.whole(0, 3), () => listener.process.deliver(() => gone.abort()));
        };
        const bytes = fate.kind === "cut" ? body.subarray(0, Math.floor(body.length * fate.share)) : body;
        const handling = handle(listener, path, request, once(bytes, fate.kind === "cut"), gone.signal);
        if (isCopy) {
          // Answered to nobody; whatever becomes of it shows in its effects.
          handling.then(readFirst, () => undefined);
          return;
        }
        request.signal?.addEventListener("abort", leave, { once: true });
        const deliver = (response: UniversalClientResponse): void => {
          if (!isStreamed(response.header)) listener.open.delete(connection);
          resolve(response);
        };
        handling.then(
          (response) => answer(deps, connection, response, deliver, leave),
          (error: unknown) => answer(deps, connection, failed(error), deliver, leave),
        );
      });
    };
    timeline.after(fate.delayMs, () => arrive(false));
    // The same bytes once more, as after a retry below the RPC layer: nobody hears that answer.
    if (fate.kind === "arrives" && fate.again !== undefined)
      timeline.after(fate.delayMs + fate.again, () => arrive(true));
    return promise;
  };

  /** What the kernel of a host does for a process that has died: it resets its connections, unless the host went with it. */
  const bury = (listener: Listener): void => {
    for (const connection of listener.open) {
      const fate = weather.fate(listener.host, connection.from.host);
      if (fate.kind === "lost" || listener.process.diedSilently) connection.stall();
      else {
        const tell = (): void => connection.breakOff(reset(listener.host));
        timeline.after(fate.delayMs, () => connection.from.process.deliver(tell));
      }
    }
    listener.open.clear();
  };

  return {
    listen(address, peer, routes) {
      const router = createConnectRouter({ connect: true, grpc: false, grpcWeb: false });
      routes(router);
      const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
      const listener: Listener = { ...peer, handlers, open: new Set() };
      listeners.set(address, listener);
      peer.process.onDeath(() => bury(listener));
    },
    transport(from, address, interceptors) {
      return createTransport({
        httpClient: (request) => call(from, address, request),
        baseUrl: address,
        useBinaryFormat: true,
        interceptors,
        acceptCompression: [],
        sendCompression: null,
        compressMinBytes: Number.MAX_SAFE_INTEGER,
        readMaxBytes: 16 * 1024 * 1024,
        writeMaxBytes: 16 * 1024 * 1024,
      });
    },
    mend() {
      for (const entry of stalled) {
        // Nobody hears anything of a host that is gone for good.
        if (!isUp(entry.host)) continue;
        stalled.delete(entry);
        timeline.after(random.whole(0, 100), () => entry.breakOff(reset(entry.host)));
      }
    },
  };
}

async function handle(
  { handlers }: Listener,
  path: string,
  { method, url, header }: UniversalClientRequest,
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<UniversalServerResponse> {
  const handler = handlers.get(path);
  // As of an older program, which does not know the method.
  if (handler === undefined) return { status: 404 };
  return handler({ httpVersion: "2.0", method, url, header: new Headers(header), body, signal });
}

/** What a server makes of a handler that throws. */
function failed(error: unknown): UniversalServerResponse {
  return { status: 500, header: new Headers({ "x-error": String(error).slice(0, 200) }) };
}

function isStreamed(header: Headers): boolean {
  return header.get("content-type")?.startsWith("application/connect+") === true;
}

/** A stream that nobody reads is not read on. */
async function readFirst({ body }: UniversalServerResponse): Promise<void> {
  await body?.[Symbol.asyncIterator]().next();
}
