/** Assignments of an instance: their form in the contract, and what granting and revoking make of them. Pure. */
import { create } from "@bufbuild/protobuf";
import { fault, Reason } from "../fault.ts";
import {
  AssignmentSchema,
  CapabilityType as ProtoCapabilityType,
  type Assignment,
} from "../gen/wasmatrix/v1/instance_pb.ts";
import {
  assertPermissionsFit,
  canonicalPermission,
  type CapabilityType,
  type Grant,
} from "../providers/permissions.ts";

/** Assignments that one instance may hold. */
export const ASSIGNMENTS_MAX = 64;

/** The bucket that an empty name stands for. */
export const DEFAULT_BUCKET = "default";

/** What providers a node has, as far as assignments care. */
export type ProviderDirectory = {
  /** The provider that an empty id stands for, if the node has one of the type. */
  defaultId(type: CapabilityType): string | undefined;
  /** The type of a configured provider, stopped ones included. */
  typeOf(id: string): CapabilityType | undefined;
};

/**
 * The assignment with its defaults filled in. Throws `PERMISSION_INVALID`, or `PROVIDER_NOT_FOUND` if the node has no
 * such provider, or none of the type.
 */
export function checkedGrant(assignment: Assignment, providers: ProviderDirectory): Grant {
  const grant = normalizedGrant(assignment, providers);
  assertPermissionsFit(grant.type, grant.permissions, grant.deniedPermissions);
  return grant;
}

/** The same for a revocation, which may name nothing: then it takes everything. */
export function revokedGrant(assignment: Assignment, providers: ProviderDirectory): Grant {
  const grant = normalizedGrant(assignment, providers);
  if (!isBare(grant)) assertPermissionsFit(grant.type, grant.permissions, grant.deniedPermissions);
  return grant;
}

/** All assignments of a spec; of two for one bucket, or for one provider of another type, it throws `INVALID_REQUEST`. */
export function checkedGrants(assignments: readonly Assignment[], providers: ProviderDirectory): readonly Grant[] {
  const grants: Grant[] = [];
  for (const assignment of assignments) {
    const grant = checkedGrant(assignment, providers);
    if (grants.some((other) => isSamePlace(other, grant))) {
      throw fault(Reason.INVALID_REQUEST, `Cannot accept assignments: there are two for ${placeOf(grant)}`, {
        subject: grant.providerId,
      });
    }
    assertBucketFree(grants, grant);
    grants.push(grant);
  }
  return grants;
}

/**
 * Adds the grant, or replaces the one of the same (provider, bucket); throws `INVALID_REQUEST` beyond `ASSIGNMENTS_MAX`, or
 * if another provider has the bucket.
 */
export function withGrant(grants: readonly Grant[], grant: Grant): readonly Grant[] {
  const kept = grants.filter((other) => !isSamePlace(other, grant));
  assertBucketFree(kept, grant);
  if (kept.length >= ASSIGNMENTS_MAX) {
    throw fault(
      Reason.INVALID_REQUEST,
      `Cannot assign ${placeOf(grant)}: the instance holds ${ASSIGNMENTS_MAX} assignments already`,
    );
  }
  return [...kept, grant];
}

/**
 * Takes the permissions of `revoked` away and lifts its denials, or takes the whole assignment if it names neither; an
 * assignment left without any is gone.
 */
export function withoutGrant(grants: readonly Grant[], revoked: Grant): readonly Grant[] {
  return grants.flatMap((grant) => {
    if (!isSamePlace(grant, revoked)) return [grant];
    if (isBare(revoked)) return [];
    const left: Grant = {
      ...grant,
      permissions: grant.permissions.filter((one) => !revoked.permissions.includes(one)),
      deniedPermissions: grant.deniedPermissions.filter((one) => !revoked.deniedPermissions.includes(one)),
    };
    return isBare(left) ? [] : [left];
  });
}

/** For people: `kv:read, kv:write; denied: kv:delete`. */
export function permissionsText({ permissions, deniedPermissions }: Grant): string {
  const denied = deniedPermissions.length === 0 ? [] : [`denied: ${deniedPermissions.join(", ")}`];
  return [...(permissions.length === 0 ? [] : [permissions.join(", ")]), ...denied].join("; ");
}

