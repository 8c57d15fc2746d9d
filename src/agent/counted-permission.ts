/** Under which permission an operation is counted that was checked in the guest's own thread. Pure. */
import { isAtOrBelow } from "../providers/files/host-path.ts";
import { permissionIfValid, type Grant } from "../providers/permissions.ts";

/**
 * The permission as it was assigned or denied, where the runtime can only say what was asked for: a variable may be had by `env:*`, and a
 * folder be denied with one above it. What no assignment speaks of stays as it is.
 */
export function countedPermission(grants: readonly Grant[], asked: string, outcome: "used" | "denied"): string {
  const local = grants.filter((grant) => grant.type === "files" || grant.type === "environment");
  const assigned = local.flatMap((grant) => (outcome === "used" ? grant.permissions : grant.deniedPermissions));
  if (assigned.includes(asked)) return asked;
  return assigned.find((permission) => covers(permission, asked)) ?? asked;
}

function covers(permission: string, asked: string): boolean {
  const [wide, narrow] = [permissionIfValid(permission), permissionIfValid(asked)];
  if (wide?.kind === "env") return wide.name === "*" && narrow?.kind === "env";
  return (
    wide?.kind === "folder" &&
    narrow?.kind === "folder" &&
    wide.access === narrow.access &&
    isAtOrBelow(wide.hostPath, narrow.hostPath)
  );
}
