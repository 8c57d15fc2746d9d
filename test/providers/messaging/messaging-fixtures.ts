/** What the parts of the messaging contract have in common. */
import { isFault, type Reason } from "../../../src/fault.ts";
import type {
  DeadLetter,
  Message,
  MessagingLimits,
  MessagingProvider,
} from "../../../src/providers/messaging/messaging.ts";

/** Opens a backend that holds no messages, with these limits in place of the default ones. Pauses between attempts should be short. */
export type OpenMessaging = (
  limits?: Partial<MessagingLimits>,
  onDeadLetter?: (letter: DeadLetter) => void,
) => Promise<MessagingProvider>;

/** Text as a body. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** A message with text as its body. */
export const message = (topic: string, body: string, replyTo?: string): Message => ({
  topic,
  body: bytes(body),
  replyTo,
});
/** Its body as text. */
export const textOf = (one: Message): string => new TextDecoder().decode(one.body);
/** Equals any fault of a reason. */
export const reason = (wanted: Reason): unknown => ({
  asymmetricMatch: (error: unknown) => isFault(error, wanted),
  toString: () => `fault ${wanted}`,
});

/** A delivery that has begun. */
export type HeldDelivery = { readonly text: string; readonly finish: () => void; readonly fail: () => void };

/** A subscription whose deliveries end when a test says so. */
export type Held = { readonly begun: readonly HeldDelivery[]; readonly end: () => Promise<void> };

/** Subscribes and collects bodies. */
export const collect = async (bus: MessagingProvider, topic: string, group = ""): Promise<string[]> => {
  const got: string[] = [];
  await bus.subscribe({ topic, group, deliver: async (one) => void got.push(textOf(one)) });
  return got;
};
/** Holds every delivery until it is let go. */
export const hold = async (bus: MessagingProvider, topic: string, group = ""): Promise<Held> => {
  const begun: HeldDelivery[] = [];
  const end = await bus.subscribe({
    topic,
    group,
    deliver: (one) =>
      new Promise<void>((resolve, reject) => {
        begun.push({ text: textOf(one), finish: resolve, fail: () => reject(new Error("no")) });
      }),
  });
  return { begun, end };
};
