/** One request at the ingress, from its head to the last byte of the response. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { fault, Reason, reasonName, type Fault } from "../fault.ts";
import { httpStatusFromReason, REASON_HEADER } from "../http/http-status.ts";
import { REQUEST_ID_HEADER } from "../rpc/request-id.ts";
import type { CallerSignal, Guest, GuestResponse } from "../runtime/runtime.ts";
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
  const gone = new ClientGone();
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
      gone,
    );
    const context = { id: instance.id, requestId: exchange.requestId, isHead: request.method === "HEAD", gone };
    if (answer.whole === undefined) await writeAnswer(response, answer, context);
    else await writeWhole(response, answer, answer.whole, context);
  } finally {
    response.off("close", onClose);
  }
}

/** Answers a refusal as one plain sentence, or cuts the connection if an answer is under way already. */
export function refuse(response: ServerResponse, refusal: Fault, requestId: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const reason = reasonName(refusal.reason);
  response.writeHead(httpStatusFromReason(refusal.reason), {
    "content-type": "text/plain; charset=utf-8",
    [REASON_HEADER]: reason,
    [REQUEST_ID_HEADER]: requestId,
  });
  response.end(`${reason}: ${refusal.message}\n`);
}

function addedHeaders(exchange: IngressExchange): readonly (readonly [string, string])[] {
  const { requestId, view } = exchange;
  const id: readonly [string, string] = [REQUEST_ID_HEADER, requestId];
  return view.prefix === undefined ? [id] : [id, ["x-forwarded-prefix", view.prefix]];
}

/** What an answer is written with, beside itself. */
type AnswerContext = {
  /** Of the instance. */
  readonly id: string;
  readonly requestId: string;
  readonly isHead: boolean;
  readonly gone: ClientGone;
};

/** An answer that is there already: one write, with its length in the head. */
async function writeWhole(
  response: ServerResponse,
  answer: GuestResponse,
  whole: Uint8Array,
  context: AnswerContext,
): Promise<void> {
  const trailers = await answer.trailers;
  const headers = headFields(answer, context);
  if (isBodiless(answer, context)) {
    writeHead(response, answer, headers, context.id);
    response.end();
    return;
  }
  const hasLength = answer.headers.some(([name]) => name.toLowerCase() === "content-length");
  if (trailers === undefined && !hasLength) headers.push("content-length", String(whole.length));
  writeHead(response, answer, headers, context.id);
  try {
    if (trailers !== undefined && response.chunkedEncoding) addTrailers(response, trailers);
    // As text it goes out in one piece with the head.
    if (whole.length <= AS_TEXT_MAX_BYTES) response.end(latin1Text(whole), "latin1");
    else response.end(whole);
  } catch {
    // Lost: what was wrong with it. The client is told by the connection that its answer is not whole.
    response.destroy();
  }
}

/** Beyond this the copy costs more than a second piece. */
const AS_TEXT_MAX_BYTES = 4 * 1024;

function latin1Text({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}

async function writeAnswer(response: ServerResponse, answer: GuestResponse, context: AnswerContext): Promise<void> {
  const body = answer.body[Symbol.asyncIterator]();
  try {
    writeHead(response, answer, headFields(answer, context), context.id);
    // Out at the end of this turn of the event loop: what the guest sends along with the head goes in the same packet.
    response.cork();
    response.flushHeaders();
    setImmediate(() => {
      if (!response.writableEnded) response.uncork();
    });
    const isEmpty = isBodiless(answer, context);
    if (!isEmpty && (await pump(body, response, context.gone)) && response.chunkedEncoding) {
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

function isBodiless({ status }: GuestResponse, { isHead }: AnswerContext): boolean {
  return isHead || status === 204 || status === 304;
}

/** Names and values in turns. The guest's own request id stays, if it sets one. */
function headFields(answer: GuestResponse, { requestId }: AnswerContext): string[] {
  const fields: string[] = [];
  let hasId = false;
  for (const [name, value] of responseHeaders(answer.headers)) {
    fields.push(name, value);
    hasId ||= name.length === REQUEST_ID_HEADER.length && name.toLowerCase() === REQUEST_ID_HEADER;
  }
  if (!hasId) fields.push(REQUEST_ID_HEADER, requestId);
  return fields;
}

function writeHead(response: ServerResponse, answer: GuestResponse, headers: string[], id: string): void {
  const refused = (what: string, cause?: unknown): Error =>
    fault(Reason.GUEST_TRAPPED, `Cannot pass on the response of instance "${id}": ${what}`, { subject: id, cause });
  if (answer.status < 200 || answer.status > 599)
    throw refused(`status ${answer.status} is not one of a final response`);
  // A guest that announces fewer bytes than it sends must not be able to write the next response on this connection.
  response.strictContentLength = true;
  try {
    response.writeHead(answer.status, headers);
  } catch (error) {
    throw refused("a header is not valid in HTTP", error);
  }
}

/** Whether all of the body went out; not if the client is gone. */
async function pump(body: AsyncIterator<Uint8Array>, response: ServerResponse, gone: ClientGone): Promise<boolean> {
  for (let next = await body.next(); next.done !== true; next = await body.next()) {
    if (gone.aborted) return false;
    if (!response.write(next.value)) await writable(response);
  }
  return !gone.aborted;
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

/** Says when the client is gone. An `AbortController` costs more than all else that is made for a request. */
class ClientGone implements CallerSignal {
  aborted = false;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of this.#listeners) listener();
  }
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
