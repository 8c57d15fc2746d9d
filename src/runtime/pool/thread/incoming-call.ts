/** A request into a guest, in the guest's thread. */
import type { IncomingExchange } from "../../host/guest-line.ts";
import { ownedBytes } from "../owned-bytes.ts";
import { BODY_WINDOW_BYTES, type CallOrder, type ToCopy } from "../protocol.ts";
import { createMessageSink, type MessageSink } from "./message-sink.ts";
import { createMessageSource } from "./message-source.ts";
import type { Outbox } from "./outbox.ts";

/** The guest's side of the request, and the end that takes the agent's messages. */
export type IncomingCall = {
  readonly exchange: IncomingExchange;
  accept(message: Extract<ToCopy, { ticket: number }>): void;
  /** The handler has returned: what it has not said by now, it will never say. */
  end(): void;
};

/** What `createIncomingCall` needs. */
export type IncomingCallOptions = {
  readonly copy: number;
  readonly ticket: number;
  readonly order: Extract<CallOrder, { kind: "request" }>;
  readonly outbox: Outbox;
};

/** Begins the exchange. */
export function createIncomingCall({ copy, ticket, order, outbox }: IncomingCallOptions): IncomingCall {
  const body = createMessageSource({
    ask: () => outbox.post({ kind: "readBody", copy, ticket }),
    onCancel: () => undefined,
  });
  if (!order.hasBody) body.give({ kind: "end", trailers: undefined });
  let response: MessageSink | undefined;
  let isAnswered = false;

  function respondError(message: string): void {
    if (isAnswered) return;
    isAnswered = true;
    outbox.response(copy, ticket).error = message;
  }

  return {
    exchange: {
      method: order.method,
      scheme: order.scheme,
      authority: order.authority,
      pathWithQuery: order.pathWithQuery,
      headers: order.headers,
      body: body.source,
      respond(head) {
        if (isAnswered) throw new Error("the response was set twice");
        isAnswered = true;
        outbox.response(copy, ticket).head = head;
        response = createMessageSink({
          windowBytes: BODY_WINDOW_BYTES,
          onWrite(bytes) {
            outbox.response(copy, ticket).pieces.push(ownedBytes(bytes));
            outbox.flushIfLate();
          },
          onFinish(trailers) {
            outbox.response(copy, ticket).end = { trailers, failure: undefined };
          },
          onAbort(failure) {
            outbox.response(copy, ticket).end = { trailers: undefined, failure };
          },
          onWait: () => outbox.post({ kind: "awaitReader", copy, ticket }),
        });
        return response.sink;
      },
      respondError,
    },
    accept(message) {
      switch (message.kind) {
        case "body":
          return body.give(message.given);
        case "responseTaken":
          return response?.taken(message.bytes);
        case "responseClosed":
          return response?.fail(message.message);
      }
    },
    end() {
      respondError("the handler returned without one");
      if (response?.isOpen === true) response.sink.abort("the guest dropped its response before the end");
    },
  };
}