/** For people: `bucket "default" of provider "kv"`. */
export function placeOf(grant: Grant): string {
  return grant.type === "kv"
    ? `bucket "${grant.bucket}" of provider "${grant.providerId}"`
    : `provider "${grant.providerId}"`;
}

/** The contract's form of a grant. */
export function assignmentFromGrant(grant: Grant): Assignment {
  return create(AssignmentSchema, {
    providerId: grant.providerId,
    type: TYPE_TO_PROTO[grant.type],
    permissions: [...grant.permissions],
    bucket: grant.bucket,
    deniedPermissions: [...grant.deniedPermissions],
  });
}

/** The grant as it was written, defaults not filled in. */
export function grantFromAssignment(assignment: Assignment): Grant {
  const { providerId, bucket } = assignment;
  return {
    providerId,
    type: capabilityTypeFromProto(assignment.type),
    bucket,
    permissions: [...assignment.permissions],
    deniedPermissions: [...assignment.deniedPermissions],
  };
}

/** The contract's word for a capability type. */
export function protoFromCapabilityType(type: CapabilityType): ProtoCapabilityType {
  return TYPE_TO_PROTO[type];
}

const TYPE_TO_PROTO: Readonly<Record<CapabilityType, ProtoCapabilityType>> = {
  kv: ProtoCapabilityType.KV,
  http: ProtoCapabilityType.HTTP,
  messaging: ProtoCapabilityType.MESSAGING,
  files: ProtoCapabilityType.FILES,
  environment: ProtoCapabilityType.ENVIRONMENT,
};

function capabilityTypeFromProto(type: ProtoCapabilityType): CapabilityType {
  switch (type) {
    case ProtoCapabilityType.KV:
      return "kv";
    case ProtoCapabilityType.HTTP:
      return "http";
    case ProtoCapabilityType.MESSAGING:
      return "messaging";
    case ProtoCapabilityType.FILES:
      return "files";
    case ProtoCapabilityType.ENVIRONMENT:
      return "environment";
    default:
      throw fault(Reason.INVALID_REQUEST, `Cannot accept assignment: capability type ${type} is not known`, {
        subject: "assignment.type",
      });
  }
}

/** A guest opens a bucket by its name alone: of two providers, reads could go to one and writes to the other. */
function assertBucketFree(grants: readonly Grant[], grant: Grant): void {
  const other = grants.find((each) => grant.type === "kv" && each.type === "kv" && each.bucket === grant.bucket);
  if (other === undefined) return;
  throw fault(
    Reason.INVALID_REQUEST,
    `Cannot assign ${placeOf(grant)}: the instance has that bucket of provider "${other.providerId}"; revoke it first`,
    { subject: grant.providerId },
  );
}

function normalizedGrant(assignment: Assignment, providers: ProviderDirectory): Grant {
  const { providerId: askedId, type, bucket, permissions, deniedPermissions } = grantFromAssignment(assignment);
  const providerId = askedId === "" ? providers.defaultId(type) : askedId;
  if (providerId === undefined)
    throw fault(Reason.PROVIDER_NOT_FOUND, `Cannot assign ${type}: this node has no ${type} provider`);
  const actual = providers.typeOf(providerId);
  if (actual === undefined) {
    throw fault(Reason.PROVIDER_NOT_FOUND, `Cannot assign provider "${providerId}": this node has no such provider`, {
      subject: providerId,
    });
  }
  if (actual !== type) {
    throw fault(
      Reason.PROVIDER_NOT_FOUND,
      `Cannot assign provider "${providerId}" for ${type}: it is a ${actual} provider`,
      { subject: providerId },
    );
  }
  return {
    providerId,
    type,
    bucket: type === "kv" ? bucket || DEFAULT_BUCKET : "",
    permissions: [...new Set(permissions.map(canonicalPermission))],
    deniedPermissions: [...new Set(deniedPermissions.map(canonicalPermission))],
  };
}

function isBare({ permissions, deniedPermissions }: Grant): boolean {
  return permissions.length === 0 && deniedPermissions.length === 0;
}

function isSamePlace(left: Grant, right: Grant): boolean {
  return left.providerId === right.providerId && left.bucket === right.bucket;
}
