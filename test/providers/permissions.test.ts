import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../src/fault.ts";
import type { KvCall } from "../../src/providers/kv/kv.ts";
import {
  assertPermissionsFit,
  checkKvCall,
  kvPermissionForCall,
  parsePermission,
  type CapabilityType,
  type Grant,
  type KvPermission,
  type Permission,
} from "../../src/providers/permissions.ts";

const messageOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (isFault(error, Reason.PERMISSION_INVALID)) return error.message;
    throw error;
  }
  throw new Error("was accepted");
};

describe("parsing a permission", () => {
  it.each<[string, Permission]>([
    ["kv:read", { kind: "kv", permission: "kv:read" }],
    ["kv:write", { kind: "kv", permission: "kv:write" }],
    ["kv:delete", { kind: "kv", permission: "kv:delete" }],
    ["http:request", { kind: "http-request" }],
    ["http:domain:API.example.com", { kind: "http-domain", domain: "api.example.com" }],
    ["http:domain:*.example.com", { kind: "http-domain", domain: "*.example.com" }],
    ["http:domain:localhost", { kind: "http-domain", domain: "localhost" }],
    ["http:domain:127.0.0.1", { kind: "http-domain", domain: "127.0.0.1" }],
    ["msg:publish:orders.*.created", { kind: "publish", topic: "orders.*.created" }],
    ["msg:subscribe:orders.>", { kind: "subscribe", topic: "orders.>" }],
    ["msg:subscribe:>", { kind: "subscribe", topic: ">" }],
    ["msg:publish:Bestellungen.größer", { kind: "publish", topic: "Bestellungen.größer" }],
  ])("understands %s", (text, permission) => {
    expect(parsePermission(text)).toEqual(permission);
  });

  it.each<[string, string]>([
    [
      "",
      "there is no such permission; there are kv:read, kv:write, kv:delete, http:request, http:domain:DOMAIN, msg:publish:TOPIC, msg:subscribe:TOPIC",
    ],
    ["kv:admin", "there is no such permission"],
    ["KV:READ", "there is no such permission"],
    [" kv:read", "there is no such permission"],
    ["kv:read ", "there is no such permission"],
    ["kv:read,kv:write", "there is no such permission"],
    ["constructor", "there is no such permission"],
    ["http:domain:", "a domain is missing after the colon"],
    ["http:domain:*.", "a domain is missing after the colon"],
    ["http:domain:*", "* may only stand at the beginning"],
    ["http:domain:a.*.com", "* may only stand at the beginning"],
    ["http:domain:*a.com", "* may only stand at the beginning"],
    ["http:domain:https://example.com", "without scheme, port or path"],
    ["http:domain:example.com:443", "without scheme, port or path"],
    ["http:domain:user@example.com", "without scheme, port or path"],
    ["http:domain:example..com", '"" is not a label of a domain'],
    ["http:domain:example.com.", '"" is not a label of a domain'],
    ["http:domain:-a.com", '"-a" is not a label of a domain'],
    ["http:domain:müller.de", "in their xn-- form"],
    [`http:domain:${"a".repeat(64)}.com`, "1 to 63 letters"],
    [`http:domain:${"a.".repeat(130)}com`, "longer than 253 characters"],
    ["msg:publish:", "a topic is missing after the colon, as in msg:publish:orders.*"],
    ["msg:publish:a..b", "has an empty token"],
    ["msg:publish:.a", "has an empty token"],
    ["msg:publish:a.>.b", "> may only be the last token"],
    ["msg:publish:a.b*", "must be whole tokens"],
    ["msg:publish:a.**", "must be whole tokens"],
    ["msg:subscribe:a b", "white space"],
    ["msg:subscribe:a\u0000", "control character"],
    [`msg:subscribe:${"a".repeat(256)}`, "longer than 255 characters"],
    ["x".repeat(301), "longer than 300 characters"],
  ])("refuses %j with a sentence", (text, part) => {
    const message = messageOf(() => parsePermission(text));
    expect(message).toContain(part);
    expect(message).toMatch(/^Cannot accept permission ".*": /su);
    expect(message.length).toBeLessThan(700);
  });

  it("takes any text without failing in any other way", () => {
    const prefix = fc.constantFrom("", "kv:", "http:domain:", "http:domain:*.", "msg:publish:", "msg:subscribe:");
    fc.assert(
      fc.property(
        prefix,
        fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: fc.constantFrom("a", ".", "*", ">", "-") })),
        (start, rest) => {
          let permission: Permission;
          try {
            permission = parsePermission(start + rest);
          } catch (error) {
            expect(isFault(error, Reason.PERMISSION_INVALID)).toBe(true);
            return;
          }
          if (permission.kind === "http-domain")
            expect(permission.domain).toMatch(/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/);
          if (permission.kind === "publish" || permission.kind === "subscribe")
            expect(permission.topic).not.toMatch(/\s|^\.|\.\.|\.$/);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("permissions of a capability type", () => {
  it.each<[CapabilityType, readonly string[]]>([
    ["kv", ["kv:read", "kv:delete"]],
    ["http", ["http:request", "http:domain:a.com"]],
    ["messaging", ["msg:publish:a", "msg:subscribe:b.>"]],
  ])("fit %s", (type, permissions) => {
    assertPermissionsFit(type, permissions);
  });

  it("do not fit another type, and the message says which would", () => {
    expect(messageOf(() => assertPermissionsFit("messaging", ["msg:publish:a", "kv:read"]))).toBe(
      'Cannot accept permission "kv:read": it belongs to the capability type kv, not to messaging; for messaging there are msg:publish:TOPIC, msg:subscribe:TOPIC',
    );
  });

  it("must be at least one", () => {
    expect(messageOf(() => assertPermissionsFit("kv", []))).toBe(
      "Cannot grant kv: no permission is named; there are kv:read, kv:write, kv:delete",
    );
  });
});

const BUCKETS = ["default", "Default", "default ", "other"];
const KV: readonly KvPermission[] = ["kv:read", "kv:write", "kv:delete"];
const anyBucket = fc.constantFrom(...BUCKETS);
const anyPermissions = fc.subarray([...KV]);
const anyGrant: fc.Arbitrary<Grant> = fc.oneof(
  fc.record({
    providerId: fc.constantFrom("p1", "p2"),
    type: fc.constant("kv" as const),
    bucket: anyBucket,
    permissions: anyPermissions,
  }),
  fc.record({
    providerId: fc.constantFrom("p1", "p2"),
    type: fc.constantFrom("http" as const, "messaging" as const),
    bucket: fc.constantFrom("", ...BUCKETS),
    // Even a grant that names the wrong type's permissions must give nothing.
    permissions: fc.subarray([...KV, "http:request", "msg:publish:>"]),
  }),
);
const anyCall: fc.Arbitrary<KvCall> = anyBucket.chain((bucket) =>
  fc.constantFrom<KvCall>(
    { kind: "open", bucket },
    { kind: "get", bucket, key: "k" },
    { kind: "set", bucket, key: "k", value: new Uint8Array() },
    { kind: "delete", bucket, key: "k" },
    { kind: "exists", bucket, key: "k" },
    { kind: "listKeys", bucket, cursor: undefined },
    { kind: "increment", bucket, key: "k", delta: 1n },
    { kind: "compareAndSwap", bucket, key: "k", expected: undefined, value: new Uint8Array() },
    { kind: "getMany", bucket, keys: ["k"] },
    { kind: "setMany", bucket, entries: [] },
    { kind: "deleteMany", bucket, keys: [] },
  ),
);

describe("checking a key-value call", () => {
  it("needs what the operation does", () => {
    const bucket = "b";
    expect(kvPermissionForCall({ kind: "get", bucket, key: "k" })).toEqual(["kv:read"]);
    expect(kvPermissionForCall({ kind: "exists", bucket, key: "k" })).toEqual(["kv:read"]);
    expect(kvPermissionForCall({ kind: "listKeys", bucket, cursor: undefined })).toEqual(["kv:read"]);
    expect(kvPermissionForCall({ kind: "getMany", bucket, keys: [] })).toEqual(["kv:read"]);
    expect(kvPermissionForCall({ kind: "set", bucket, key: "k", value: new Uint8Array() })).toEqual(["kv:write"]);
    expect(kvPermissionForCall({ kind: "setMany", bucket, entries: [] })).toEqual(["kv:write"]);
    expect(kvPermissionForCall({ kind: "delete", bucket, key: "k" })).toEqual(["kv:delete"]);
    expect(kvPermissionForCall({ kind: "deleteMany", bucket, keys: [] })).toEqual(["kv:delete"]);
    expect(kvPermissionForCall({ kind: "increment", bucket, key: "k", delta: 1n })).toEqual(["kv:read", "kv:write"]);
    expect(kvPermissionForCall({ kind: "open", bucket })).toEqual([]);
  });

  it("denies everything to an instance without an assignment", () => {
    fc.assert(
      fc.property(anyCall, (call) => {
        expect(checkKvCall([], call)).toEqual({
          kind: "denied",
          needed: call.kind === "open" ? KV : kvPermissionForCall(call),
          bucket: call.bucket,
        });
      }),
      { numRuns: 1000 },
    );
  });

  it("allows exactly what some one provider was granted for exactly that bucket", () => {
    fc.assert(
      fc.property(fc.array(anyGrant, { maxLength: 6 }), anyCall, (grants, call) => {
        const heldFrom = (providerId: string): Set<string> =>
          new Set(
            grants
              .filter((grant) => grant.type === "kv" && grant.bucket === call.bucket && grant.providerId === providerId)
              .flatMap((grant) => grant.permissions),
          );
        const serves = (providerId: string): boolean => {
          const held = heldFrom(providerId);
          return call.kind === "open" ? held.size > 0 : kvPermissionForCall(call).every((needed) => held.has(needed));
        };
        const verdict = checkKvCall(grants, call);
        expect(verdict.kind).toBe(serves("p1") || serves("p2") ? "allowed" : "denied");
        if (verdict.kind === "allowed") {
          expect(grants).toContain(verdict.assignment);
          expect(verdict.assignment).toMatchObject({ type: "kv", bucket: call.bucket });
          expect(serves(verdict.assignment.providerId)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("is never changed by what other instances hold, nor by assignments of other buckets", () => {
    fc.assert(
      fc.property(
        fc.array(anyGrant, { maxLength: 4 }),
        fc.array(anyGrant, { maxLength: 4 }),
        anyCall,
        (mine, others, call) => {
          const byInstance = new Map([
            ["mine", mine],
            ["theirs", others],
          ]);
          const alone = checkKvCall(mine, call);
          expect(checkKvCall(byInstance.get("mine") ?? [], call)).toEqual(alone);
          const elsewhere = others.filter((grant) => grant.bucket !== call.bucket);
          expect(checkKvCall([...elsewhere, ...mine], call)).toEqual(alone);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("allows no more after an assignment is revoked than before", () => {
    fc.assert(
      fc.property(fc.array(anyGrant, { minLength: 1, maxLength: 5 }), fc.nat(), anyCall, (grants, pick, call) => {
        const left = grants.toSpliced(pick % grants.length, 1);
        if (checkKvCall(left, call).kind === "allowed") expect(checkKvCall(grants, call).kind).toBe("allowed");
      }),
      { numRuns: 1000 },
    );
  });
});
