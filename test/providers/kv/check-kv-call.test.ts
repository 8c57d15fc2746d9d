import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkKvCall, kvPermissionForCall } from "../../../src/providers/kv/check-kv-call.ts";
import type { KvCall } from "../../../src/providers/kv/kv.ts";
import type { Grant, KvPermission } from "../../../src/providers/permissions.ts";

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
    deniedPermissions: fc.constant([]),
  }),
  fc.record({
    providerId: fc.constantFrom("p1", "p2"),
    type: fc.constantFrom("http" as const, "messaging" as const),
    bucket: fc.constantFrom("", ...BUCKETS),
    // Even a grant that names the wrong type's permissions must give nothing.
    permissions: fc.subarray([...KV, "http:request", "msg:publish:>"]),
    deniedPermissions: fc.subarray([...KV, "http:request"]),
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
    { kind: "compareAndSwap", bucket, key: "k", expected: undefined, value: new Uint8Array() },
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
          deniedBy: [],
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
          expect(verdict.used).toEqual(kvPermissionForCall(call));
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

  it("denies what any assignment of the bucket denies, whatever its provider, and only that", () => {
    const deny: Grant = {
      providerId: "p2",
      type: "kv",
      bucket: "default",
      permissions: [],
      deniedPermissions: ["kv:write"],
    };
    const all: Grant = { providerId: "p1", type: "kv", bucket: "default", permissions: KV, deniedPermissions: [] };
    const set: KvCall = { kind: "set", bucket: "default", key: "k", value: new Uint8Array() };
    expect(checkKvCall([all], set).kind).toBe("allowed");
    expect(checkKvCall([all, deny], set)).toEqual({
      kind: "denied",
      needed: ["kv:write"],
      deniedBy: ["kv:write"],
      bucket: "default",
    });
    expect(checkKvCall([all, deny], { kind: "get", bucket: "default", key: "k" }).kind).toBe("allowed");
    expect(checkKvCall([all, deny], { kind: "open", bucket: "default" }).kind).toBe("allowed");
    expect(checkKvCall([{ ...all, bucket: "other" }, deny], { ...set, bucket: "other" }).kind).toBe("allowed");
  });

  it("denies all of a bucket by a denial that it does not understand", () => {
    const grant: Grant = {
      providerId: "p",
      type: "kv",
      bucket: "b",
      permissions: KV,
      deniedPermissions: ["kv:unheard-of"],
    };
    expect(checkKvCall([grant], { kind: "get", bucket: "b", key: "k" }).kind).toBe("denied");
    expect(checkKvCall([{ ...grant, deniedPermissions: [] }], { kind: "get", bucket: "b", key: "k" }).kind).toBe(
      "allowed",
    );
  });

  it("allows exactly what is held without its denials", () => {
    fc.assert(
      fc.property(
        fc.array(anyGrant, { maxLength: 4 }),
        anyBucket,
        fc.subarray([...KV]),
        anyCall,
        (grants, bucket, denied, call) => {
          const denial: Grant = { providerId: "p2", type: "kv", bucket, permissions: [], deniedPermissions: denied };
          const without = grants.map((grant) =>
            grant.type === "kv" && grant.bucket === bucket
              ? { ...grant, permissions: grant.permissions.filter((one) => !denied.some((other) => other === one)) }
              : grant,
          );
          expect(checkKvCall([...grants, denial], call).kind).toBe(checkKvCall(without, call).kind);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
