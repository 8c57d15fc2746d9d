/**
 * The contract of a messaging provider: what `wasmcloud:messaging` 0.2 asks for. Topics are tokens with dots between.
 *
 * A provider trusts its caller: permissions are checked by the agent's capability gate, at every call and every delivery.
 */

/** A message. */
export type Message = {
  /** Where to; without wildcards. */
  readonly topic: string;
  readonly body: Uint8Array;
  /** Where an answer is wanted. */
  readonly replyTo: string | undefined;
};

/** What a guest may ask for. */
export type MessagingCall =
  | { readonly kind: "publish"; readonly message: Message }
  | { readonly kind: "request"; readonly topic: string; readonly body: Uint8Array; readonly timeoutMs: number };

/** The answer to a call. */
export type MessagingAnswer = { readonly kind: "done" } | { readonly kind: "reply"; readonly message: Message };

/** What every backend refuses to exceed; hitting one throws `PROVIDER_LIMIT`. */
export type MessagingLimits = {
  readonly topicMaxBytes: number;
  readonly bodyMaxBytes: number;
  /** Messages that wait for one subscriber; one more is refused to its publisher. */
  readonly pendingMaxMessages: number;
  readonly subscriptionsMax: number;
  readonly requestTimeoutMaxMs: number;
};

/** A subscription. */
export type Subscription = {
  /** Topic with NATS wildcards: `orders.*`, `orders.>`. */
  readonly topic: string;
  /** Subscribers of one group share its messages: each goes to one of them. */
  readonly group: string;
  /** Called for one message at a time; a rejection is a failed delivery, which the provider retries as its limits say. */
  readonly deliver: (message: Message) => Promise<void>;
};

/** See the top of the file. */
export interface MessagingProvider {
  /** Resolves when the message is with the provider. */
  publish(message: Message): Promise<void>;
  /** Publishes with a reply topic of its own and waits for the first reply. Throws `PROVIDER_UNAVAILABLE` when nobody subscribes or nobody answers in time. */
  request(topic: string, body: Uint8Array, timeoutMs: number): Promise<Message>;
  /** Returns the way to end it: deliveries begun finish, waiting messages go to others of the group or are dropped. */
  subscribe(subscription: Subscription): Promise<() => Promise<void>>;
  /** May be called twice. */
  close(): Promise<void>;
}
