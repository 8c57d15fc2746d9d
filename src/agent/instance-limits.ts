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
  cpuTimeMaxMs: undefined,
  concurrentCallsMax: 1,
  queuedCallsMax: 128,
  openHandlesMax: 10_000,
  outputMaxBytesPerMinute: 64 * MIB,
  outputMaxLinesPerMinute: 600_000,
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
    cpuTimeMaxMs: { least: 1, most: 7 * 86_400_000 },
    // Each of them is a copy of the guest with a memory of its own.
    concurrentCallsMax: { least: 1, most: 64 },
    queuedCallsMax: { least: 1, most: 10_000 },
    openHandlesMax: { least: 1, most: 100_000 },
    outputMaxBytesPerMinute: { least: 1, most: 16 * GIB },
    outputMaxLinesPerMinute: { least: 1, most: 100_000_000 },
    requestBodyMaxBytes: { least: 1, most: GIB },
    responseBodyMaxBytes: { least: 1, most: GIB },
  };
}

/** The contract's name of a limit, as facts and errors spell it. */
export function limitFieldName(limit: keyof GuestLimits): string {
  return FIELD_NAMES[limit];
}

/** What an instance is counted with against its node's memory: each call at a time may have a copy of the guest. */
export function reservedMemoryBytes(limits: Pick<GuestLimits, "memoryMaxBytes" | "concurrentCallsMax">): number {
  return limits.memoryMaxBytes * limits.concurrentCallsMax;
}

/** The most of each limit, in the contract's form. */
export function protoFromBounds(bounds: LimitBounds): Limits {
  const most: GuestLimits = {
    memoryMaxBytes: bounds.memoryMaxBytes.most,
    callTimeoutMs: bounds.callTimeoutMs.most,
    commandTimeoutMs: bounds.commandTimeoutMs.most,
    startTimeoutMs: bounds.startTimeoutMs.most,
    cpuTimeMaxMs: bounds.cpuTimeMaxMs.most,
    concurrentCallsMax: bounds.concurrentCallsMax.most,
    queuedCallsMax: bounds.queuedCallsMax.most,
    openHandlesMax: bounds.openHandlesMax.most,
    outputMaxBytesPerMinute: bounds.outputMaxBytesPerMinute.most,
    outputMaxLinesPerMinute: bounds.outputMaxLinesPerMinute.most,
    requestBodyMaxBytes: bounds.requestBodyMaxBytes.most,
    responseBodyMaxBytes: bounds.responseBodyMaxBytes.most,
  };
  return protoFromLimits(most);
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
    cpuTimeMaxMs: limits.cpuTimeMaxMs || DEFAULT_LIMITS.cpuTimeMaxMs,
    concurrentCallsMax: limits.concurrentCallsMax || DEFAULT_LIMITS.concurrentCallsMax,
    queuedCallsMax: limits.queuedCallsMax || DEFAULT_LIMITS.queuedCallsMax,
    openHandlesMax: limits.openHandlesMax || DEFAULT_LIMITS.openHandlesMax,
    outputMaxBytesPerMinute: Number(limits.outputMaxBytesPerMinute) || DEFAULT_LIMITS.outputMaxBytesPerMinute,
    outputMaxLinesPerMinute: limits.outputMaxLinesPerMinute || DEFAULT_LIMITS.outputMaxLinesPerMinute,
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
    cpuTimeMaxMs: limits.cpuTimeMaxMs ?? 0,
    concurrentCallsMax: limits.concurrentCallsMax,
    queuedCallsMax: limits.queuedCallsMax,
    openHandlesMax: limits.openHandlesMax,
    outputMaxBytesPerMinute: BigInt(limits.outputMaxBytesPerMinute),
    outputMaxLinesPerMinute: limits.outputMaxLinesPerMinute,
    requestBodyMaxBytes: BigInt(limits.requestBodyMaxBytes),
    responseBodyMaxBytes: BigInt(limits.responseBodyMaxBytes),
  });
}

const FIELD_NAMES: Readonly<Record<keyof GuestLimits, string>> = {
  memoryMaxBytes: "memory_max_bytes",
  callTimeoutMs: "call_timeout_ms",
  commandTimeoutMs: "command_timeout_ms",
  startTimeoutMs: "start_timeout_ms",
  cpuTimeMaxMs: "cpu_time_max_ms",
  concurrentCallsMax: "concurrent_calls_max",
  queuedCallsMax: "queued_calls_max",
  openHandlesMax: "open_handles_max",
  outputMaxBytesPerMinute: "output_max_bytes_per_minute",
  outputMaxLinesPerMinute: "output_max_lines_per_minute",
  requestBodyMaxBytes: "request_body_max_bytes",
  responseBodyMaxBytes: "response_body_max_bytes",
};

const LIMIT_NAMES = [
  "memoryMaxBytes",
  "callTimeoutMs",
  "commandTimeoutMs",
  "startTimeoutMs",
  "cpuTimeMaxMs",
  "concurrentCallsMax",
  "queuedCallsMax",
  "openHandlesMax",
  "outputMaxBytesPerMinute",
  "outputMaxLinesPerMinute",
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
