/** `--allow-kv[=BUCKET[:PERMISSIONS][@PROVIDER]]`: what a guest may do with one bucket. Pure. */
import { UsageError } from "../usage-error.ts";

/** What one flag says. */
export type KvGrant = {
  /** Empty for the bucket "default". */
  readonly bucket: string;
  /** Each of `kv:read`, `kv:write`, `kv:delete` at most once; empty if the flag names none, which means all. */
  readonly permissions: readonly string[];
  /** Empty for the node's default provider. */
  readonly providerId: string;
};

/** All that may be done with a bucket. */
export const KV_PERMISSIONS: readonly string[] = ["kv:read", "kv:write", "kv:delete"];

const FORM = "write it like --allow-kv, --allow-kv=BUCKET or --allow-kv=BUCKET:read,write,delete";

/** Understands what stands behind `--allow-kv=`; empty if nothing does. Throws `UsageError` with what is wrong. */
export function kvGrantFromText(text: string): KvGrant {
  const providerAt = text.lastIndexOf("@");
  const providerId = providerAt < 0 ? "" : text.slice(providerAt + 1);
  if (providerAt >= 0 && providerId === "") throw new UsageError(`the provider after "@" is missing; ${FORM}`);
  const rest = providerAt < 0 ? text : text.slice(0, providerAt);
  const permissionsAt = rest.indexOf(":");
  if (permissionsAt < 0) return { bucket: rest, permissions: [], providerId };
  const names = rest.slice(permissionsAt + 1).split(",");
  const permissions = [...new Set(names.map(permissionFromName))];
  return { bucket: rest.slice(0, permissionsAt), permissions, providerId };
}

/** The flag's value that says `grant`; the opposite of `kvGrantFromText`. */
export function kvGrantText(grant: KvGrant): string {
  const names = grant.permissions.map((permission) => permission.replace(/^kv:/, "")).join(",");
  return `${grant.bucket}${names === "" ? "" : `:${names}`}${grant.providerId === "" ? "" : `@${grant.providerId}`}`;
}

function permissionFromName(name: string): string {
  const permission = name.startsWith("kv:") ? name : `kv:${name}`;
  if (KV_PERMISSIONS.includes(permission)) return permission;
  throw new UsageError(
    name === ""
      ? `a permission is missing; ${FORM}`
      : `"${name}" is not a permission; there are read, write and delete`,
  );
}
