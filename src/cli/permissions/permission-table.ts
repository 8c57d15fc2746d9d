/** What an instance may do, may not do, and has tried, with counts, for people. Pure. */
import {
  CapabilityType,
  type Assignment,
  type Instance,
  type PermissionUse,
} from "../../gen/wasmatrix/v1/instance_pb.ts";

/** One permission of an instance. */
export type PermissionRow = {
  /** `granted` and `denied` by an assignment; without one, `own` for a variable of the start order, `revoked` if it was used before, and `missing` if it was only asked for. */
  readonly standing: "granted" | "denied" | "own" | "revoked" | "missing";
  readonly permission: string;
  /** For kv; otherwise empty. */
  readonly bucket: string;
  /** Empty if it is the only one of its kind. */
  readonly provider: string;
  readonly usedCount: bigint;
  readonly refusedCount: bigint;
};

/** Granted ones first, then denied ones, then those that are gone or were asked for in vain. */
export function permissionRows(
  instance: Pick<Instance, "assignments" | "permissionUses" | "envNames">,
): PermissionRow[] {
  const left = new Set(instance.permissionUses);
  const rows = (standing: "granted" | "denied", assignment: Assignment): PermissionRow[] => {
    const bucket = assignment.type === CapabilityType.KV ? assignment.bucket || "default" : "";
    const permissions = standing === "granted" ? assignment.permissions : assignment.deniedPermissions;
    return permissions.map((permission) => {
      const use = instance.permissionUses.find((one) => one.permission === permission && (one.bucket || "") === bucket);
      // A permission that stands in both lists has one count: it is shown where it has its effect.
      const isCounted =
        use !== undefined && (standing === "denied" || !assignment.deniedPermissions.includes(permission));
      if (isCounted) left.delete(use);
      return rowOf({ standing, permission, bucket, provider: assignment.providerId }, isCounted ? use : undefined);
    });
  };
  const { assignments } = instance;
  return [
    ...assignments.flatMap((assignment) => rows("granted", assignment)),
    ...assignments.flatMap((assignment) => rows("denied", assignment)),
    ...[...left].map((use) => {
      const isOwn = instance.envNames.some((name) => use.permission === `env:${name}`);
      const standing = isOwn ? "own" : use.usedCount > 0n ? "revoked" : "missing";
      return rowOf({ standing, permission: use.permission, bucket: use.bucket, provider: "" }, use);
    }),
  ];
}

function rowOf(row: Omit<PermissionRow, "usedCount" | "refusedCount">, use: PermissionUse | undefined): PermissionRow {
  return { ...row, usedCount: use?.usedCount ?? 0n, refusedCount: use?.deniedCount ?? 0n };
}
