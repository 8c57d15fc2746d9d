/** Whether an instance may make a key-value call. Pure. */
import { KV_PERMISSIONS, type Grant, type KvPermission } from "../permissions.ts";
import type { KvCall } from "./kv.ts";

/** Whether a call may go ahead. */
export type KvVerdict =
  /** `assignment` names the provider that carries the call out; `used` are the permissions that it needed, none for `open`. */
  | { readonly kind: "allowed"; readonly assignment: Grant; readonly used: readonly KvPermission[] }
  /**
   * No assignment permits it; `needed` is what one would have to hold (for `open`, any one of them). `deniedBy` are those
   * of them that the bucket's denials name, which no further grant can help.
   */
  | {
      readonly kind: "denied";
      readonly needed: readonly KvPermission[];
      readonly deniedBy: readonly KvPermission[];
      readonly bucket: string;
    };

/** What a call needs, all of it together; empty for `open`, which any assignment of its bucket permits. */
export function kvPermissionForCall(call: KvCall): readonly KvPermission[] {
  return KV_NEEDS[call.kind];
}

/**
 * Decides one call by the assignments of the instance that makes it, and by nothing else. Denied unless one provider
 * was granted, for exactly this bucket, everything that the call needs; several assignments of the same
 * provider and bucket count together. What any assignment of the bucket denies, of whichever provider, is not held.
 */
export function checkKvCall(assignments: readonly Grant[], call: KvCall): KvVerdict {
  const { bucket } = call;
  const needed = kvPermissionForCall(call);
  const candidates = assignments.filter((grant) => grant.type === "kv" && grant.bucket === bucket);
  const isDenied = deniedAmong(candidates);
  for (const assignment of candidates) {
    const held = candidates
      .filter((grant) => grant.providerId === assignment.providerId)
      .flatMap((grant) => grant.permissions)
      .filter((permission) => !isDenied(permission));
    const permitted =
      call.kind === "open"
        ? KV_PERMISSIONS.some((one) => held.includes(one))
        : needed.every((one) => held.includes(one));
    if (permitted) return { kind: "allowed", assignment, used: needed };
  }
  const wanted = call.kind === "open" ? KV_PERMISSIONS : needed;
  return { kind: "denied", needed: wanted, deniedBy: wanted.filter(isDenied), bucket };
}

/** A denial that is none of the kv permissions denies all: it must not be without effect because it is not understood. */
function deniedAmong(grants: readonly Grant[]): (permission: string) => boolean {
  const denied = grants.flatMap((grant) => grant.deniedPermissions);
  const isAllDenied = denied.some((permission) => !KV_PERMISSIONS.some((one) => one === permission));
  return (permission) => isAllDenied || denied.includes(permission);
}

const KV_NEEDS: Readonly<Record<KvCall["kind"], readonly KvPermission[]>> = {
  open: [],
  get: ["kv:read"],
  exists: ["kv:read"],
  listKeys: ["kv:read"],
  getMany: ["kv:read"],
  set: ["kv:write"],
  setMany: ["kv:write"],
  delete: ["kv:delete"],
  deleteMany: ["kv:delete"],
  increment: ["kv:read", "kv:write"],
  // Whether it took place tells what the value was.
  compareAndSwap: ["kv:read", "kv:write"],
};
