/**
 * The simulated network: carries RPCs between processes as bytes, through connect's own codecs and handlers, and does to them
 * what networks do.
 */
import type { ConnectRouter, Interceptor, Transport } from "@connectrpc/connect";
import { createConnectRouter } from "@connectrpc/connect";
import {
  createUniversalHandlerClient,
  type UniversalClientFn,
  type UniversalClientRequest,
  type UniversalClientResponse,
} from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import type { Random } from "./random.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Timeline } from "./timeline.ts";

/** What befalls one way of one message. */
export type Fate =
  | { readonly kind: "arrives"; readonly delayMs: number; readonly again?: number }
  /** It is never heard of again; whoever waits runs into a time limit. */
  | { readonly kind: "lost" }
  /** Only this share of its bytes comes, and then the connection breaks. */
  | { readonly kind: "cut"; readonly delayMs: number; readonly share: number };

/** Decides what befalls messages; the world's faults are here. */
export type Weather = (from: string, to: string) => Fate;

/** See the top of the file. */
export interface Network {
  /** Lets a process be called at an address until it dies. */
  listen(address: string, host: string, process: SimProcess, routes: (router: ConnectRouter) => void): void;
  /** A transport from a process to an address. */
  transport(from: { readonly host: string; readonly process: SimProcess }, address: string, interceptors: Interceptor[]): Transport;
  /** Messages carried so far, for the trace. */
  readonly carried: number;
}

type Listener = { readonly host: string; readonly process: SimProcess; readonly handle: UniversalClientFn };

/** Makes a network without anybody on it. */
export function createNetwork(timeline: Timeline, random: Random, weather: Weather, note: (line: string) => void): Network {
  const listeners = new Map<string, Listener>();
  let carried = 0;

  const call = async (from: { host: string; process: SimProcess }, address: string, request: UniversalClientRequest): Promise<UniversalClientResponse> => {
    const body = await collect(request.body);
    const path = new URL(request.url).pathname;
    const number = ++carried;
    return new Promise((resolve, reject) => {
      const toCaller = (delayMs: number, action: () => void): void => void timeline.after(delayMs, () => from.process.deliver(action));
      const abort = (): void => reject(request.signal?.reason);
      request.signal?.addEventListener("abort", abort, { once: true });
      const listener = listeners.get(address);
      const host = listener?.host ?? address;
      const fate = weather(from.host, host);
      if (fate.kind === "lost") return note(`${number} ${from.process.name} -> ${host} ${path} lost`);
      if (listener === undefined || !listener.process.isAlive) {
        return toCaller(fate.delayMs, () => reject(refused(address)));
      }
      const arrive = (deaf: boolean): void => {
        timeline.after(fate.delayMs, () => {
          if (!listener.process.isAlive) return deaf ? undefined : toCaller(1, () => reject(reset(address)));
          listener.process.deliver(() => {
            const bytes = fate.kind === "cut" ? body.slice(0, Math.floor(body.length * fate.share)) : body;
            note(`${number} ${from.process.name} -> ${listener.process.name} ${path} ${fate.kind}`);
            const gone = new AbortController();
            if (!deaf) request.signal?.addEventListener("abort", () => toCallee(listener, () => gone.abort()), { once: true });
            listener
              .handle({ ...request, header: new Headers(request.header), body: once(bytes, fate.kind === "cut"), signal: gone.signal })
              .then(
                (response) => {
                  if (!deaf) answer(from, listener, { request, response, gone, resolve, number });
                },
                (error: unknown) => {
                  if (!deaf) respond(from, listener, () => reject(error));
                },
              );
          });
        });
      };
      arrive(false);
      // The same bytes once more, as after a retry below the RPC layer: nobody hears that answer.
      if (fate.kind === "arrives" && fate.again !== undefined) timeline.after(fate.again, () => arrive(true));
    });
  };

  const toCallee = (listener: Listener, action: () => void): void => {
    timeline.after(random.whole(0, 3), () => listener.process.deliver(action));
  };

  /** Sends one thing back, unless it is lost on the way. */
  const respond = (from: { host: string; process: SimProcess }, listener: Listener, action: () => void): boolean => {
    if (!listener.process.isAlive) return false;
    const fate = weather(listener.host, from.host);
    if (fate.kind === "lost") return false;
    timeline.after(fate.delayMs, () => from.process.deliver(action));
    return true;
  };

  type Answer = {
    readonly request: UniversalClientRequest;
    readonly response: UniversalClientResponse;
    readonly gone: AbortController;
    readonly resolve: (response: UniversalClientResponse) => void;
    readonly number: number;
  };

  /** The response as a stream whose pieces travel one after the other; a lost piece leaves it half open. */
  const answer = (from: { host: string; process: SimProcess }, listener: Listener, { request, response, gone, resolve, number }: Answer): void => {
    const pieces: (Uint8Array | "end" | Error)[] = [];
    let wake: (() => void) | undefined;
    let isHalfOpen = false;
    let lastAtMs = timeline.nowMs;
    const send = (piece: Uint8Array | "end" | Error): void => {
      if (isHalfOpen || !listener.process.isAlive) return;
      const fate = weather(listener.host, from.host);
      if (fate.kind === "lost") {
        isHalfOpen = true;
        note(`${number} answer of ${listener.process.name} lost`);
        return;
      }
      // In order within a stream, as TCP has it.
      lastAtMs = Math.max(lastAtMs, timeline.nowMs + fate.delayMs);
      const cut = fate.kind === "cut" && piece instanceof Uint8Array;
      const arriving = cut ? [piece.subarray(0, Math.floor(piece.length * fate.share)), reset(listener.host)] : [piece];
      if (cut) isHalfOpen = true;
      timeline.after(lastAtMs - timeline.nowMs, () =>
        from.process.deliver(() => {
          pieces.push(...arriving);
          wake?.();
        }),
      );
    };
    const pump = async (): Promise<void> => {
      try {
        for await (const piece of response.body) send(new Uint8Array(piece));
        send("end");
      } catch (error) {
        send(error instanceof Error ? error : new Error(String(error)));
      }
    };
    request.signal?.addEventListener("abort", () => {
      pieces.push(request.signal?.reason instanceof Error ? request.signal.reason : reset(listener.host));
      wake?.();
    });
    const body = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          const piece = pieces.shift();
          if (piece === "end") return;
          if (piece instanceof Error) throw piece;
          if (piece !== undefined) yield piece;
          else await new Promise<void>((resume) => (wake = resume));
        }
      } finally {
        toCallee(listener, () => gone.abort());
      }
    };
    const head = { status: response.status, header: new Headers(response.header), trailer: new Headers(response.trailer) };
    if (!respond(from, listener, () => resolve({ ...head, body: body() }))) return;
    void pump();
  };

  return {
    get carried() {
      return carried;
    },
    listen(address, host, process, routes) {
      const router = createConnectRouter({ connect: true, grpc: false, grpcWeb: false });
      routes(router);
      listeners.set(address, { host, process, handle: createUniversalHandlerClient(router.handlers) });
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
  };
}

function refused(address: string): Error {
  return Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: "ECONNREFUSED" });
}

function reset(address: string): Error {
  return Object.assign(new Error(`read ECONNRESET ${address}`), { code: "ECONNRESET" });
}

async function collect(body: AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) pieces.push(new Uint8Array(piece));
  return new Uint8Array(Buffer.concat(pieces));
}

async function* once(bytes: Uint8Array, breaksOff: boolean): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
  if (breaksOff) throw reset("peer");
}
