/** Real servers on the loopback, and requests to them. */
import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { Fault, Reason, reasonName } from "../../../src/fault.ts";
import type {
  HttpCaller,
  HttpHeaders,
  HttpProvider,
  HttpRequest,
  HttpResponse,
} from "../../../src/providers/http/http.ts";
import { outgoingHttpErrorFrom } from "../../../src/providers/http/http-failure.ts";
import {
  createHttpProvider,
  type HttpProviderDeps,
  type HttpProviderOptions,
} from "../../../src/providers/http/http-provider.ts";

/** An authority and a server certificate for `secure.test`, `*.wild.test` and 127.0.0.1, made for these tests alone. */
const file = (name: string): string => readFileSync(join(import.meta.dirname, "certificates", name), "utf8");
export const TEST_CA: string = file("ca.pem");

/** A server that has counted its connections. */
export type TestServer = { readonly port: number; readonly sockets: readonly Socket[]; connections(): number };

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** An HTTP server on 127.0.0.1. */
export async function serve(listener: RequestListener): Promise<TestServer> {
  return listening(createServer({ keepAliveTimeout: 60_000 }, listener));
}

/** The same with TLS. */
export async function serveTls(listener: RequestListener): Promise<TestServer> {
  return listening(createTlsServer({ cert: file("server.pem"), key: file("server.key.pem") }, listener));
}

/** A server that speaks whatever `onSocket` writes. */
export async function serveRaw(onSocket: (socket: Socket) => void): Promise<TestServer> {
  return listening(
    createTcpServer((socket) => {
      onSocket(socket);
      // Only who reads notices that the other side has gone.
      if (!socket.isPaused()) socket.resume();
    }),
  );
}

async function listening(server: Server | TcpServer): Promise<TestServer> {
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return { port: (server.address() as AddressInfo).port, sockets, connections: () => sockets.length };
}

/** A provider that is closed after the test; names resolve to 127.0.0.1 unless `deps` say otherwise. */
export function openProvider(options: HttpProviderOptions = {}, deps: HttpProviderDeps = {}): HttpProvider {
  const provider = createHttpProvider(options, { lookup: async () => ["127.0.0.1"], ...deps });
  closers.push(() => provider.close(0));
  return provider;
}

/** May go anywhere, also to 127.0.0.1. */
export const ANYWHERE: HttpCaller = caller(["http:request", "http:domain:127.0.0.1", "http:domain:[::1]"]);

/** A caller with these permissions. */
export function caller(
  permissions: readonly string[],
  deniedPermissions: readonly string[] = [],
  instanceId: string = "a1",
): HttpCaller {
  return { instanceId, permissions, deniedPermissions };
}

/** A GET of `/`, with `over` in place of the rest. */
export function request(authority: string, over: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: "GET",
    scheme: "http",
    authority,
    pathWithQuery: "/",
    headers: [],
    body: undefined,
    connectTimeoutMs: undefined,
    firstByteTimeoutMs: undefined,
    betweenBytesTimeoutMs: undefined,
    ...over,
  };
}

/** Sends and never gives up. */
export function send(provider: HttpProvider, what: HttpRequest, by: HttpCaller = ANYWHERE): Promise<HttpResponse> {
  return provider.send(what, by, new AbortController().signal);
}

/** The whole body as text. */
export async function textOf(response: HttpResponse): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of response.body) parts.push(part);
  return Buffer.concat(parts).toString("latin1");
}

/** The first value of a header. */
export function header(headers: HttpHeaders, wanted: string): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** Text in parts, as a body. */
export async function* parts(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** What went wrong, as `REASON code`; the message is checked to be a sentence that names the action. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => expect.fail("it did not fail"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Fault)) throw error;
  expect(error.message).toMatch(/^Cannot send request to .+: [^.]/);
  expect(error.reason).not.toBe(Reason.INTERNAL);
  return `${reasonName(error.reason)} ${outgoingHttpErrorFrom(error).code}`;
}
