/** What an instance may do in its guest's own thread (folders, environment), as its record and the node say it now. */
import { isFault, Reason } from "../fault.ts";
import { localRightsFromGrants, type LocalShares } from "../providers/local-rights-from-grants.ts";
import type { LocalRights } from "../providers/local-rights.ts";
import type { CapabilityType, Grant } from "../providers/permissions.ts";
import type { InstanceRecord } from "./instance-record.ts";

/** What the node lets anybody have at all. */
export type NodeShares = Omit<LocalShares, "ownEnv">;

/** A node that shares nothing. */
export const NOTHING_SHARED: NodeShares = { sharedFolders: [], sharedEnv: {}, realPathOf: () => undefined };

/** The rights of instances. */
export interface GuestRights {
  /** The rights now. Throws `NOT_SHARED` or `PERMISSION_INVALID` for what the node does not have or share. */
  of(record: Pick<InstanceRecord, "spec" | "grants">): LocalRights;
  /** The same without what the node no longer has or shares: what is taken away must not depend on what is left. */
  left(record: Pick<InstanceRecord, "spec" | "grants">): LocalRights;
}

/** Rights on a node; grants of a stopped provider give nothing, its denials hold. */
export function createGuestRights(node: {
  readonly shares: NodeShares;
  readonly isStopped: (providerId: string) => boolean;
}): GuestRights {
  const inForce = (grants: readonly Grant[]): readonly Grant[] =>
    grants
      .filter((grant) => isLocal(grant.type))
      .map((grant) => (node.isStopped(grant.providerId) ? { ...grant, permissions: [] } : grant));

  const of: GuestRights["of"] = ({ spec, grants }) =>
    localRightsFromGrants(inForce(grants), { ...node.shares, ownEnv: spec.env });

  return {
    of,
    left(record) {
      const isStillHad = (grant: Grant, permission: string): boolean => {
        try {
          of({ spec: record.spec, grants: [{ ...grant, permissions: [permission] }] });
          return true;
        } catch (error) {
          // That it is gone is what was asked; the guest has no use of it.
          if (isFault(error, Reason.NOT_SHARED)) return false;
          throw error;
        }
      };
      const grants = record.grants
        .filter((grant) => isLocal(grant.type))
        .map((grant) => ({ ...grant, permissions: grant.permissions.filter((one) => isStillHad(grant, one)) }));
      return of({ spec: record.spec, grants });
    },
  };
}

/** Whether assignments of the type are carried out in the guest's own thread; those for HTTP are where a WASIX program opens sockets. */
export function isLocal(type: CapabilityType): boolean {
  return type === "files" || type === "environment" || type === "http";
}
