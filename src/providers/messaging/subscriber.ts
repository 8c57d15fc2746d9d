/** One subscriber of the in-process bus: the messages that wait for it, and the one that it has in hand. */
import type { Clock } from "../../clock.ts";
import type { Message, MessagingLimits, Subscription } from "./messaging.ts";

/** A message on its way to one group. */
export type Parcel = {
  readonly message: Message;
  readonly group: string;
  /** Deliveries that have failed. */
  readonly attempts: number;
  /** What the last of them failed with. */
  readonly error: unknown;
};

/** What a subscriber is given. */
export type SubscriberDeps = {
  readonly limits: MessagingLimits;
  readonly clock: Clock;
  /** Takes a parcel whose delivery failed, after the pause that is due, or at once if it was the last attempt. */
  readonly onFailed: (parcel: Parcel) => void;
  readonly onDelivered: () => void;
  /** A parcel that waits for another of the group, when this one has nothing to do. */
  readonly takeOver: () => Parcel | undefined;
};

/** See the top of the file. */
export interface Subscriber {
  readonly subscription: Subscription;
  readonly group: string;
  /** Messages that wait or are in hand. */
  readonly load: number;
  /** When it was last chosen, by the count of choices; for fairness. */
  lastChosen: number;
  hasRoomFor(bytes: number): boolean;
  /** Takes a parcel; whether there is room is the caller's to ask. */
  give(parcel: Parcel): void;
  /** Gives the first waiting parcel that `isFor` agrees with to somebody else; `undefined` if there is none. */
  giveAway(isFor: (topic: string) => boolean): Parcel | undefined;
  /** Takes no more; returns what waited. May be called twice. */
  end(): readonly Parcel[];
  /** Resolves when nothing is in hand. */
  idle(): Promise<void>;
}

/** Makes a subscriber without messages. */
export function createSubscriber(subscription: Subscription, group: string, deps: SubscriberDeps): Subscriber {
  const { limits, clock } = deps;
  const waiting: Parcel[] = [];
  /** Between two attempts, with the way to stop the pause. */
  const paused = new Map<Parcel, () => void>();
  let bytes = 0;
  /** The present or last series of deliveries. */
  let series: Promise<void> = Promise.resolve();
  let isRunning = false;
  let isDelivering = false;
  let isEnded = false;

  const sizeOf = (parcel: Parcel): number => parcel.message.body.byteLength;

  const run = async (): Promise<void> => {
    for (;;) {
      const own = waiting.shift();
      if (own !== undefined) bytes -= sizeOf(own);
      const parcel = own ?? (isEnded ? undefined : deps.takeOver());
      if (parcel === undefined) {
        isRunning = false;
        return;
      }
      isDelivering = true;
      try {
        // A copy for each attempt: what one attempt did to it must not reach the next.
        await subscription.deliver({ ...parcel.message, body: parcel.message.body.slice() });
        deps.onDelivered();
      } catch (error) {
        // The failure goes along with the parcel: to the next attempt, or to whoever counts the lost.
        failed({ ...parcel, attempts: parcel.attempts + 1, error });
      } finally {
        isDelivering = false;
      }
    }
  };

  const failed = (parcel: Parcel): void => {
    if (parcel.attempts >= limits.deliveryAttemptsMax || isEnded) return deps.onFailed(parcel);
    const pauseMs = Math.min(limits.retryFirstMs * 2 ** (parcel.attempts - 1), limits.retryMaxMs);
    bytes += sizeOf(parcel);
    const cancel = clock.after(pauseMs, () => {
      paused.delete(parcel);
      bytes -= sizeOf(parcel);
      deps.onFailed(parcel);
    });
    paused.set(parcel, cancel);
  };

  const wake = (): void => {
    if (isRunning) return;
    isRunning = true;
    // Not at once: who publishes is not yet done choosing subscribers.
    series = Promise.resolve().then(run);
  };

  return {
    subscription,
    group,
    lastChosen: 0,
    get load() {
      return waiting.length + paused.size + (isDelivering ? 1 : 0);
    },
    hasRoomFor: (more) =>
      waiting.length + paused.size < limits.pendingMaxMessages && bytes + more <= limits.pendingMaxBytes,
    give(parcel) {
      waiting.push(parcel);
      bytes += sizeOf(parcel);
      wake();
    },
    giveAway(isFor) {
      // One that is only about to begin takes its own, or the quickest would take everything.
      const index = isDelivering ? waiting.findIndex((parcel) => isFor(parcel.message.topic)) : -1;
      const [parcel] = index === -1 ? [] : waiting.splice(index, 1);
      if (parcel !== undefined) bytes -= sizeOf(parcel);
      return parcel;
    },
    end() {
      isEnded = true;
      const left = [...paused.keys(), ...waiting.splice(0)];
      for (const cancel of paused.values()) cancel();
      paused.clear();
      bytes = 0;
      return left;
    },
    idle: () => series,
  };
}
