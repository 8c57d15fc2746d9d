/** One HTTP request into a guest: its body flows in as the guest reads, the response flows out as the caller reads. */
import { fault, Reason, type Fault } from "../fault.ts";
import { createBytePipe } from "./byte-pipe.ts";
import type { GuestCall, SendToGuest } from "./guest-call.ts";
import { createRequestBody } from "./request-body.ts";
import type { GuestLimits, GuestRequest, GuestResponse } from "./runtime.ts";
import { RESPONSE_WINDOW_BYTES, windowCost } from "./worker-protocol.ts";

/** The call, and the promise of its response. */
export type FetchCall = { readonly call: GuestCall; readonly response: Promise<GuestResponse> };

/** What `createFetchCall` needs. */
export type FetchCallOptions = {
  /** The instance id, for messages. */
  readonly id: string;
  readonly limits: Pick<GuestLimits, "requestBodyMaxBytes" | "responseBodyMaxBytes">;
  readonly send: SendToGuest;
};

/** A guest that has filled its window has this much of it back before it would have to ask. */
const TELL_TAKEN_BYTES = RESPONSE_WINDOW_BYTES / 4;

/** Makes a call. The request's body is not touched before the guest asks for it. */
export function createFetchCall(request: GuestRequest, { id, limits, send }: FetchCallOptions): FetchCall {
  const response = Promise.withResolvers<GuestResponse>();
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
    id,
    source: request.body,
    maxBytes: limits.requestBodyMaxBytes,
    onAnswer: send,
    onFault: (why) => abandon(why),
  });

  /** The guest is told when it waits, or may soon: most responses are over before. */
  function tellTaken(): void {
    isReaderAwaited = false;
    if (!isHandled) send({ kind: "responseTaken", bytes: taken });
    taken = 0;
  }

  function abandon(why: Fault): void {
    if (isAbandoned) return;
    isAbandoned = true;
    response.reject(why);
    pipe.fail(why);
    if (isHandled) return;
    // What was not read counts as taken, or a guest that waits for room would wait for good.
    taken += pipe.clear().reduce((sum, bytes) => sum + windowCost(bytes), 0);
    tellTaken();
    body.stop(why.message);
  }

  function acceptBody(bytes: Uint8Array): void {
    responseBytes += bytes.length;
    if (isAbandoned) return send({ kind: "responseTaken", bytes: windowCost(bytes.length) });
    if (responseBytes <= limits.responseBodyMaxBytes) return pipe.write(bytes);
    const why = `Cannot finish call of instance "${id}": the response body exceeds ${limits.responseBodyMaxBytes} bytes (responseBodyMaxBytes)`;
    abandon(fault(Reason.BODY_TOO_LARGE, why, { subject: "responseBodyMaxBytes" }));
    send({ kind: "responseClosed", message: "the response body is too large" });
  }

  function finish(isComplete: boolean): void {
    isHandled = true;
    body.stop("the handler has returned");
    if (isComplete) return pipe.end();
    pipe.fail(
      fault(
        Reason.GUEST_TRAPPED,
        `Cannot finish call of instance "${id}": the guest dropped its response before the end`,
        { subject: id },
      ),
    );
  }

  const { method, scheme, authority, pathWithQuery, headers } = request;
  const call: GuestCall = {
    opening: {
      kind: "request",
      method,
      scheme,
      authority,
      pathWithQuery,
      headers,
      hasBody: request.body !== undefined,
    },
    get isHeldByCaller() {
      return isAbandoned || isReaderAwaited || body.isAwaited;
    },
    accept(message) {
      switch (message.kind) {
        case "readBody":
          body.read();
          return false;
        case "head":
          response.resolve({ status: message.status, headers: message.headers, body: pipe.readable });
          return false;
        case "noResponse":
          response.resolve(errorResponse(message.message));
          return false;
        case "body":
          acceptBody(message.bytes);
          return false;
        case "awaitReader":
          isReaderAwaited = !isAbandoned;
          if (taken > 0) tellTaken();
          return false;
        case "handled":
          finish(message.isComplete);
          return true;
        case "returned":
          return false;
      }
    },
    abandon,
    letGo() {
      body.stop("the caller is too slow");
      send({ kind: "responseClosed", message: "the caller is too slow" });
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
  };
}
