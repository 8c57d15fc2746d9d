/** One HTTP request into a guest: its body flows in as the guest reads, the response flows out as the caller reads. */
import { fault, Reason, type Fault } from "../../fault.ts";
import type { HttpHeaders } from "../../providers/http/http.ts";
import { createBytePipe } from "../byte-pipe.ts";
import type { GuestLimits, GuestRequest, GuestResponse } from "../runtime.ts";
import type { CallLink, GuestCall } from "./guest-call.ts";
import { BODY_WINDOW_BYTES, windowCost, type ResponsePart } from "./protocol.ts";
import { createRequestBody } from "./request-body.ts";

/** The call, and the promise of its response. */
export type FetchCall = { readonly call: GuestCall; readonly response: Promise<GuestResponse> };

/** What `createFetchCall` needs. */
export type FetchCallOptions = {
  /** The instance id, for messages. */
  readonly id: string;
  readonly limits: Pick<GuestLimits, "requestBodyMaxBytes" | "responseBodyMaxBytes">;
};

/** A guest that has filled its window has this much of it back before it would have to ask. */
const TELL_TAKEN_BYTES = BODY_WINDOW_BYTES / 4;

/** Makes a call. The request's body is not touched before the guest asks for it. */
export function createFetchCall(request: GuestRequest, { id, limits }: FetchCallOptions): FetchCall {
  const response = Promise.withResolvers<GuestResponse>();
  const trailers = Promise.withResolvers<HttpHeaders | undefined>();
  // Lost here: nothing, the body's reader gets the same failure.
  trailers.promise.catch(() => undefined);
  let link: CallLink | undefined;
  let isAbandoned = false;
  let isReaderAwaited = false;
  let isHandled = false;
  let responseBytes = 0;
  /** What was taken of the response and the guest was not told of, as `windowCost` counts. */
  let taken = 0;

  const pipe = createBytePipe({
    onTaken(bytes) {
      taken += windowCost(bytes);
      if (isReaderAwaited || taken >= TELL_TAKEN_BYTES) tellTaken();
    },
    onReturn: () =>
      abandon(
        fault(Reason.CANCELED, `Cannot finish call of instance "${id}": nobody reads its response`, { subject: id }),
      ),
  });
  const body = createRequestBody({
    what: `call instance "${id}"`,
    subject: id,
    source: request.body,
    trailers: request.trailers,
    maxBytes: limits.requestBodyMaxBytes,
    onAnswer: (given) => send((ticket) => ({ kind: "body", ticket, given })),
    onFault: (why) => abandon(why),
  });

  function send(message: (ticket: number) => Parameters<CallLink["send"]>[0]): void {
    if (link !== undefined && !isHandled) link.send(message(link.ticket));
  }

  /** The guest is told when it waits, or may soon: most responses are over before. */
  function tellTaken(): void {
    isReaderAwaited = false;
    const bytes = taken;
    taken = 0;
    send((ticket) => ({ kind: "responseTaken", ticket, bytes }));
  }

  function abandon(why: Fault): void {
    if (isAbandoned) return;
    isAbandoned = true;
    fail(why);
    if (isHandled) return;
    // What was not read counts as taken, or a guest that waits for room would wait for good.
    taken += pipe.clear().reduce((sum, bytes) => sum + windowCost(bytes), 0);
    if (taken > 0) tellTaken();
    link?.callerGone();
  }

  function fail(why: Fault): void {
    response.reject(why);
    trailers.reject(why);
    pipe.fail(why);
    body.stop(why.message);
  }

  function acceptPart({ head, error, pieces, end }: ResponsePart): void {
    if (head !== undefined) response.resolve({ ...head, body: pipe.readable, trailers: trailers.promise });
    if (error !== undefined) response.resolve(errorResponse(error));
    for (const piece of pieces) acceptBody(piece);
    if (end === undefined) return;
    if (end.failure === undefined) {
      trailers.resolve(end.trailers);
      return pipe.end();
    }
    fail(fault(Reason.GUEST_TRAPPED, `Cannot finish call of instance "${id}": ${end.failure}`, { subject: id }));
  }

  function acceptBody(bytes: Uint8Array): void {
    responseBytes += bytes.length;
    if (isAbandoned) {
      taken += windowCost(bytes.length);
      return tellTaken();
    }
    if (responseBytes <= limits.responseBodyMaxBytes) return pipe.write(bytes);
    const why = `Cannot finish call of instance "${id}": the response body exceeds ${limits.responseBodyMaxBytes} bytes (responseBodyMaxBytes)`;
    abandon(fault(Reason.BODY_TOO_LARGE, why, { subject: "responseBodyMaxBytes" }));
    send((ticket) => ({ kind: "responseClosed", ticket, message: "the response body is too large" }));
  }

  const { method, scheme, authority, pathWithQuery, headers } = request;
  const call: GuestCall = {
    order: { kind: "request", method, scheme, authority, pathWithQuery, headers, hasBody: request.body !== undefined },
    begin(begun) {
      link = begun;
    },
    get isHeldByCaller() {
      return isReaderAwaited || body.isAwaited;
    },
    accept(message) {
      switch (message.kind) {
        case "readBody":
          return body.read();
        case "response":
          return acceptPart(message);
        case "awaitReader":
          isReaderAwaited = !isAbandoned;
          if (taken > 0) tellTaken();
      }
    },
    finish() {
      isHandled = true;
      body.stop("the handler has returned");
    },
    abandon,
    fail,
    letGo() {
      body.stop("the caller is too slow");
      send((ticket) => ({ kind: "responseClosed", ticket, message: "the caller is too slow" }));
    },
  };
  return { call, response: response.promise };
}

/** What the caller gets when the guest answered with an error code of `wasi:http`, or not at all. */
function errorResponse(message: string): GuestResponse {
  const text = new TextEncoder().encode(`The handler gave no response: ${message}\n`);
  return {
    status: 500,
    headers: [["content-type", "text/plain; charset=utf-8"]],
    body: (async function* () {
      yield text;
    })(),
    trailers: Promise.resolve(undefined),
  };
}
