/** Whether an instance may publish or receive on a topic. Pure. */
import { permissionIfValid, type Grant, type Permission } from "../permissions.ts";
import { doTopicsOverlap, INBOX_TOKEN, isInbox, isTopicWithin, topicPatternProblem, topicProblem } from "./topic.ts";

/** Whether it may go ahead. */
export type MessagingVerdict =
  /** `permission` is the string that permits it, as it stands in `assignment`, which names the provider. */
  | { readonly kind: "allowed"; readonly assignment: Grant; readonly permission: string }
  /** `needed` would permit it; `deniedBy` is the denial that forbids it, whatever else is granted. */
  | { readonly kind: "denied"; readonly needed: string; readonly deniedBy: string | undefined };

/**
 * Decides one message to `topic` by the assignments of the instance that publishes it. An answer to an inbox also goes
 * by any `msg:subscribe` permission: who receives may answer, and an inbox's name is known only to whom it was sent.
 * A topic that is none (wildcards, empty tokens) is denied; check it before, for a better message.
 */
export function checkPublish(grants: readonly Grant[], topic: string): MessagingVerdict {
  const needed = topicProblem(topic) === undefined ? `msg:publish:${topic}` : "msg:publish:TOPIC";
  const isFor = (permission: Permission): boolean =>
    permission.kind === "publish" && needed !== "msg:publish:TOPIC" && isTopicWithin(permission.topic, topic);
  const verdict = decide(grants, needed, isFor, isFor);
  if (verdict.kind === "allowed" || verdict.deniedBy !== undefined || !isInbox(topic)) return verdict;
  return decide(grants, needed, (permission) => permission.kind === "subscribe", isFor);
}

/**
 * Decides whether an instance may receive what is sent to `topic`, a topic or a pattern. For a pattern: whether one
 * permission stands for all of it and no denial for any of it.
 */
export function checkSubscribe(grants: readonly Grant[], topic: string): MessagingVerdict {
  const isValid = topicPatternProblem(topic) === undefined;
  return decide(
    grants,
    isValid ? `msg:subscribe:${topic}` : "msg:subscribe:TOPIC",
    (permission) => permission.kind === "subscribe" && isValid && isTopicWithin(permission.topic, topic),
    (permission) => permission.kind === "subscribe" && isValid && doTopicsOverlap(permission.topic, topic),
  );
}

/** What to subscribe to in the name of an instance. */
export type GrantedSubscription = { readonly providerId: string; readonly topic: string; readonly permission: string };

/**
 * The subscriptions that an instance's grants stand for: none twice, none that lies within another of the same provider, none
 * that a denial covers as a whole. A denial may cover a part: `checkSubscribe` decides each message. Patterns that cross
 * (`a.*` and `*.b`) both come; in one group of a provider they get a message once.
 */
export function subscriptionsFromGrants(grants: readonly Grant[]): readonly GrantedSubscription[] {
  const all = ofMessaging(grants).flatMap((grant) =>
    grant.permissions.flatMap((permission) => {
      const parsed = permissionIfValid(permission);
      return parsed?.kind === "subscribe" ? [{ providerId: grant.providerId, topic: parsed.topic, permission }] : [];
    }),
  );
  const denials = denialsOf(grants);
  const isCovered = (topic: string): boolean =>
    denials.some(
      ({ permission }) =>
        permission === undefined || (permission.kind === "subscribe" && isTopicWithin(permission.topic, topic)),
    );
  return all.filter(
    (one, index) =>
      !isCovered(one.topic) &&
      // Requesters' inboxes are not to be had, whatever was granted.
      one.topic.split(".")[0] !== INBOX_TOKEN &&
      !all.some(
        (other, position) =>
          other.providerId === one.providerId &&
          isTopicWithin(other.topic, one.topic) &&
          (other.topic !== one.topic || position < index),
      ),
  );
}

function decide(
  grants: readonly Grant[],
  needed: string,
  isPermitting: (permission: Permission) => boolean,
  isDenying: (permission: Permission) => boolean,
): MessagingVerdict {
  // A denial that is not understood denies all.
  const denial = denialsOf(grants).find(({ permission }) => permission === undefined || isDenying(permission));
  if (denial !== undefined) return { kind: "denied", needed, deniedBy: denial.text };
  for (const assignment of ofMessaging(grants)) {
    const permission = assignment.permissions.find((text) => {
      const parsed = permissionIfValid(text);
      return parsed !== undefined && isPermitting(parsed);
    });
    if (permission !== undefined) return { kind: "allowed", assignment, permission };
  }
  return { kind: "denied", needed, deniedBy: undefined };
}

function denialsOf(
  grants: readonly Grant[],
): readonly { readonly text: string; readonly permission: Permission | undefined }[] {
  return ofMessaging(grants).flatMap((grant) =>
    grant.deniedPermissions.map((text) => ({ text, permission: permissionIfValid(text) })),
  );
}

function ofMessaging(grants: readonly Grant[]): readonly Grant[] {
  return grants.filter((grant) => grant.type === "messaging");
}
