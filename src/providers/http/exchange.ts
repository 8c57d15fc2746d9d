/** One request and its response on one connection, with the time limits and the size of the body. */
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Clock } from "../../clock.ts";
import { isFault, Reason } from "../../fault.ts";
import type { Connection } from "./connection.ts";
import type { HttpHeaders, HttpRequest, HttpResponse } from "./http.ts";
import { exchangeFailure, faultFromHttpFailure, type HttpFailure } from "./http-failure.ts";
import type { HttpLimits } from "./http-limits.ts";
import { withoutConnectionHeaders, type OutgoingHead } from "./outgoing-head.ts";
import { meteredBody } from "./request-body.ts";
import { createResponseBody } from "./response-body.ts";

/** What an exchange is started with. */
export type ExchangePlan = {
  readonly connection: Connection;
  readonly head: OutgoingHead;
  readonly request: HttpRequest;
  readonly limits: HttpLimits;
  readonly clock: Clock;
  /** Its reason, a `Fault`, ends the exchange. */
  readonly signal: AbortSignal;
};

/** See the top of the file. */
export type Exchange = {
  /** Rejects with a `Fault` if there is no response. */
  readonly response: Promise<HttpResponse>;
  /** Resolves when the connection is free for another request, or closed. Never rejects. */
  readonly free: Promise<void>;
  /** Resolves when nothing of the response waits for its reader any more. Never rejects. */
  readonly ended: Promise<void>;
  /** Whether the peer closed the connection before it could have seen the request: it may be sent again on another one. */
  readonly isStale: () => boolean;
};

