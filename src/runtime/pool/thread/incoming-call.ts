/** A request into a guest, in the guest's thread. */
import type { HttpHeaders } from "../../../providers/http/http.ts";
import type { ByteSink, ByteSource, IncomingExchange } from "../../host/guest-line.ts";
import { ownedBytes } from "../owned-bytes.ts";
import { BODY_WINDOW_BYTES, type CallOrder, type ToCopy } from "../protocol.ts";
import { MessageSink, type MessageSinkOptions } from "./message-sink.ts";
import { fixedSource, MessageSource, type MessageSourceOptions } from "./message-source.ts";
import type { Outbox } from "./outbox.ts";

/** What `IncomingCall` is made with. */
export type IncomingCallOptions = {
  readonly copy: number;
  readonly ticket: number;
  readonly order: Extract<CallOrder, { kind: "request" }>;
  readonly outbox: Outbox;
};

/** The body of all requests that have none. */
const NO_BODY = fixedSource(new Uint8Array());

/** The guest's side of the request, and the end that takes the agent's messages. */
export class IncomingCall implements IncomingExchange, MessageSinkOptions, MessageSourceOptions {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly pathWithQuery: string;
  readonly headers: HttpHeaders;
  readonly body: ByteSource;
  readonly windowBytes: number = BODY_WINDOW_BYTES;
  readonly #copy: number;
  readonly #ticket: number;
  readonly #outbox: Outbox;
  readonly #source: MessageSource | undefined;
  #sink: MessageSink | undefined;
  #isAnswered = false;

  constructor({ copy, ticket, order, outbox }: IncomingCallOptions) {
    this.method = order.method;
    this.scheme = order.scheme;
    this.authority = order.authority;
    this.pathWithQuery = order.pathWithQuery;
    this.headers = order.headers;
    this.#copy = copy;
    this.#ticket = ticket;
    this.#outbox = outbox;
    this.#source = order.hasBody ? new MessageSource(this) : undefined;
    this.body = this.#source ?? NO_BODY;
  }

  respond(head: { readonly status: number; readonly headers: HttpHeaders }): ByteSink {
    if (this.#isAnswered) throw new Error("the response was set twice");
    this.#isAnswered = true;
    this.#part().head = head;
    this.#sink = new MessageSink(this);
    return this.#sink;
  }

  respondError(message: string): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#part().error = message;
  }

  /** Takes what the agent says of the call. */
  accept(message: Extract<ToCopy, { ticket: number }>): void {
    switch (message.kind) {
      case "body":
        return this.#source?.give(message.given);
      case "responseTaken":
        return this.#sink?.taken(message.bytes);
      case "responseClosed":
        return this.#sink?.fail(message.message);
    }
  }

  /** The handler has returned: what it has not said by now, it will never say. */
  end(): void {
    this.respondError("the handler returned without one");
    if (this.#sink?.isOpen === true) this.#sink.abort("the guest dropped its response before the end");
  }

  ask(): void {
    this.#outbox.post({ kind: "readBody", copy: this.#copy, ticket: this.#ticket });
  }

  onCancel(): void {}

  onWrite(bytes: Uint8Array): void {
    this.#part().pieces.push(ownedBytes(bytes));
    this.#outbox.flushIfLate();
  }

  onFinish(trailers: HttpHeaders | undefined): void {
    this.#part().end = { trailers, failure: undefined };
  }

  onAbort(failure: string): void {
    this.#part().end = { trailers: undefined, failure };
  }

  onWait(): void {
    this.#outbox.post({ kind: "awaitReader", copy: this.#copy, ticket: this.#ticket });
  }

  #part(): ReturnType<Outbox["response"]> {
    return this.#outbox.response(this.#copy, this.#ticket);
  }
}
