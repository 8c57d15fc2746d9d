import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkPublish,
  checkSubscribe,
  subscriptionsFromGrants,
} from "../../../src/providers/messaging/check-messaging.ts";
import { doTopicsOverlap, hasWildcard, isTopicWithin, topicProblem } from "../../../src/providers/messaging/topic.ts";
import type { Grant } from "../../../src/providers/permissions.ts";

const grant = (
  permissions: readonly string[],
  deniedPermissions: readonly string[] = [],
  providerId = "bus",
): Grant => ({
  providerId,
  type: "messaging",
  bucket: "",
  permissions,
  deniedPermissions,
});

const TOKENS = ["a", "b", "c"];
const anyTopic = fc.array(fc.constantFrom(...TOKENS), { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join("."));
const anyPattern = fc
  .tuple(fc.array(fc.constantFrom(...TOKENS, "*"), { maxLength: 3 }), fc.constantFrom("a", "*", ">"))
  .map(([tokens, last]) => [...tokens, last].join("."));
const anyPermission = fc
  .tuple(fc.constantFrom("publish", "subscribe"), anyPattern)
  .map(([kind, pattern]) => `msg:${kind}:${pattern}`);
const anyGrant = fc
  .record({ permissions: fc.array(anyPermission, { maxLength: 3 }), denied: fc.array(anyPermission, { maxLength: 2 }) })
  .map(({ permissions, denied }) => grant(permissions, denied));

/** By a regular expression, as a judge that shares nothing with the code. */
const matches = (pattern: string, topic: string): boolean =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replace(/>$/, ".+")}$`).test(topic);
const ALL_TOPICS = ["a", "b", "c", "d"].flatMap((one) => [
  one,
  ...["a", "b", "c", "d"].flatMap((two) => [
    `${one}.${two}`,
    ...["a", "b", "c", "d"].flatMap((three) => [
      `${one}.${two}.${three}`,
      `${one}.${two}.${three}.d`,
      `${one}.${two}.${three}.a`,
      `${one}.${two}.${three}.d.d`,
    ]),
  ]),
]);

describe("topic patterns", () => {
  it("match as NATS has it", () => {
    fc.assert(
      fc.property(anyPattern, anyTopic, (pattern, topic) => {
        expect(isTopicWithin(pattern, topic)).toBe(matches(pattern, topic));
        expect(doTopicsOverlap(pattern, topic)).toBe(matches(pattern, topic));
      }),
      { numRuns: 1000 },
    );
  });

  it("lie within one another, and overlap, as the topics that they stand for do", () => {
    fc.assert(
      fc.property(anyPattern, anyPattern, (outer, inner) => {
        const of = (pattern: string): readonly string[] => ALL_TOPICS.filter((topic) => matches(pattern, topic));
        const [wide, narrow] = [new Set(of(outer)), of(inner)];
        expect(isTopicWithin(outer, inner)).toBe(narrow.every((topic) => wide.has(topic)));
        expect(doTopicsOverlap(outer, inner)).toBe(narrow.some((topic) => wide.has(topic)));
        expect(doTopicsOverlap(inner, outer)).toBe(doTopicsOverlap(outer, inner));
      }),
      { numRuns: 1000 },
    );
  });

  it("are not topics of messages", () => {
    expect(topicProblem("orders.eu")).toBeUndefined();
    expect(topicProblem("orders.*")).toContain("no wildcards");
    expect(topicProblem("orders..eu")).toContain("empty token");
    expect(hasWildcard("orders.>")).toBe(true);
    expect(hasWildcard("orders.eu")).toBe(false);
  });
});

describe("checking a message to be published", () => {
  it("says which permission let it pass, or would", () => {
    const orders = grant(["msg:subscribe:>", "msg:publish:orders.*"]);
    expect(checkPublish([orders], "orders.eu")).toEqual({
      kind: "allowed",
      assignment: orders,
      permission: "msg:publish:orders.*",
    });
    expect(checkPublish([orders], "users.eu")).toEqual({
      kind: "denied",
      needed: "msg:publish:users.eu",
      deniedBy: undefined,
    });
    expect(checkPublish([orders, grant([], ["msg:publish:orders.eu"], "other")], "orders.eu")).toEqual({
      kind: "denied",
      needed: "msg:publish:orders.eu",
      deniedBy: "msg:publish:orders.eu",
    });
  });

  it.each(["orders.*", ">", "", "a..b", "a b"])("denies %j, which is no topic", (topic) => {
    expect(checkPublish([grant(["msg:publish:>"])], topic).kind).toBe("denied");
    expect(checkPublish([grant(["msg:publish:>"])], "a.b").kind).toBe("allowed");
  });

  it("lets who receives answer to an inbox, and nobody else", () => {
    expect(checkPublish([grant(["msg:subscribe:a"])], "_INBOX.x1").kind).toBe("allowed");
    expect(checkPublish([grant(["msg:subscribe:a"])], "b").kind).toBe("denied");
    expect(checkPublish([grant(["msg:publish:b"])], "_INBOX.x1").kind).toBe("denied");
    expect(checkPublish([grant(["msg:subscribe:a"], ["msg:publish:>"])], "_INBOX.x1").kind).toBe("denied");
  });

  it("goes by nothing but messaging grants, and denies all by a denial that it does not understand", () => {
    expect(checkPublish([{ ...grant(["msg:publish:>"]), type: "http" }], "a").kind).toBe("denied");
    expect(checkPublish([grant(["kv:read", "nonsense"])], "a").kind).toBe("denied");
    expect(checkPublish([grant(["msg:publish:>"], ["nonsense"])], "a")).toMatchObject({ deniedBy: "nonsense" });
  });
});

describe("checking what an instance receives", () => {
  it("takes a pattern only if one permission covers it and no denial touches it", () => {
    const orders = grant(["msg:subscribe:orders.>", "msg:publish:>"]);
    expect(checkSubscribe([orders], "orders.*").kind).toBe("allowed");
    expect(checkSubscribe([orders], ">").kind).toBe("denied");
    expect(checkSubscribe([orders, grant([], ["msg:subscribe:*.secret"])], "orders.>").kind).toBe("denied");
    expect(checkSubscribe([orders, grant([], ["msg:subscribe:*.secret"])], "orders.eu").kind).toBe("allowed");
    expect(checkSubscribe([orders], "orders..eu").kind).toBe("denied");
  });

  it("becomes subscriptions without what others cover or a denial takes away", () => {
    const grants = [
      grant(["msg:subscribe:orders.*", "msg:subscribe:orders.eu", "msg:subscribe:secret.x", "msg:subscribe:_INBOX.>"]),
      grant(["msg:subscribe:orders.*", "msg:publish:b"]),
      grant(["msg:subscribe:orders.eu"], ["msg:subscribe:secret.>"], "nats"),
    ];
    expect(subscriptionsFromGrants(grants)).toEqual([
      { providerId: "bus", topic: "orders.*", permission: "msg:subscribe:orders.*" },
      { providerId: "nats", topic: "orders.eu", permission: "msg:subscribe:orders.eu" },
    ]);
  });

  it("reaches by its subscriptions every topic that it may receive, and each pattern stands once", () => {
    fc.assert(
      fc.property(fc.array(anyGrant, { maxLength: 3 }), anyTopic, (grants, topic) => {
        const subscriptions = subscriptionsFromGrants(grants);
        const isReached = subscriptions.some((one) => isTopicWithin(one.topic, topic));
        if (checkSubscribe(grants, topic).kind === "allowed") expect(isReached).toBe(true);
        expect(new Set(subscriptions.map((one) => one.topic)).size).toBe(subscriptions.length);
      }),
      { numRuns: 1000 },
    );
  });
});

describe.each([
  ["publishing", checkPublish, "publish"],
  ["receiving", checkSubscribe, "subscribe"],
] as const)("permissions for %s", (_, check, word) => {
  it("permit exactly what some permission matches and no denial does", () => {
    fc.assert(
      fc.property(fc.array(anyGrant, { maxLength: 3 }), anyTopic, (grants, topic) => {
        const isMatched = (texts: readonly string[]): boolean =>
          texts.some((text) => text.startsWith(`msg:${word}:`) && matches(text.slice(`msg:${word}:`.length), topic));
        const expected =
          isMatched(grants.flatMap((one) => one.permissions)) &&
          !isMatched(grants.flatMap((one) => one.deniedPermissions));
        const verdict = check(grants, topic);
        expect(verdict.kind).toBe(expected ? "allowed" : "denied");
        if (verdict.kind === "allowed") expect(verdict.assignment.permissions).toContain(verdict.permission);
      }),
      { numRuns: 1000 },
    );
  });

  it("never widen by a denial nor narrow by a grant", () => {
    fc.assert(
      fc.property(fc.array(anyGrant, { maxLength: 3 }), anyPermission, anyTopic, (grants, one, topic) => {
        const before = check(grants, topic).kind;
        if (check([...grants, grant([], [one])], topic).kind === "allowed") expect(before).toBe("allowed");
        if (before === "allowed") expect(check([...grants, grant([one])], topic).kind).toBe("allowed");
      }),
      { numRuns: 1000 },
    );
  });
});