/** Sends the request. The connection must be free; if anything goes wrong it is closed. */
export function startExchange(plan: ExchangePlan): Exchange {
  const { connection, head, request, limits, clock, signal } = plan;
  const response = Promise.withResolvers<HttpResponse>();
  const free = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const bodyAbort = new AbortController();
  const isReused = connection.requests > 0;
  let controller: Dispatcher.DispatchController | undefined;
  let stopWatch: () => void = () => undefined;
  let isOver = false;
  let hasHead = false;
  let hasBegun = false;
  let isBodySent = request.body === undefined;
  let isBroken = false;
  let sourceFailure: HttpFailure | undefined;
  let received = 0;
  let trailers: HttpHeaders | undefined;

  const faultFrom = (failure: HttpFailure): Error => faultFromHttpFailure(request.authority, failure);
  const timeout = (code: string, problem: string): Error =>
    faultFrom({ reason: Reason.PROVIDER_UNAVAILABLE, code, problem });

  /** Ends the exchange if the peer lets `ms` pass. */
  const watch = (ms: number, onTime: () => Error): void => {
    stopWatch();
    stopWatch = clock.after(ms, () => stop(onTime()));
  };
  const watchPeer = (): void => {
    if (isOver || hasHead) return;
    const ms = Math.min(request.firstByteTimeoutMs ?? Infinity, limits.firstByteMaxMs);
    watch(ms, () =>
      isBodySent
        ? timeout("HTTP-response-timeout", `it did not begin to answer within ${ms} ms`)
        : timeout("connection-write-timeout", `it did not take the request's body within ${ms} ms`),
    );
  };

  const settle = (error: Error | undefined): void => {
    if (isOver) return;
    isOver = true;
    stopWatch();
    bodyAbort.abort(error ?? new Error("the response has ended"));
    if (error === undefined) body.end();
    else {
      response.reject(error);
      body.fail(error);
      connection.close();
    }
    // undici first does what it has to do at the end of a message: maybe it closes the socket.
    queueMicrotask(free.resolve);
  };

  /** Ends the exchange from our side. */
  const stop = (error: Error): void => {
    settle(error);
    controller?.abort(error);
  };
  const onAbort = (): void => {
    const error = signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
    stop(error);
    body.discard(error);
  };

  const body = createResponseBody({
    bufferMaxBytes: limits.responseBufferMaxBytes,
    onFull: () => controller?.pause(),
    onRoom: () => {
      if (!isOver) controller?.resume();
    },
    onWaiting: (isWaiting) => {
      if (isOver) return;
      stopWatch();
      const ms = Math.min(request.betweenBytesTimeoutMs ?? Infinity, limits.betweenBytesMaxMs);
      if (isWaiting) watch(ms, () => timeout("connection-read-timeout", `it sent nothing more within ${ms} ms`));
    },
    onDrained: () => {
      signal.removeEventListener("abort", onAbort);
      ended.resolve();
    },
    onDropped: () =>
      stop(faultFrom({ reason: Reason.CANCELED, code: "connection-terminated", problem: "nobody wants the response" })),
  });

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (isOver) started.abort(new Error("the exchange has ended"));
    },
    onResponseStarted() {
      hasBegun = true;
    },
    onResponseStart(started, status) {
      // Interim responses (103 and the like) are not what the guest waits for.
      if (isOver || status < 200) return;
      hasHead = true;
      stopWatch();
      const headers = withoutConnectionHeaders(headersFrom(started.rawHeaders));
      response.resolve({ status, headers, body: body.chunks, trailers: () => trailers });
    },
    onResponseData(_, chunk) {
      if (isOver) return;
      received += chunk.byteLength;
      if (received > limits.responseBodyMaxBytes) {
        const problem = `the body of its response exceeds ${limits.responseBodyMaxBytes} bytes`;
        return stop(faultFrom({ reason: Reason.PROVIDER_LIMIT, code: "HTTP-response-body-size", problem }));
      }
      body.push(chunk);
    },
    onResponseEnd(finished) {
      const found = headersFrom(finished.rawTrailers);
      if (found.length > 0) trailers = found;
      settle(undefined);
    },
    onResponseError(_, error) {
      isBroken = !isOver;
      settle(isFault(error) ? error : faultFrom(sourceFailure ?? exchangeFailure(error, hasHead)));
    },
  };

  const source =
    request.body === undefined
      ? undefined
      : meteredBody(request.body, {
          maxBytes: limits.requestBodyMaxBytes,
          tooLarge: (bytes) =>
            faultFrom({
              reason: Reason.PROVIDER_LIMIT,
              code: "HTTP-request-body-size",
              problem: `the request's body exceeds ${limits.requestBodyMaxBytes} bytes (got at least ${bytes})`,
            }),
          onAsked: () => {
            if (!hasHead) stopWatch();
          },
          onGiven: (isEnd) => {
            isBodySent = isEnd;
            watchPeer();
          },
          onFailed: (error) => {
            const problem = `the request's body broke off (${error instanceof Error ? error.message : String(error)})`;
            sourceFailure = { reason: Reason.CANCELED, code: "internal-error", problem, cause: error };
          },
          signal: bodyAbort.signal,
        });

  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  else {
    if (source === undefined) watchPeer();
    // A stream that reads ahead by one part at most.
    const sent = source === undefined ? null : Readable.from(source, { objectMode: true, highWaterMark: 1 });
    connection.dispatch({ method: head.method, path: head.path, headers: head.headers.flat(), body: sent }, handler);
  }
  return {
    response: response.promise,
    free: free.promise,
    ended: ended.promise,
    isStale: () => isReused && isBroken && !hasBegun,
  };
}

/** Pairs out of the flat list of buffers that the parser gives; values are bytes, read as Latin-1. */
function headersFrom(raw: Dispatcher.DispatchController["rawHeaders"]): HttpHeaders {
  if (!Array.isArray(raw)) return [];
  const texts = raw.map((part) => (typeof part === "string" ? part : part.toString("latin1")));
  return Array.from({ length: texts.length / 2 }, (_, index) => [texts[2 * index] ?? "", texts[2 * index + 1] ?? ""]);
}
