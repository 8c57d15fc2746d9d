/** Receives the agent's messages while guest code is on the stack, and hands each to whom it concerns. */
import type { KvAnswer, KvCall } from "../../providers/kv/kv.ts";
import type { AgentChannel, Received } from "./agent-channel.ts";

/** A key-value call that failed; thrown by `MessagePump.kv`. */
export class KvRefusal extends Error {
  override readonly name = "KvRefusal";
  /** Whether no assignment allows the call. */
  readonly isDenied: boolean;

  constructor(message: string, isDenied: boolean) {
    super(message);
    this.isDenied = isDenied;
  }
}

/** News of the HTTP exchange that is going on. */
export type ExchangeMessage = Extract<
  Received,
  { kind: "bodyChunk" | "bodyEnd" | "bodyFailed" | "responseTaken" | "responseClosed" }
>;

/** Waiting for the agent. */
export interface MessagePump {
  /** Blocks until one message has come or the monotonic clock has reached `untilNs`. */
  pump(untilNs?: bigint): void;
  /** Deals with the messages that have come, without waiting. */
  pumpWaiting(): void;
  /** Carries out a key-value call; throws `KvRefusal`. */
  kv(call: KvCall): KvAnswer;
  /** Whoever serves the current exchange; replaces the one before. */
  setExchange(accept: (message: ExchangeMessage) => void): void;
}

/** Makes the pump of a guest's thread. */
export function createMessagePump(channel: AgentChannel): MessagePump {
  let acceptExchange: (message: ExchangeMessage) => void = () => {};
  let kvOutcome: Extract<Received, { kind: "kvAnswer" | "kvFailed" }> | undefined;

  function accept(message: Received): void {
    switch (message.kind) {
      case "kvAnswer":
      case "kvFailed":
        kvOutcome = message;
        return;
      case "bodyChunk":
      case "bodyEnd":
      case "bodyFailed":
      case "responseTaken":
      case "responseClosed":
        return acceptExchange(message);
      case "invoke":
      case "request":
        throw new Error(`the agent began a call within a call (${message.kind})`);
    }
  }

  return {
    pump(untilNs) {
      const message = channel.receive(untilNs);
      if (message !== undefined) accept(message);
    },
    pumpWaiting() {
      for (let message = channel.poll(); message !== undefined; message = channel.poll()) accept(message);
    },
    kv(call) {
      kvOutcome = undefined;
      channel.post({ kind: "kv", call });
      for (;;) {
        const message = channel.receive();
        if (message !== undefined) accept(message);
        // Asked through a function, because `accept` sets what the checker believes unset.
        const outcome = takeOutcome();
        if (outcome?.kind === "kvAnswer") return outcome.answer;
        if (outcome?.kind === "kvFailed") throw new KvRefusal(outcome.message, outcome.isDenied);
      }
    },
    setExchange(accepts) {
      acceptExchange = accepts;
    },
  };

  function takeOutcome(): typeof kvOutcome {
    return kvOutcome;
  }
}
