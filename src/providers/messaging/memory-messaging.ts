/** Messaging within this process: for one node, and for what may go when the agent does. */
import { systemClock, systemEntropy, type Clock, type Entropy } from "../../clock.ts";
import { fault, Reason, type Fault } from "../../fault.ts";
import type { DeadLetter, Message, MessagingLimits, MessagingProvider, Subscription } from "./messaging.ts";
import { assertMessage, assertSubscription, messagingLimitsFrom } from "./messaging-checks.ts";
import { createSubscriber, type Parcel, type Subscriber } from "./subscriber.ts";
import { INBOX_TOKEN, isInbox, isTopicWithin } from "./topic.ts";
import { createTopicIndex } from "./topic-index.ts";

/** Options of `createMemoryMessaging`. */
export type MemoryMessagingOptions = {
  /** Those that differ from `MESSAGING_DEFAULT_LIMITS`. */
  readonly limits?: Partial<MessagingLimits>;
  /** Hears of each message that one group did not get; must not throw. Default: they are only counted. */
  readonly onDeadLetter?: (letter: DeadLetter) => void;
};

/** What may be replaced, for tests and simulations. */
export type MemoryMessagingDeps = {
  readonly clock?: Clock;
  /** Names reply topics; they must not be guessable. */
  readonly entropy?: Pick<Entropy, "hex">;
};

/** What has happened since the provider was made. */
export type MessagingCounts = {
  /** Messages that were taken from publishers, replies included. */
  readonly published: number;
  /** Messages that were refused because a subscriber had no room. */
  readonly refused: number;
  /** Deliveries that succeeded. */
  readonly delivered: number;
  /** Messages that one group did not get. */
  readonly deadLettered: number;
};

/** A messaging provider that counts. */
export interface MemoryMessaging extends MessagingProvider {
  counts(): MessagingCounts;
}

