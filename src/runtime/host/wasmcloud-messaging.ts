/** `wasmcloud:messaging` 0.2: what a guest publishes, and how it is handed a message. */
import type { Message, MessagingCall } from "../../providers/messaging/messaging.ts";
import type { HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";
import { DONE, err, ok, type WitResult } from "./wit-result.ts";

/** Record `broker-message`. */
export type BrokerMessage = {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly "reply-to": string | undefined;
};

/** The exported `handle-message`, with its argument as the component binder takes it. */
export type MessageHandler = (message: BrokerMessage) => unknown;

/** `types` and `consumer`. A refusal reaches the guest as the sentence that says why. */
export function messagingInterfaces(line: GuestLine): HostInterfaces {
  return {
    "wasmcloud:messaging/types": { functions: {} },
    "wasmcloud:messaging/consumer": {
      functions: {
        publish: (message: BrokerMessage) => publish(line, message),
        request: (subject: string, body: Uint8Array, timeoutMs: number) => request(line, subject, body, timeoutMs),
      },
      suspending: ["publish", "request"],
    },
  };
}

/**
 * Hands a message to a guest and gives its answer: `err` with the guest's sentence if it could not handle the message. Rethrows
 * what the handler throws (a trap, `GuestExit`).
 */
export async function deliverMessage(
  { topic, body, replyTo }: Message,
  handle: MessageHandler,
): Promise<WitResult<undefined, string>> {
  const answer = await handle({ subject: topic, body, "reply-to": replyTo });
  if (typeof answer === "object" && answer !== null && "tag" in answer && answer.tag === "err")
    return err("val" in answer && typeof answer.val === "string" ? answer.val : "the guest did not say why");
  return DONE;
}

async function publish(line: GuestLine, message: BrokerMessage): Promise<WitResult<undefined, string>> {
  const call: MessagingCall = {
    kind: "publish",
    message: { topic: message.subject, body: message.body, replyTo: message["reply-to"] },
  };
  const asked = await line.messaging(call);
  return asked.tag === "ok" ? DONE : err(asked.val.message);
}

async function request(
  line: GuestLine,
  topic: string,
  body: Uint8Array,
  timeoutMs: number,
): Promise<WitResult<BrokerMessage, string>> {
  const asked = await line.messaging({ kind: "request", topic, body, timeoutMs });
  if (asked.tag === "err") return err(asked.val.message);
  if (asked.val.kind !== "reply") return err("the agent answered the request with something else");
  const { message } = asked.val;
  return ok({ subject: message.topic, body: message.body, "reply-to": message.replyTo });
}
