/**
 * The contract of a messaging provider: what `wasmcloud:messaging` 0.2 asks for. Topics are tokens with dots between
 * (`topic.ts`). Every backend passes `test/providers/messaging/messaging-contract.ts`.
 *
 * A message is delivered at least once to each group that subscribes to its topic when it is published, unless all attempts
 * fail; nobody keeps it for later subscribers. Of one publisher, a subscriber gets messages in order, except those that it
 * failed to take at first.
 *
 * A provider trusts its caller: permissions are checked by the agent's capability gate, at every call and every delivery.
 */

/** A message. */
export type Message = {
  /** Where to; without wildcards. */
  readonly topic: string;
  /** Whoever gets it may do with it what it likes: it is a copy. */
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

/** What every backend refuses to exceed; hitting one throws `PROVIDER_LIMIT`. All are positive whole numbers. */
export type MessagingLimits = {
  readonly topicMaxBytes: number;
  readonly bodyMaxBytes: number;
  /** Messages that wait for one subscriber, those between two attempts included; one more is refused to its publisher. */
  readonly pendingMaxMessages: number;
  /** Length of the bodies that wait for one subscriber. */
  readonly pendingMaxBytes: number;
  readonly subscriptionsMax: number;
  /** Requests that wait for their reply. */
  readonly requestsMax: number;
  /** Longest wait for a reply; longer ones are cut to it. */
  readonly requestTimeoutMaxMs: number;
  /** Deliveries of one message that are tried; after the last one it is given up. */
  readonly deliveryAttemptsMax: number;
  /** Pause after the first failed delivery; each further one is twice as long... */
  readonly retryFirstMs: number;
  /** ...until it is as long as this. */
  readonly retryMaxMs: number;
};

/** Limits that suit a small service; every backend takes others through its options. */
export const MESSAGING_DEFAULT_LIMITS: MessagingLimits = {
  topicMaxBytes: 255,
  bodyMaxBytes: 1024 * 1024,
  pendingMaxMessages: 1024,
  pendingMaxBytes: 16 * 1024 * 1024,
  subscriptionsMax: 10_000,
  requestsMax: 10_000,
  requestTimeoutMaxMs: 60_000,
  deliveryAttemptsMax: 5,
  retryFirstMs: 100,
  retryMaxMs: 10_000,
};

/** A subscription. */
export type Subscription = {
  /** Topic with NATS wildcards: `orders.*`, `orders.>`. */
  readonly topic: string;
  /** Subscribers of one group share its messages: each goes to one of them, also if their topics differ. Empty: a group of its own. */
  readonly group: string;
  /** Called for one message at a time; a rejection is a failed delivery, which is tried again, by another of the group if there is one. Must settle. */
  readonly deliver: (message: Message) => Promise<void>;
};

/**
 * See the top of the file. A topic that is none throws `ARGUMENT_INVALID`, also where an answer is wanted; a closed provider
 * `PROVIDER_STOPPED`; a backend that fails `PROVIDER_UNAVAILABLE`.
 */
export interface MessagingProvider {
  /** Resolves when the message is with the provider. If one subscriber has no room, nobody gets it and the publisher may try again. Nobody needs to subscribe. */
  publish(message: Message): Promise<void>;
  /** Publishes with a reply topic of its own and waits for the first reply. Throws `PROVIDER_UNAVAILABLE` when nobody subscribes or nobody answers in time. */
  request(topic: string, body: Uint8Array, timeoutMs: number): Promise<Message>;
  /** Returns the way to end it, which may be called twice: the delivery begun finishes, waiting messages go to others of the group or are given up. */
  subscribe(subscription: Subscription): Promise<() => Promise<void>>;
  /** Resolves when the deliveries begun have finished; what waits is given up. May be called twice. */
  close(): Promise<void>;
}

/** A message that one group did not get. */
export type DeadLetter = {
  readonly message: Message;
  readonly group: string;
  /** Deliveries that failed. */
  readonly attempts: number;
  /** What the last one failed with; `undefined` if none did, but nobody was left to take it. */
  readonly error: unknown;
};
