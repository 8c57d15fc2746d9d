/** A request that a guest sends to the outside, in the agent's thread: from the guest's messages to the host, and back. */
import { isFault } from "../../fault.ts";
import type { HttpRequest, OutgoingHttpError } from "../../providers/http/http.ts";
import { BytePipe } from "../byte-pipe.ts";
import type { OutgoingHead } from "../host/guest-line.ts";
import type { GuestHost } from "../runtime.ts";
import { BODY_WINDOW_BYTES, windowCost, type FromExchange, type ToCopy } from "./protocol.ts";
import { RequestBody } from "./request-body.ts";

/** Takes what the guest says of the request after its head. */
export interface OutgoingRequest {
  accept(message: Exclude<FromExchange, { kind: "http" }>): void;
  /** The guest is gone. May be called twice. */
  abandon(): void;
}

/** What `createOutgoingRequest` needs. */
export type OutgoingRequestOptions = {
  /** The instance id, for messages. */
  readonly id: string;
  readonly ask: number;
  readonly head: OutgoingHead;
  readonly host: Pick<GuestHost, "http">;
  readonly send: (message: Extract<ToCopy, { ask: number }>) => void;
  readonly onDone: () => void;
};

/** What a guest may have ahead before it is told how much has been taken. */
const TELL_TAKEN_BYTES = BODY_WINDOW_BYTES / 4;

/** Begins the request. */
export function createOutgoingRequest({ id, ask, head, host, send, onDone }: OutgoingRequestOptions): OutgoingRequest {
  const canceled = new AbortController();
  let isOver = false;
  let taken = 0;
  let incoming: RequestBody | undefined;

  const body = new BytePipe({
    onTaken(bytes) {
      taken += windowCost(bytes);
      if (taken < TELL_TAKEN_BYTES) return;
      send({ kind: "httpTaken", ask, bytes: taken });
      taken = 0;
    },
    onReturn: () => send({ kind: "httpClosed", ask, message: "the peer takes no more of the request" }),
  });

  function done(): void {
    if (isOver) return;
    isOver = true;
    onDone();
  }

  function abandon(): void {
    if (isOver) return;
    done();
    canceled.abort();
    body.fail(new Error("the guest gave the request up"));
    incoming?.stop("the guest gave the request up");
  }

  async function begin(): Promise<void> {
    const request: HttpRequest = { ...head, body: head.hasBody ? body : undefined };
    try {
      const response = await host.http(request, canceled.signal);
      incoming = new RequestBody({
        what: `read the response to a request of instance "${id}"`,
        subject: id,
        source: response.body,
        trailers: response.trailers,
        maxBytes: Number.POSITIVE_INFINITY,
        onAnswer(given) {
          send({ kind: "httpBody", ask, given });
          if (given.kind !== "bytes") done();
        },
        onFault: (why) => incoming?.stop(why.message),
      });
      if (isOver) return incoming.stop("the guest gave the request up");
      send({
        kind: "httpAnswer",
        ask,
        answer: { tag: "ok", val: { status: response.status, headers: response.headers } },
      });
    } catch (error) {
      // Lost: the cause. The guest is told what it may know; the host that rejected keeps its own records.
      if (isOver) return;
      send({ kind: "httpAnswer", ask, answer: { tag: "err", val: errorForGuest(error) } });
      done();
    }
  }

  void begin();
  return {
    accept(message) {
      switch (message.kind) {
        case "httpPiece":
          return body.write(message.bytes);
        case "httpEnd":
          return message.failure === undefined ? body.end() : body.fail(new Error(message.failure));
        case "httpRead":
          return incoming?.read();
        case "httpAbandon":
          return abandon();
      }
    },
    abandon,
  };
}

function errorForGuest(error: unknown): OutgoingHttpError {
  if (!isFault(error)) return { code: "internal-error", message: "the host of outgoing requests failed" };
  return isOutgoingHttpError(error.cause) ? error.cause : { code: "internal-error", message: error.message };
}

function isOutgoingHttpError(value: unknown): value is OutgoingHttpError {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "string" &&
    "message" in value &&
    typeof value.message === "string"
  );
}
