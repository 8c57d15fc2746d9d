/** Grants of flags as assignments of the contract. Pure. */
import { create } from "@bufbuild/protobuf";
import { AssignmentSchema, CapabilityType, type Assignment } from "../gen/wasmatrix/v1/instance_pb.ts";
import { KV_PERMISSIONS, type KvGrant } from "./kv-grant-flag.ts";

/** What `--allow-kv` of `run` and `grant` asks for: all permissions if the flag names none. */
export function assignmentFromGrant(grant: KvGrant): Assignment {
  return assignment(grant, grant.permissions.length === 0 ? KV_PERMISSIONS : grant.permissions);
}

/** What `--allow-kv` of `revoke` takes away: the whole assignment if the flag names no permission. */
export function assignmentToRevoke(grant: KvGrant): Assignment {
  return assignment(grant, grant.permissions);
}

function assignment(grant: KvGrant, permissions: readonly string[]): Assignment {
  return create(AssignmentSchema, {
    type: CapabilityType.KV,
    bucket: grant.bucket,
    providerId: grant.providerId,
    permissions: [...permissions],
  });
}
