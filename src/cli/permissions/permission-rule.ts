/** One thing that an instance may or may not do, as flags and manifests say it. Pure. */
import { canonicalPermission } from "../../providers/permissions.ts";
import { isFault, Reason } from "../../fault.ts";
import { UsageError } from "../usage-error.ts";
import { KV_PERMISSIONS, type KvGrant } from "./kv-grant-flag.ts";

/** The capability types of the contract, by the words that tables show. */
export type CapabilityWord = "kv" | "http" | "messaging" | "files" | "environment";

/** See the top of the file. */
export type PermissionRule = {
  readonly effect: "allow" | "deny";
  readonly type: CapabilityWord;
  /** As the API spells it: `http:domain:api.example.com`, `fs:read:/srv/data::/data`. */
  readonly permission: string;
  /** For kv; empty for the bucket "default". Otherwise empty. */
  readonly bucket: string;
  /** Empty for the node's default provider of the type. */
  readonly providerId: string;
};

/** What a rule does. */
export type RuleEffect = PermissionRule["effect"];

/** A rule of any type but kv, in the one spelling that agents use. Throws `UsageError` for what is no permission. */
export function ruleOf(effect: RuleEffect, type: Exclude<CapabilityWord, "kv">, permission: string): PermissionRule {
  return { effect, type, permission: checkedPermission(permission), bucket: "", providerId: "" };
}

/** The one spelling of a permission; throws `UsageError` for what is none. */
export function checkedPermission(permission: string): string {
  try {
    return canonicalPermission(permission);
  } catch (error) {
    if (isFault(error, Reason.PERMISSION_INVALID)) throw new UsageError(error.message);
    throw error;
  }
}

/** The rules of one `--allow-kv` or `--deny-kv`: all permissions if the flag names none. */
export function kvRules(effect: RuleEffect, grant: KvGrant): PermissionRule[] {
  const { bucket, providerId } = grant;
  const permissions = grant.permissions.length === 0 ? KV_PERMISSIONS : grant.permissions;
  return permissions.map((permission) => ({ effect, type: "kv", permission, bucket, providerId }));
}

/** The capability type whose permission strings begin like `permission`; `undefined` if there is none. */
export function typeOfPermission(permission: string): CapabilityWord | undefined {
  return TYPE_OF_PREFIX[/^([a-z]+):/.exec(permission)?.[1] ?? ""];
}

const TYPE_OF_PREFIX: Readonly<Record<string, CapabilityWord>> = {
  kv: "kv",
  http: "http",
  msg: "messaging",
  fs: "files",
  env: "environment",
};
