/** An outgoing HTTP request in its guest's thread. */
import type { ByteSource, OutgoingExchange, OutgoingHead } from "../../host/guest-line.ts";
import { ownedBytes } from "../owned-bytes.ts";
import { BODY_WINDOW_BYTES, type ToCopy } from "../protocol.ts";
import { MessageSink } from "./message-sink.ts";
import { MessageSource } from "./message-source.ts";
import type { Outbox } from "./outbox.ts";

/** The guest's side of the request, and the end that takes the agent's messages. */
export type OutgoingCall = {
  readonly exchange: OutgoingExchange;
  accept(message: Extract<ToCopy, { kind: "httpAnswer" | "httpTaken" | "httpClosed" | "httpBody" }>): void;
};

/** What `createOutgoingCall` needs. */
export type OutgoingCallOptions = {
  readonly copy: number;
  /** Names it between the threads. */
  readonly number: number;
  readonly head: OutgoingHead;
  readonly outbox: Outbox;
  /** It was abandoned, or its response has come to the end. */
  readonly onDone: () => void;
};

/** Begins the request: its head goes out with this turn. */
export function createOutgoingCall({ copy, number, head, outbox, onDone }: OutgoingCallOptions): OutgoingCall {
  const response = Promise.withResolvers<Awaited<OutgoingExchange["response"]>>();
  let incoming: MessageSource | undefined;
  let isOver = false;
  outbox.post({ kind: "http", copy, ask: number, head });

  const body = new MessageSink({
    windowBytes: BODY_WINDOW_BYTES,
    onWrite: (bytes) => outbox.post({ kind: "httpPiece", copy, ask: number, bytes: ownedBytes(bytes) }),
    // Lost: the trailers. The HTTP client behind the provider cannot send any.
    onFinish: () => outbox.post({ kind: "httpEnd", copy, ask: number, failure: undefined }),
    onAbort: (failure) => outbox.post({ kind: "httpEnd", copy, ask: number, failure }),
    onWait: () => undefined,
  });

  function abandon(): void {
    if (isOver) return;
    isOver = true;
    body.fail("the request was abandoned");
    incoming?.give({ kind: "failed", message: "the request was abandoned" });
    response.resolve({ tag: "err", val: { code: "connection-terminated", message: "the request was abandoned" } });
    outbox.post({ kind: "httpAbandon", copy, ask: number });
    onDone();
  }

  function incomingBody(): ByteSource {
    incoming = new MessageSource({
      ask: () => outbox.post({ kind: "httpRead", copy, ask: number }),
      onCancel: abandon,
    });
    return incoming;
  }

  return {
    exchange: { body, response: response.promise, abandon },
    accept(message) {
      if (isOver) return;
      switch (message.kind) {
        case "httpAnswer": {
          const { answer } = message;
          if (answer.tag === "ok") return response.resolve({ tag: "ok", val: { ...answer.val, body: incomingBody() } });
          body.fail(answer.val.message);
          isOver = true;
          response.resolve(answer);
          return onDone();
        }
        case "httpTaken":
          return body.taken(message.bytes);
        case "httpClosed":
          return body.fail(message.message);
        case "httpBody":
          incoming?.give(message.given);
          if (message.given.kind === "bytes") return;
          isOver = true;
          onDone();
      }
    },
  };
}

/** The exchange of a request that is not begun, because too many are. */
export function refusedExchange(): OutgoingExchange {
  const message = "the guest has too many requests under way";
  const nothing = (): void => undefined;
  const body = new MessageSink({
    windowBytes: 0,
    onWrite: nothing,
    onFinish: nothing,
    onAbort: nothing,
    onWait: nothing,
  });
  body.fail(message);
  const refusal = { tag: "err", val: { code: "connection-limit-reached", message } } as const;
  return { body, response: Promise.resolve(refusal), abandon: nothing };
}
