/** An instance in words. Pure. */
import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  CapabilityType,
  CapabilityTypeSchema,
  GuestKindSchema,
  InstanceState,
  InstanceStateSchema,
  RestartMode,
  RestartModeSchema,
  TerminationCause,
  TerminationCauseSchema,
  type Assignment,
  type Instance,
  type RestartPolicy,
  type Termination,
} from "../gen/wasmatrix/v1/instance_pb.ts";
import type { Tone } from "./colour.ts";
import { roughDurationText } from "./duration.ts";
import { wordFromEnum } from "./enum-word.ts";

const SHORT_ID_CHARACTERS = 8;
const DIGEST_CHARACTERS = 12;

/** The states that an instance does not leave any more. */
const ENDED: readonly InstanceState[] = [
  InstanceState.STOPPED,
  InstanceState.EXITED,
  InstanceState.FAILED,
  InstanceState.LOST,
];

/** Whether it has ended for good. */
export function hasEnded(instance: Instance): boolean {
  return ENDED.includes(instance.state);
}

/** The first eight characters of an id, or all of it. */
export function idText(id: string, whole: boolean): string {
  return whole ? id : id.slice(0, SHORT_ID_CHARACTERS);
}

/** The first twelve digits of a digest, or all of it. */
export function digestText(digest: string, whole: boolean): string {
  return whole ? digest : digest.replace(/^sha256:/, "").slice(0, DIGEST_CHARACTERS);
}

/** How it is hosted: `http`, `command`, `functions`. */
export function kindText(instance: Instance): string {
  return wordFromEnum(GuestKindSchema, instance.kind);
}

/** The state with what matters about it: `failed (exit 3)`, `backoff (again in 4s)`, `unknown (seen 40s ago)`. */
export function stateText(instance: Instance, nowMs: number): string {
  const word = wordFromEnum(InstanceStateSchema, instance.state);
  const termination = instance.lastTermination;
  switch (instance.state) {
    case InstanceState.FAILED:
      return termination === undefined ? word : `${word} (${endText(termination)})`;
    case InstanceState.BACKOFF:
      return instance.nextRestartTime === undefined
        ? word
        : `${word} (again in ${roughDurationText(timestampMs(instance.nextRestartTime) - nowMs)})`;
    case InstanceState.UNKNOWN:
      return instance.observedTime === undefined ? word : `${word} (seen ${agoText(instance.observedTime, nowMs)} ago)`;
    default:
      return word;
  }
}

/** How a run ended, in a few words: `exit 3`, `trapped`, `limit memory_max_bytes`. */
export function endText(termination: Termination): string {
  if (termination.cause === TerminationCause.EXITED) return `exit ${termination.exitCode}`;
  if (termination.cause === TerminationCause.LIMIT) return `limit ${termination.limit}`;
  return wordFromEnum(TerminationCauseSchema, termination.cause);
}

/** How a state stands out. */
export function stateTone(instance: Instance): Tone | undefined {
  switch (instance.state) {
    case InstanceState.RUNNING:
      return "good";
    case InstanceState.STARTING:
    case InstanceState.BACKOFF:
    case InstanceState.STOPPING:
    case InstanceState.UNKNOWN:
      return "busy";
    case InstanceState.FAILED:
    case InstanceState.LOST:
      return "bad";
    default:
      return "quiet";
  }
}

/** Time since `time`, `12m`; empty if it is unset. */
export function agoText(time: Timestamp | undefined, nowMs: number): string {
  return time === undefined ? "" : roughDurationText(nowMs - timestampMs(time));
}

/** A moment as `2026-11-23T14:05:06.123Z`; empty if it is unset. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : new Date(timestampMs(time)).toISOString();
}

/** One assignment: `kv counts: kv:read, kv:write (provider kv)`, `http: http:domain:a.example; not http:domain:b.example (provider http)`. */
export function assignmentText(assignment: Assignment): string {
  const { permissions, deniedPermissions, providerId, type } = assignment;
  const bucket = type === CapabilityType.KV ? ` ${assignment.bucket === "" ? "default" : assignment.bucket}` : "";
  const denied = deniedPermissions.length === 0 ? [] : [`not ${deniedPermissions.join(", ")}`];
  const may = [...(permissions.length === 0 ? [] : [permissions.join(", ")]), ...denied].join("; ");
  const provider = providerId === "" ? "" : ` (provider ${providerId})`;
  return `${wordFromEnum(CapabilityTypeSchema, type)}${bucket}: ${may}${provider}`;
}

/** A restart policy as the flag writes it: `never`, `on-failure:5`. */
export function restartText(policy: RestartPolicy | undefined): string {
  if (policy === undefined || policy.mode === RestartMode.UNSPECIFIED) return "never";
  const word = wordFromEnum(RestartModeSchema, policy.mode);
  return policy.maxRetries === 0 ? word : `${word}:${policy.maxRetries}`;
}

/** Labels as `a=1, b=2`, by key. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .toSorted()
    .map((key) => `${key}=${labels[key] ?? ""}`)
    .join(", ");
}