/** Makes a bus without subscribers. Throws `LIMIT_INVALID`. */
export function createMemoryMessaging(
  options: MemoryMessagingOptions = {},
  deps: MemoryMessagingDeps = {},
): MemoryMessaging {
  const limits = messagingLimitsFrom(options.limits);
  const clock = deps.clock ?? systemClock;
  const entropy = deps.entropy ?? systemEntropy;
  const index = createTopicIndex<Subscriber>();
  const subscribers = new Set<Subscriber>();
  const members = new Map<string, Set<Subscriber>>();
  /** Who waits for a reply, by reply topic. */
  const inboxes = new Map<
    string,
    { readonly take: (message: Message) => void; readonly fail: (error: Fault) => void }
  >();
  const counts = { published: 0, refused: 0, delivered: 0, deadLettered: 0 };
  let choices = 0;
  let groups = 0;
  let isClosed = false;

  const enter = (): void => {
    if (isClosed) throw fault(Reason.PROVIDER_STOPPED, "Cannot use messaging: the messaging provider is stopped");
  };

  /** One subscriber of each group that the topic reaches: the one with the least to do, of equals the one not chosen for longest. */
  const choose = (topic: string, bytes: number): readonly Subscriber[] => {
    const byGroup = new Map<string, Subscriber>();
    for (const candidate of index.matching(topic)) {
      const best = byGroup.get(candidate.group);
      if (best === undefined || isBetter(candidate, best, bytes)) byGroup.set(candidate.group, candidate);
    }
    return [...byGroup.values()];
  };

  const hand = (subscriber: Subscriber, parcel: Parcel): void => {
    subscriber.lastChosen = choices += 1;
    subscriber.give(parcel);
  };

  /** Gives a parcel to its group again: to another subscriber than `from`, if there is one with room. */
  const handAgain = (parcel: Parcel, from: Subscriber): void => {
    const { message, group, attempts, error } = parcel;
    const bytes = message.body.byteLength;
    const [next] = index
      .matching(message.topic)
      .filter((candidate) => candidate.group === group && candidate.hasRoomFor(bytes))
      .toSorted((one, other) => Number(one === from) - Number(other === from) || one.load - other.load);
    if (next !== undefined && !isClosed && attempts < limits.deliveryAttemptsMax) return hand(next, parcel);
    counts.deadLettered += 1;
    options.onDeadLetter?.({ message, group: from.subscription.group, attempts, error });
  };

  /** What waits behind another's delivery must not wait while one of the group has nothing to do. */
  const takeOver = (idle: Subscriber): Parcel | undefined => {
    for (const other of members.get(idle.group) ?? []) {
      const parcel =
        other === idle ? undefined : other.giveAway((topic) => isTopicWithin(idle.subscription.topic, topic));
      if (parcel !== undefined) return parcel;
    }
    return undefined;
  };

  const publish = (message: Message): number => {
    enter();
    assertMessage(limits, message);
    const { topic, replyTo } = message;
    const bytes = message.body.byteLength;
    const copy: Message = { topic, replyTo, body: new Uint8Array(message.body) };
    if (isInbox(topic)) {
      counts.published += 1;
      // A reply that comes too late, or twice, has no reader.
      inboxes.get(topic)?.take(copy);
      return 0;
    }
    const chosen = choose(topic, bytes);
    const full = chosen.find((subscriber) => !subscriber.hasRoomFor(bytes));
    if (full !== undefined) {
      counts.refused += 1;
      throw fault(
        Reason.PROVIDER_LIMIT,
        `Cannot publish to "${topic}": too many messages wait for a subscriber already`,
        {
          subject: topic,
        },
      );
    }
    counts.published += 1;
    for (const subscriber of chosen) {
      hand(subscriber, { message: copy, group: subscriber.group, attempts: 0, error: undefined });
    }
    return chosen.length;
  };

  const ask = (topic: string, body: Uint8Array, timeoutMs: number): Promise<Message> => {
    enter();
    const unanswered = (problem: string): Fault =>
      fault(Reason.PROVIDER_UNAVAILABLE, `Cannot request from "${topic}": ${problem}`, { subject: topic });
    if (inboxes.size >= limits.requestsMax) {
      throw fault(
        Reason.PROVIDER_LIMIT,
        `Cannot request from "${topic}": ${inboxes.size} requests wait for a reply already`,
      );
    }
    const inbox = `${INBOX_TOKEN}.${entropy.hex(INBOX_BYTES)}`;
    const waitMs = Math.min(timeoutMs, limits.requestTimeoutMaxMs);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        cancel();
        inboxes.delete(inbox);
      };
      const fail = (error: Error): void => {
        leave();
        reject(error);
      };
      const cancel = clock.after(waitMs, () => fail(unanswered(`no reply came within ${waitMs} ms`)));
      inboxes.set(inbox, {
        take(message) {
          leave();
          resolve(message);
        },
        fail,
      });
      try {
        if (publish({ topic, body, replyTo: inbox }) === 0) fail(unanswered("nobody subscribes to it"));
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  };

  const end = async (subscriber: Subscriber): Promise<void> => {
    if (subscribers.delete(subscriber)) {
      index.remove(subscriber.subscription.topic, subscriber);
      const left = members.get(subscriber.group);
      left?.delete(subscriber);
      if (left?.size === 0) members.delete(subscriber.group);
      for (const parcel of subscriber.end()) handAgain(parcel, subscriber);
    }
    await subscriber.idle();
  };

  return {
    async publish(message) {
      publish(message);
    },
    async request(topic, body, timeoutMs) {
      return await ask(topic, body, timeoutMs);
    },
    async subscribe(subscription: Subscription) {
      enter();
      assertSubscription(limits, subscription.topic);
      if (subscribers.size >= limits.subscriptionsMax) {
        throw fault(
          Reason.PROVIDER_LIMIT,
          `Cannot subscribe to "${subscription.topic}": there are ${subscribers.size} subscriptions already`,
        );
      }
      // A group of its own has a name that nobody gives by accident.
      const group = subscription.group === "" ? `\n${(groups += 1)}` : subscription.group;
      const subscriber: Subscriber = createSubscriber(subscription, group, {
        limits,
        clock,
        onFailed: (parcel) => handAgain(parcel, subscriber),
        onDelivered: () => (counts.delivered += 1),
        takeOver: () => takeOver(subscriber),
      });
      subscribers.add(subscriber);
      members.set(group, (members.get(group) ?? new Set()).add(subscriber));
      index.add(subscription.topic, subscriber);
      return () => end(subscriber);
    },
    async close() {
      isClosed = true;
      for (const { fail } of inboxes.values()) {
        fail(fault(Reason.PROVIDER_STOPPED, "Cannot wait for a reply: the messaging provider is stopped"));
      }
      await Promise.all([...subscribers].map((subscriber) => end(subscriber)));
    },
    counts: () => ({ ...counts }),
  };
}

const INBOX_BYTES = 16;

function isBetter(one: Subscriber, other: Subscriber, bytes: number): boolean {
  const [oneHasRoom, otherHasRoom] = [one.hasRoomFor(bytes), other.hasRoomFor(bytes)];
  if (oneHasRoom !== otherHasRoom) return oneHasRoom;
  if (one.load !== other.load) return one.load < other.load;
  return one.lastChosen < other.lastChosen;
}
