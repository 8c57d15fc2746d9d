/** Limits of instances: defaults, the node's bounds, and their form in the contract. Pure. */
import { create } from "@bufbuild/protobuf";
import { fault, Reason } from "../fault.ts";
import { LimitsSchema, type Limits } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { GuestLimits } from "../runtime/runtime.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** What an instance gets where its spec says nothing. */
export const DEFAULT_LIMITS: GuestLimits = {
  memoryMaxBytes: 64 * MIB,
  callTimeoutMs: 30_000,
  commandTimeoutMs: undefined,
  startTimeoutMs: 10_000,
  queuedCallsMax: 128,
  requestBodyMaxBytes: 16 * MIB,
  responseBodyMaxBytes: 64 * MIB,
};

/** The least and the most that a node grants for each limit. */
export type LimitBounds = { readonly [Name in keyof GuestLimits]-?: { readonly least: number; readonly most: number } };

/** Bounds of a node that lends `memoryMaxBytes` to all its instances together. */
export function limitBoundsFrom(node: { readonly memoryMaxBytes: number }): LimitBounds {
  return {
    // A 32-bit memory ends at 4 GiB.
    memoryMaxBytes: { least: 64 * KIB, most: Math.min(4 * GIB, node.memoryMaxBytes) },
    callTimeoutMs: { least: 1, most: 3_600_000 },
    commandTimeoutMs: { least: 1, most: 7 * 86_400_000 },
    startTimeoutMs: { least: 1, most: 300_000 },
    queuedCallsMax: { least: 1, most: 10_000 },
    requestBodyMaxBytes: { least: 1, most: GIB },
    responseBodyMaxBytes: { least: 1, most: GIB },
  };
}

/** The contract's name of a limit, as facts and errors spell it. */
export function limitFieldName(limit: keyof GuestLimits): string {
  return FIELD_NAMES[limit];
}

/** The limits asked for, with defaults where they are 0; throws `LIMIT_INVALID` for one beyond the node's bounds. */
export function limitsWithin(asked: Limits | undefined, bounds: LimitBounds): GuestLimits {
  const limits = limitsFromProto(asked);
  // A node smaller than the default still takes instances that ask for nothing in particular.
  const unasked = asked === undefined || asked.memoryMaxBytes === 0n;
  const memoryMaxBytes = unasked ? Math.min(limits.memoryMaxBytes, bounds.memoryMaxBytes.most) : limits.memoryMaxBytes;
  const result: GuestLimits = { ...limits, memoryMaxBytes };
  for (const name of LIMIT_NAMES) assertWithin(name, result[name], bounds[name]);
  return result;
}

/** The limits of the contract with defaults for what is 0, bounds unchecked. */
export function limitsFromProto(limits: Limits | undefined): GuestLimits {
  if (limits === undefined) return DEFAULT_LIMITS;
  return {
    memoryMaxBytes: Number(limits.memoryMaxBytes) || DEFAULT_LIMITS.memoryMaxBytes,
    callTimeoutMs: limits.callTimeoutMs || DEFAULT_LIMITS.callTimeoutMs,
    commandTimeoutMs: limits.commandTimeoutMs || DEFAULT_LIMITS.commandTimeoutMs,
    startTimeoutMs: limits.startTimeoutMs || DEFAULT_LIMITS.startTimeoutMs,
    queuedCallsMax: limits.queuedCallsMax || DEFAULT_LIMITS.queuedCallsMax,
    requestBodyMaxBytes: Number(limits.requestBodyMaxBytes) || DEFAULT_LIMITS.requestBodyMaxBytes,
    responseBodyMaxBytes: Number(limits.responseBodyMaxBytes) || DEFAULT_LIMITS.responseBodyMaxBytes,
  };
}

/** The contract's form of limits in force. */
export function protoFromLimits(limits: GuestLimits): Limits {
  return create(LimitsSchema, {
    memoryMaxBytes: BigInt(limits.memoryMaxBytes),
    callTimeoutMs: limits.callTimeoutMs,
    commandTimeoutMs: limits.commandTimeoutMs ?? 0,
    startTimeoutMs: limits.startTimeoutMs,
    queuedCallsMax: limits.queuedCallsMax,
    requestBodyMaxBytes: BigInt(limits.requestBodyMaxBytes),
    responseBodyMaxBytes: BigInt(limits.responseBodyMaxBytes),
  });
}

const FIELD_NAMES: Readonly<Record<keyof GuestLimits, string>> = {
  memoryMaxBytes: "memory_max_bytes",
  callTimeoutMs: "call_timeout_ms",
  commandTimeoutMs: "command_timeout_ms",
  startTimeoutMs: "start_timeout_ms",
  queuedCallsMax: "queued_calls_max",
  requestBodyMaxBytes: "request_body_max_bytes",
  responseBodyMaxBytes: "response_body_max_bytes",
};

const LIMIT_NAMES = [
  "memoryMaxBytes",
  "callTimeoutMs",
  "commandTimeoutMs",
  "startTimeoutMs",
  "queuedCallsMax",
  "requestBodyMaxBytes",
  "responseBodyMaxBytes",
] as const satisfies readonly (keyof GuestLimits)[];

function assertWithin(
  name: keyof GuestLimits,
  value: number | undefined,
  bounds: { least: number; most: number },
): void {
  if (value === undefined || (value >= bounds.least && value <= bounds.most)) return;
  const field = FIELD_NAMES[name];
  throw fault(
    Reason.LIMIT_INVALID,
    `Cannot grant limit ${field}: this node allows ${bounds.least} to ${bounds.most} (got ${value})`,
    { subject: field },
  );
}
