/** Pure checks of what a caller passes to a messaging provider, against `MessagingLimits`. */
import { fault, Reason } from "../../fault.ts";
import { MESSAGING_DEFAULT_LIMITS, type Message, type MessagingLimits } from "./messaging.ts";
import { INBOX_TOKEN, topicPatternProblem, topicProblem } from "./topic.ts";

/** The default limits with `overrides`; throws `LIMIT_INVALID` for one that is not a positive whole number. */
export function messagingLimitsFrom(overrides: Partial<MessagingLimits> = {}): MessagingLimits {
  const limits = { ...MESSAGING_DEFAULT_LIMITS, ...overrides };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw fault(
        Reason.LIMIT_INVALID,
        `Cannot open messaging provider: ${name} is not a positive whole number (got ${value})`,
        { subject: name },
      );
    }
  }
  return limits;
}

/** Throws `ARGUMENT_INVALID` or `PROVIDER_LIMIT` if the message cannot be sent. */
export function assertMessage(limits: MessagingLimits, message: Message): void {
  const doing = `Cannot publish to "${shown(message.topic)}"`;
  assertTopic(limits, doing, "the topic", message.topic, topicProblem(message.topic));
  if (message.replyTo !== undefined) {
    assertTopic(limits, doing, "the reply's topic", message.replyTo, topicProblem(message.replyTo));
  }
  assertWithin(`${doing}: the body`, message.body.byteLength, limits.bodyMaxBytes);
}

/** Throws `ARGUMENT_INVALID` or `PROVIDER_LIMIT` if nobody can subscribe to the pattern. */
export function assertSubscription(limits: MessagingLimits, pattern: string): void {
  const isInboxes = pattern.split(".")[0] === INBOX_TOKEN;
  const problem = isInboxes ? "replies go to who asked alone" : topicPatternProblem(pattern);
  assertTopic(limits, `Cannot subscribe to "${shown(pattern)}"`, "the topic", pattern, problem);
}

function assertTopic(
  limits: MessagingLimits,
  doing: string,
  what: string,
  topic: string,
  problem: string | undefined,
): void {
  const bytes = Buffer.byteLength(topic, "utf8");
  assertWithin(`${doing}: ${what}`, bytes, limits.topicMaxBytes);
  if (problem !== undefined) {
    throw fault(Reason.ARGUMENT_INVALID, `${doing}: ${problem}`, { subject: shown(topic) });
  }
}

function assertWithin(what: string, got: number, limit: number): void {
  if (got > limit) throw fault(Reason.PROVIDER_LIMIT, `${what} exceeds ${limit} bytes (got ${got})`);
}

function shown(topic: string): string {
  return topic.slice(0, 64);
}
