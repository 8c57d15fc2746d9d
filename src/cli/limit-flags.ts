/** The limits of an instance: their flags, their names in a manifest, and their fields in the contract. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { LimitsSchema, type Limits } from "../gen/wasmatrix/v1/instance_pb.ts";
import { bytesFromText, byteSizeText } from "./byte-size.ts";
import { parsedFlag } from "./command-context.ts";
import { durationMsFromText, durationText } from "./duration.ts";
import { UsageError } from "./usage-error.ts";
import { wholeNumberFromText } from "./whole-number.ts";

/** How a limit is written. */
export type LimitUnit = "size" | "duration" | "count";

type LimitEntry = {
  /** In a manifest; the flag is the same word with hyphens. */
  readonly name: LimitName;
  readonly unit: LimitUnit;
  readonly description: string;
  readonly field: (value: number) => MessageInitShape<typeof LimitsSchema>;
  readonly inForce: (limits: Limits) => number;
};

/** The names of the limits. */
export type LimitName =
  | "memory"
  | "callTimeout"
  | "commandTimeout"
  | "startTimeout"
  | "cpuTime"
  | "concurrentCalls"
  | "queuedCalls"
  | "openHandles"
  | "outputBytesPerMinute"
  | "outputLinesPerMinute"
  | "requestBody"
  | "responseBody";

/** Limits by name, in bytes, milliseconds or pieces; what is left out is the node's default. */
export type LimitValues = { readonly [Name in LimitName]?: number };

/** All limits, in the order in which they are shown. */
export const LIMITS: readonly LimitEntry[] = [
  {
    name: "memory",
    unit: "size",
    description: "most memory of one copy of the guest (default 64MiB)",
    field: (value) => ({ memoryMaxBytes: BigInt(value) }),
    inForce: (limits) => Number(limits.memoryMaxBytes),
  },
  {
    name: "callTimeout",
    unit: "duration",
    description: "longest call (default 30s)",
    field: (callTimeoutMs) => ({ callTimeoutMs }),
    inForce: (limits) => limits.callTimeoutMs,
  },
  {
    name: "commandTimeout",
    unit: "duration",
    description: "longest run of a command (default: no end)",
    field: (commandTimeoutMs) => ({ commandTimeoutMs }),
    inForce: (limits) => limits.commandTimeoutMs,
  },
  {
    name: "startTimeout",
    unit: "duration",
    description: "longest start, compilation not counted (default 10s)",
    field: (startTimeoutMs) => ({ startTimeoutMs }),
    inForce: (limits) => limits.startTimeoutMs,
  },
  {
    name: "cpuTime",
    unit: "duration",
    description: "most CPU time of one call or of a whole command (default: as long as it may take)",
    field: (cpuTimeMaxMs) => ({ cpuTimeMaxMs }),
    inForce: (limits) => limits.cpuTimeMaxMs,
  },
  {
    name: "concurrentCalls",
    unit: "count",
    description: "calls at a time, each in a copy of the guest with a memory of its own (default 1)",
    field: (concurrentCallsMax) => ({ concurrentCallsMax }),
    inForce: (limits) => limits.concurrentCallsMax,
  },
  {
    name: "queuedCalls",
    unit: "count",
    description: "calls that may wait (default 128)",
    field: (queuedCallsMax) => ({ queuedCallsMax }),
    inForce: (limits) => limits.queuedCallsMax,
  },
  {
    name: "openHandles",
    unit: "count",
    description: "open files and other handles of one copy of the guest (default 10000)",
    field: (openHandlesMax) => ({ openHandlesMax }),
    inForce: (limits) => limits.openHandlesMax,
  },
  {
    name: "outputBytesPerMinute",
    unit: "size",
    description: "output and log in any minute (default 64MiB)",
    field: (value) => ({ outputMaxBytesPerMinute: BigInt(value) }),
    inForce: (limits) => Number(limits.outputMaxBytesPerMinute),
  },
  {
    name: "outputLinesPerMinute",
    unit: "count",
    description: "lines of output and log in any minute (default 600000)",
    field: (outputMaxLinesPerMinute) => ({ outputMaxLinesPerMinute }),
    inForce: (limits) => limits.outputMaxLinesPerMinute,
  },
  {
    name: "requestBody",
    unit: "size",
    description: "largest HTTP request body (default 16MiB)",
    field: (value) => ({ requestBodyMaxBytes: BigInt(value) }),
    inForce: (limits) => Number(limits.requestBodyMaxBytes),
  },
  {
    name: "responseBody",
    unit: "size",
    description: "largest HTTP response body (default 64MiB)",
    field: (value) => ({ responseBodyMaxBytes: BigInt(value) }),
    inForce: (limits) => Number(limits.responseBodyMaxBytes),
  },
];

/** The flag of a limit: `--call-timeout`. */
export function limitFlag(name: LimitName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Adds a flag for each limit. */
export function addLimitFlags(command: Command): Command {
  for (const { name, unit, description } of LIMITS)
    command.addOption(parsedFlag(`${limitFlag(name)} <${PLACEHOLDERS[unit]}>`, description, limitReader(unit)));
  return command;
}

/** Reads a limit's value as people write it; 0, which would mean the node's default, is refused. Throws `UsageError`. */
export function limitReader(unit: LimitUnit): (text: string) => number {
  return (text) => {
    const value = READERS[unit](text);
    if (value === 0) throw new UsageError("it must be more than 0; leave it out for the default");
    // It travels as 32 bits of milliseconds.
    if (unit === "duration" && value > DURATION_MAX_MS)
      throw new UsageError("it is longer than 30d; leave it out for commands that have no end");
    return value;
  };
}

/** The contract's form; 0, the node's default, for what is left out. */
export function protoFromLimitValues(values: LimitValues): Limits {
  const limits = create(LimitsSchema);
  for (const { name, field } of LIMITS) {
    const value = values[name];
    if (value !== undefined) Object.assign(limits, field(value));
  }
  return limits;
}

/** A limit in force, for people: `64 MiB`, `30s`, `none`. */
export function limitText(unit: LimitUnit, value: number): string {
  if (value === 0) return "none";
  if (unit === "size") return byteSizeText(value);
  return unit === "duration" ? durationText(value) : String(value);
}

const DURATION_MAX_MS = 30 * 86_400_000;
const COUNT_MAX = 1_000_000_000;

const PLACEHOLDERS: Readonly<Record<LimitUnit, string>> = { size: "size", duration: "duration", count: "n" };

const READERS: Readonly<Record<LimitUnit, (text: string) => number>> = {
  size: bytesFromText,
  duration: durationMsFromText,
  count: wholeNumberFromText(1, COUNT_MAX),
};
