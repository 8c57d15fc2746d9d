/**
 * Topics and topic patterns. A topic is tokens with dots between: `orders.eu.created`. As in NATS, in a pattern `*`
 * stands for exactly one token, `>` at the end for one or more. Pure.
 */

/** Longest topic or pattern in permissions, in characters. */
export const TOPIC_MAX_CHARACTERS = 255;

/** What is wrong with `pattern` as a topic pattern; `undefined` if nothing is. */
export function topicPatternProblem(pattern: string): string | undefined {
  if (pattern.length > TOPIC_MAX_CHARACTERS) return `the topic is longer than ${TOPIC_MAX_CHARACTERS} characters`;
  const tokens = pattern.split(".");
  for (const [index, token] of tokens.entries()) {
    if (token === "") return "the topic has an empty token; tokens stand between single dots, as in orders.eu.created";
    if (token === ">" && index !== tokens.length - 1) return "> may only be the last token, as in orders.>";
    if (token !== ">" && token !== "*" && /[*>]/.test(token)) {
      return "* and > must be whole tokens, as in orders.*.created or orders.>";
    }
    if (/[\s\p{Cc}]/u.test(token) || !token.isWellFormed()) {
      return "the topic has white space or a control character in it";
    }
  }
  return undefined;
}

/** What is wrong with `topic` as the place of one message; `undefined` if nothing is. */
export function topicProblem(topic: string): string | undefined {
  return topicPatternProblem(topic) ?? (hasWildcard(topic) ? "the topic of a message has no wildcards" : undefined);
}

/** Whether a valid pattern has wildcards. */
export function hasWildcard(pattern: string): boolean {
  return /[*>]/.test(pattern);
}

/** Whether every topic that `inner` stands for is one that `outer` stands for; for a topic without wildcards: whether `outer` matches it. Both are valid. */
export function isTopicWithin(outer: string, inner: string): boolean {
  const [wide, narrow] = [outer.split("."), inner.split(".")];
  for (const [index, token] of wide.entries()) {
    const other = narrow[index];
    if (other === undefined) return false;
    if (token === ">") return true;
    if (other === ">" || (token !== "*" && token !== other)) return false;
  }
  return wide.length === narrow.length;
}

/** Whether there is a topic that both patterns stand for. Both are valid. */
export function doTopicsOverlap(left: string, right: string): boolean {
  const [one, two] = [left.split("."), right.split(".")];
  for (let index = 0; ; index += 1) {
    const [a, b] = [one[index], two[index]];
    if (a === undefined || b === undefined) return a === b;
    if (a === ">" || b === ">") return true;
    if (a !== "*" && b !== "*" && a !== b) return false;
  }
}

/** First token of the topics that answers come to; nobody subscribes to them, they are the requester's. */
export const INBOX_TOKEN = "_INBOX";

/** Whether `topic` is where a requester waits for its answer. */
export function isInbox(topic: string): boolean {
  return topic.startsWith(`${INBOX_TOKEN}.`);
}
