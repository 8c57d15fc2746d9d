/** Rules of flags and manifests to assignments of the contract: of a new instance, or changes to those of a running one. Pure. */
import { create } from "@bufbuild/protobuf";
import { AssignmentSchema, CapabilityType, type Assignment } from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { PermissionFlag, PermissionWord } from "./permission-flags.ts";
import type { CapabilityWord, PermissionRule } from "./permission-rule.ts";

/** The assignments of an instance that is started: one for each provider and bucket, permissions in the order of the rules. */
export function assignmentsFromRules(rules: readonly PermissionRule[]): Assignment[] {
  return mergedInto([], rules);
}

/**
 * What `grant` assigns: the assignments that `rules` touch, with what the instance holds of them already, because an assignment
 * replaces the one before.
 */
export function assignmentsToGrant(held: readonly Assignment[], rules: readonly PermissionRule[]): Assignment[] {
  return mergedInto(held, rules);
}

/**
 * What `revoke` takes away. A flag without a value takes all that is held of its kind (`--allow-kv`: of the bucket "default"); one with a value just that, whether
 * it is held or not, so that the agent's answer is the last word. Never both lists empty, which would mean the whole assignment.
 */
export function assignmentsToRevoke(held: readonly Assignment[], flags: readonly PermissionFlag[]): Assignment[] {
  return mergedInto(
    [],
    flags.flatMap((flag) => rulesToRevoke(held, flag)),
  );
}

const PROTO_TYPE: Readonly<Record<CapabilityWord, CapabilityType>> = {
  kv: CapabilityType.KV,
  http: CapabilityType.HTTP,
  messaging: CapabilityType.MESSAGING,
  files: CapabilityType.FILES,
  environment: CapabilityType.ENVIRONMENT,
};

/** How the permissions that a flag stands for begin. */
const PREFIX: Readonly<Record<Exclude<PermissionWord, "kv"> | "all", string>> = {
  all: "",
  net: "http:",
  env: "env:",
  read: "fs:read:",
  write: "fs:write:",
  publish: "msg:publish:",
  subscribe: "msg:subscribe:",
};

function mergedInto(held: readonly Assignment[], rules: readonly PermissionRule[]): Assignment[] {
  const touched: Assignment[] = [];
  for (const rule of rules) {
    let assignment = touched.find((one) => isPlaceOf(one, rule));
    if (assignment === undefined) {
      const before = held.find((one) => isPlaceOf(one, rule));
      assignment = create(AssignmentSchema, {
        type: PROTO_TYPE[rule.type],
        providerId: before?.providerId ?? rule.providerId,
        bucket: before?.bucket ?? rule.bucket,
        permissions: [...(before?.permissions ?? [])],
        deniedPermissions: [...(before?.deniedPermissions ?? [])],
      });
      touched.push(assignment);
    }
    const list = rule.effect === "allow" ? assignment.permissions : assignment.deniedPermissions;
    if (!list.includes(rule.permission)) list.push(rule.permission);
  }
  return touched;
}

/** Agents fill defaults in, flags leave them out. */
function isPlaceOf(assignment: Assignment, rule: PermissionRule): boolean {
  return (
    assignment.type === PROTO_TYPE[rule.type] &&
    (assignment.bucket || DEFAULT_BUCKET) === (rule.bucket || DEFAULT_BUCKET) &&
    (rule.providerId === "" || assignment.providerId === "" || assignment.providerId === rule.providerId)
  );
}

/** Of types without buckets it is the same for both. */
const DEFAULT_BUCKET = "default";

function rulesToRevoke(held: readonly Assignment[], flag: PermissionFlag): readonly PermissionRule[] {
  const { effect, word } = flag;
  const heldOf = (assignment: Assignment): readonly string[] =>
    effect === "allow" ? assignment.permissions : assignment.deniedPermissions;
  if (word === "kv" || !flag.isBare) {
    return flag.rules.flatMap((rule) => {
      const place = held.find((one) => isPlaceOf(one, rule));
      // DIR alone takes away what was granted as DIR::GUEST, too.
      const mounted =
        place === undefined ? [] : heldOf(place).filter((text) => text.startsWith(`${rule.permission}::`));
      return [rule.permission, ...mounted].map((permission) => ({
        ...rule,
        permission,
        providerId: place?.providerId ?? rule.providerId,
        bucket: place?.bucket ?? rule.bucket,
      }));
    });
  }
  return held.flatMap((assignment) => {
    const { providerId, bucket } = assignment;
    const type = WORD_OF_TYPE.get(assignment.type);
    if (type === undefined) return [];
    const permissions = heldOf(assignment).filter((permission) => permission.startsWith(PREFIX[word]));
    return permissions.map((permission) => ({ effect, type, permission, bucket, providerId }));
  });
}

const WORD_OF_TYPE: ReadonlyMap<CapabilityType, CapabilityWord> = new Map([
  [CapabilityType.KV, "kv"],
  [CapabilityType.HTTP, "http"],
  [CapabilityType.MESSAGING, "messaging"],
  [CapabilityType.FILES, "files"],
  [CapabilityType.ENVIRONMENT, "environment"],
]);
