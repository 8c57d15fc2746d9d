/** What an order asks of the node that carries it out, as far as the order itself tells. Pure. */
import { fault, Reason } from "../../fault.ts";
import {
  CapabilityType,
  Isolation,
  OnNodeLoss,
  Reuse,
  type Assignment,
  type InstanceSpec,
} from "../../gen/wasmatrix/v1/instance_pb.ts";
import type { ProviderNeed } from "../placement.ts";
import type { NodeInfo } from "../../gen/wasmatrix/v1/node_pb.ts";
import { FLEET_PROTOCOL_VERSION } from "../../protocol-version.ts";

/** What a node should have. */
export type SpecNeeds = {
  /** The least protocol version: an older agent would carry the order out without some of what it says. */
  readonly protocolVersion: number;
  /** Memory that the instance is counted with. */
  readonly memoryBytes: number;
  /** What its assignments are carried out by. */
  readonly providers: readonly ProviderNeed[];
  /** Folders of the node that it is to see. */
  readonly folders: readonly string[];
  /** Variables of the node that it is to see. */
  readonly envNames: readonly string[];
};

/** Memory of an instance whose request names none: the node's default. */
const DEFAULT_MEMORY_BYTES: number = 64 * 1024 ** 2;

/** Agents from this version on know denials, isolation, reuse and configuration. */
const RESTRICTIONS_VERSION = 2;

/** What a spec needs. */
export function needsOfSpec(spec: InstanceSpec): SpecNeeds {
  const isRestricted =
    spec.assignments.some(isRestricting) ||
    spec.isolation === Isolation.DEDICATED ||
    spec.reuse === Reuse.NONE ||
    Object.keys(spec.config).length > 0;
  const survives = spec.onNodeLoss === OnNodeLoss.RESTART_ELSEWHERE;
  const permissions = spec.assignments.flatMap((assignment) => assignment.permissions);
  const ownEnv = new Set(Object.keys(spec.env));
  return {
    protocolVersion: survives ? FLEET_PROTOCOL_VERSION : isRestricted ? RESTRICTIONS_VERSION : 0,
    memoryBytes:
      (Number(spec.limits?.memoryMaxBytes ?? 0n) || DEFAULT_MEMORY_BYTES) * (spec.limits?.concurrentCallsMax || 1),
    providers: spec.assignments.map(({ providerId, type }) => ({ providerId, type })),
    folders: permissions.flatMap((text) => /^fs:(?:read|write):(.+?)(?:::.*)?$/.exec(text)?.[1] ?? []),
    envNames: permissions.flatMap((text) => {
      const name = /^env:(.+)$/.exec(text)?.[1];
      return name === undefined || name === "*" || ownEnv.has(name) ? [] : [name];
    }),
  };
}

/**
 * How many of the folders and variables the node does not announce to share. No more than a hint: only the node knows where
 * a path leads, and refuses what it does not share.
 */
export function unsharedCount(info: NodeInfo, needs: Pick<SpecNeeds, "folders" | "envNames">): number {
  const isBelow = (folder: string, path: string): boolean =>
    folder === "/" || path === folder || path.startsWith(`${folder}/`);
  const folders = needs.folders.filter((path) => !info.sharedFolders.some((folder) => isBelow(folder, path)));
  const names = needs.envNames.filter((name) => !info.sharedEnvNames.includes(name));
  return folders.length + names.length;
}

/** Throws `PROTOCOL_VERSION_UNSUPPORTED` if the node's agent would assign without what the assignment denies. */
export function assertAssignable(assignment: Assignment | undefined, info: NodeInfo | undefined, doing: string): void {
  if (assignment === undefined || info === undefined || !isRestricting(assignment)) return;
  if (info.protocolVersion >= RESTRICTIONS_VERSION) return;
  throw fault(
    Reason.PROTOCOL_VERSION_UNSUPPORTED,
    `${doing}: node "${info.nodeId}" speaks protocol version ${info.protocolVersion}, and this assignment needs version ${RESTRICTIONS_VERSION}; update the agent`,
    { subject: info.nodeId },
  );
}

function isRestricting({ type, deniedPermissions }: Assignment): boolean {
  return deniedPermissions.length > 0 || type === CapabilityType.FILES || type === CapabilityType.ENVIRONMENT;
}
