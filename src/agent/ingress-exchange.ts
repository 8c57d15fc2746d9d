/** One request at the ingress, from its head to the last byte of the response. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { fault, Reason, reasonName, type Fault } from "../fault.ts";
import { httpStatusFromReason, REASON_HEADER } from "../http/http-status.ts";
import { REQUEST_ID_HEADER } from "../rpc/request-id.ts";
import type { Guest, GuestResponse } from "../runtime/runtime.ts";
import type { HttpHeaders } from "../providers/http/http.ts";
import { forwardedHeaders, responseHeaders, trailerFields } from "./ingress-route.ts";

/** One running HTTP instance. */
export type IngressInstance = { readonly id: string; readonly guest: Guest; readonly requestBodyMaxBytes: number };

/** A routed request. */
export type IngressExchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What the guest sees as path and query. */
  readonly pathWithQuery: string;
  /** How the client saw the instance. */
  readonly view: { readonly authority: string; readonly prefix: string | undefined };
  readonly instance: IngressInstance;
  readonly requestId: string;
};

/**
 * Passes the request to the guest and its response to the client, each at the pace of its reader. Throws a `Fault` while
 * nothing was answered yet; once the head is out, a failure cuts the connection, so that nobody takes half a body for a whole one.
 */
export async function passOn(exchange: IngressExchange): Promise<void> {
  const { request, response, instance } = exchange;
  const declaredBytes = Number(request.headers["content-length"] ?? 0);
  if (declaredBytes > instance.requestBodyMaxBytes) {
    const limit = `its limit is ${instance.requestBodyMaxBytes} bytes (got ${declaredBytes})`;
    throw fault(Reason.BODY_TOO_LARGE, `Cannot pass request to instance "${instance.id}": ${limit}`, {
      subject: instance.id,
    });
  }
  const gone = new AbortController();
  const onClose = (): void => {
    if (!response.writableFinished) gone.abort();
  };
  response.once("close", onClose);
  try {
    const hasBody = declaredBytes > 0 || request.headers["transfer-encoding"] !== undefined;
    const answer = await instance.guest.fetch(
      {
        method: request.method ?? "GET",
        scheme: "http",
        authority: exchange.view.authority,
        pathWithQuery: exchange.pathWithQuery,
        headers: forwardedHeaders(request.rawHeaders, addedHeaders(exchange)),
        // Returning the iterator must not destroy the socket that the response goes out on.
        body: hasBody ? request.iterator({ destroyOnReturn: false }) : undefined,
        ...(hasBody ? { trailers: () => trailersFrom(request.rawTrailers) } : {}),
      },
      gone.signal,
    );
    await writeAnswer(response, answer, { id: instance.id, isHead: request.method === "HEAD", signal: gone.signal });
  } finally {
    response.off("close", onClose);
  }
}

/** Answers a refusal as one plain sentence, or cuts the connection if an answer is under way already. */
export function refuse(response: ServerResponse, refusal: Fault): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const reason = reasonName(refusal.reason);
  response.writeHead(httpStatusFromReason(refusal.reason), {
    "content-type": "text/plain; charset=utf-8",
    [REASON_HEADER]: reason,
  });
  response.end(`${reason}: ${refusal.message}\n`);
}

function addedHeaders(exchange: IngressExchange): readonly (readonly [string, string])[] {
  const { requestId, view } = exchange;
  const id: readonly [string, string] = [REQUEST_ID_HEADER, requestId];
  return view.prefix === undefined ? [id] : [id, ["x-forwarded-prefix", view.prefix]];
}

async function writeAnswer(
  response: ServerResponse,
  answer: GuestResponse,
  context: { readonly id: string; readonly isHead: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const body = answer.body[Symbol.asyncIterator]();
  try {
    writeHead(response, answer, context.id);
    const isEmpty = context.isHead || answer.status === 204 || answer.status === 304;
    if (!isEmpty && (await pump(body, response, context.signal)) && response.chunkedEncoding) {
      addTrailers(response, await answer.trailers);
    }
    response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    response.destroy();
  } finally {
    // Lets the guest go on at once if its body was not wanted to the end.
    await body.return?.();
  }
}

function writeHead(response: ServerResponse, answer: GuestResponse, id: string): void {
  const refused = (what: string, cause?: unknown): Error =>
    fault(Reason.GUEST_TRAPPED, `Cannot pass on the response of instance "${id}": ${what}`, { subject: id, cause });
  if (answer.status < 200 || answer.status > 599)
    throw refused(`status ${answer.status} is not one of a final response`);
  // A guest that announces fewer bytes than it sends must not be able to write the next response on this connection.
  response.strictContentLength = true;
  try {
    response.writeHead(answer.status, responseHeaders(answer.headers).flat());
  } catch (error) {
    throw refused("a header is not valid in HTTP", error);
  }
  // Out at the end of this turn of the event loop: what the guest sends along with the head goes in the same packet.
  response.cork();
  response.flushHeaders();
  setImmediate(() => {
    if (!response.writableEnded) response.uncork();
  });
}

/** Whether all of the body went out; not if the client is gone. */
async function pump(body: AsyncIterator<Uint8Array>, response: ServerResponse, signal: AbortSignal): Promise<boolean> {
  for (let next = await body.next(); next.done !== true; next = await body.next()) {
    if (signal.aborted) return false;
    if (!response.write(next.value)) await writable(response);
  }
  return !signal.aborted;
}

/** Trailers go out only where the body is chunked. A name or value that HTTP does not have throws, and cuts the connection. */
function addTrailers(response: ServerResponse, trailers: HttpHeaders | undefined): void {
  if (trailers === undefined) return;
  const passedOn = trailerFields(trailers);
  if (passedOn.length > 0) response.addTrailers(passedOn);
}

function trailersFrom(rawTrailers: readonly string[]): HttpHeaders | undefined {
  const trailers: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < rawTrailers.length; index += 2) {
    trailers.push([(rawTrailers[index] ?? "").toLowerCase(), rawTrailers[index + 1] ?? ""]);
  }
  const passedOn = trailerFields(trailers);
  return passedOn.length === 0 ? undefined : passedOn;
}

/** Resolves when the client has taken enough, or is gone. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    response.on("drain", settle);
    response.on("close", settle);
    if (response.destroyed) settle();
  });
}
