/** Carries requests and responses between Node's HTTP servers and `fetch`-style handlers. */
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { Readable, Writable } from "node:stream";
import { REASON_HEADER } from "../../http/http-status.ts";

/** A request of either HTTP version. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
/** The response to it: what those of both versions have in common. */
export interface NodeResponse extends Writable {
  writeHead(status: number, headers?: OutgoingHttpHeaders): unknown;
}

/** The host that the client addressed, with its port. */
export function hostOf(request: NodeRequest): string {
  const authority = request.headers[":authority"];
  return (typeof authority === "string" ? authority : request.headers.host) ?? "localhost";
}

/** The path and query of a request line; a proxy's absolute form is cut down to it. */
export function pathOf(request: NodeRequest): string {
  const url = request.url ?? "/";
  if (url.startsWith("/")) return url;
  const absolute = URL.parse(url);
  return absolute ? absolute.pathname + absolute.search : "/";
}

/** Answers a request by `handler`, streaming both ways. A client that goes away aborts the request's signal. */
export async function answerByFetch(
  handler: (request: Request) => Promise<Response>,
  from: NodeRequest,
  to: NodeResponse,
): Promise<void> {
  const gone = new AbortController();
  to.once("close", () => gone.abort());
  const request = requestFromNode(from, gone.signal);
  if (typeof request === "string") {
    to.writeHead(400, { "content-type": "text/plain; charset=utf-8", [REASON_HEADER]: "INVALID_REQUEST" });
    to.end(`INVALID_REQUEST: Cannot read request: ${request}\n`);
    return;
  }
  const response = await handler(request);
  await sendResponse(response, from, to);
}

/** The request; or, in words, why there can be none. */
function requestFromNode(from: NodeRequest, signal: AbortSignal): Request | string {
  const url = URL.parse(`http://${hostOf(from)}${pathOf(from)}`);
  const method = from.method ?? "GET";
  if (!url) return "its host or path is malformed";
  if (UNFIT_METHODS.has(method)) return `method ${method} is not served`;
  const headers = new Headers();
  for (const [name, value] of Object.entries(from.headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const each of Array.isArray(value) ? value : [value]) headers.append(name, each);
  }
  const hasBody = method !== "GET" && method !== "HEAD" && announcesBody(from);
  return new Request(url, {
    method,
    headers,
    signal,
    ...(hasBody ? { body: streamFromNode(from), duplex: "half" } : {}),
  });
}

function announcesBody(from: NodeRequest): boolean {
  const length = from.headers["content-length"];
  if (length !== undefined) return length !== "0";
  return "stream" in from ? !from.stream.endAfterHeaders : from.headers["transfer-encoding"] !== undefined;
}

/** What no `Request` can carry; guests may have methods of their own, such as those of WebDAV. */
const UNFIT_METHODS: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

/** Reads only as fast as it is read. Giving it up leaves the connection alone: the response is still to be sent on it. */
function streamFromNode(from: Readable): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      let open = true;
      const finish = (end: () => void): void => {
        if (open) end();
        open = false;
      };
      from.on("data", (chunk: Buffer) => {
        if (!open) return;
        controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
        if ((controller.desiredSize ?? 0) <= 0) from.pause();
      });
      from.once("end", () => finish(() => controller.close()));
      from.once("error", (error) => finish(() => controller.error(error)));
      from.once("close", () => finish(() => controller.error(new Error("client went away"))));
      from.pause();
    },
    pull: () => void from.resume(),
    cancel: () => void from.pause(),
  });
}

async function sendResponse(response: Response, from: NodeRequest, to: NodeResponse): Promise<void> {
  const headers: Record<string, string | string[]> = Object.fromEntries(response.headers);
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  to.writeHead(response.status, headers);
  const reader = response.body?.getReader();
  if (!reader || from.method === "HEAD") {
    await reader?.cancel();
    to.end();
    return;
  }
  // A reader that waits for the next chunk of an idle stream must learn at once that nobody wants it.
  to.once("close", () => void reader.cancel().catch(() => undefined));
  if ("flushHeaders" in to && typeof to.flushHeaders === "function") to.flushHeaders();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (!to.write(next.value)) await drained(to);
    }
    to.end();
  } catch {
    // The source broke off in the midst of the body: what is lost is the rest of it, and only a cut connection can say so.
    to.destroy();
  }
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stream.off("drain", finish);
      stream.off("close", finish);
      resolve();
    };
    stream.on("drain", finish);
    stream.on("close", finish);
    if (stream.destroyed) finish();
  });
}
