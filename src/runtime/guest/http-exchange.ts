/** One HTTP exchange in the guest's thread: where the request body comes from and where the response goes. */
import { RESPONSE_WINDOW_BYTES, windowCost, type ToGuest } from "../worker-protocol.ts";
import type { AgentChannel } from "./agent-channel.ts";
import type { MessagePump } from "./message-pump.ts";
import { STREAM_CLOSED, streamFailure, type ByteSink, type ByteSource } from "./wasi-io.ts";

/** What begins an exchange. */
export type RequestMessage = Extract<ToGuest, { kind: "request" }>;

/** An exchange from the request to the moment when the handler has returned. */
export interface HttpExchange {
  readonly request: RequestMessage;
  readonly requestBody: ByteSource;
  readonly responseBody: ByteSink;
  /** Sends status and headers. Further calls are ignored: an outparam can be set once. */
  sendHead(status: number, headers: readonly (readonly [string, string])[]): void;
  /** The guest has an error instead of a response. */
  sendError(message: string): void;
  /** The guest has said that its body is complete. */
  finishBody(): void;
  /** The handler has returned; says so to the agent. */
  end(): void;
}

/** Begins the exchange that `request` asks for. */
export function createHttpExchange(request: RequestMessage, channel: AgentChannel, pump: MessagePump): HttpExchange {
  let unread: Uint8Array | undefined;
  let bodyState: { readonly kind: "idle" | "asked" | "ended" } | { readonly kind: "failed"; readonly message: string } =
    {
      kind: request.hasBody ? "idle" : "ended",
    };
  let aheadBytes = 0;
  /** Once is enough until there is news: a guest that polls would send a flood. */
  let isReaderAsked = false;
  let closedWhy: string | undefined;
  let isHeadSent = false;
  let isFinished = false;

  pump.setExchange((message) => {
    switch (message.kind) {
      case "bodyChunk":
        unread = message.bytes;
        bodyState = { kind: "idle" };
        return;
      case "bodyEnd":
        bodyState = { kind: "ended" };
        return;
      case "bodyFailed":
        bodyState = { kind: "failed", message: message.message };
        return;
      case "responseTaken":
        aheadBytes -= message.bytes;
        isReaderAsked = false;
        return;
      case "responseClosed":
        closedWhy = message.message;
    }
  });

  const requestBody: ByteSource = {
    isReady: () =>
      (unread !== undefined && unread.length > 0) || bodyState.kind === "ended" || bodyState.kind === "failed",
    request() {
      if (bodyState.kind !== "idle" || (unread !== undefined && unread.length > 0)) return;
      bodyState = { kind: "asked" };
      channel.post({ kind: "readBody" });
    },
    take(maxBytes) {
      if (unread !== undefined && unread.length > 0) {
        const taken = unread.subarray(0, maxBytes);
        unread = unread.subarray(taken.length);
        return taken;
      }
      if (bodyState.kind === "failed") throw streamFailure(bodyState.message);
      if (bodyState.kind === "ended") throw STREAM_CLOSED;
      return new Uint8Array();
    },
  };

  const responseBody: ByteSink = {
    room() {
      if (closedWhy !== undefined || isFinished) throw STREAM_CLOSED;
      return Math.max(0, RESPONSE_WINDOW_BYTES - aheadBytes);
    },
    request() {
      if (isReaderAsked) return;
      isReaderAsked = true;
      channel.post({ kind: "awaitReader" });
    },
    write(bytes) {
      aheadBytes += windowCost(bytes.length);
      channel.post({ kind: "body", bytes: new Uint8Array(bytes) });
    },
  };

  return {
    request,
    requestBody,
    responseBody,
    sendHead(status, headers) {
      if (isHeadSent) return;
      isHeadSent = true;
      channel.post({ kind: "head", status, headers });
    },
    sendError(message) {
      if (isHeadSent) return;
      isHeadSent = true;
      isFinished = true;
      channel.post({ kind: "noResponse", message });
    },
    finishBody() {
      isFinished = true;
    },
    end() {
      if (!isHeadSent) channel.post({ kind: "noResponse", message: "the handler returned without one" });
      channel.post({ kind: "handled", isComplete: isFinished || !isHeadSent });
      isFinished = true;
      unread = undefined;
    },
  };
}
