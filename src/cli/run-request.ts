/** The flags of `run` as a request of the contract. Pure. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { StartInstanceRequestSchema, type StartInstanceRequest } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { RestartMode } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { ClientFlags } from "./command-context.ts";
import { assignmentFromGrant } from "./kv-assignment.ts";
import type { KvGrant } from "./kv-grant-flag.ts";
import type { RestartChoice } from "./restart-flag.ts";
import { UsageError } from "./usage-error.ts";

/** The flags of `run`, understood. */
export type RunFlags = ClientFlags & {
  readonly name?: string;
  readonly unique?: boolean;
  readonly label?: Readonly<Record<string, string>>;
  readonly allowKv?: readonly KvGrant[];
  readonly env?: Readonly<Record<string, string>>;
  readonly arg?: readonly string[];
  readonly stdin?: string;
  readonly restart?: RestartChoice;
  readonly backoff?: number;
  readonly memory?: number;
  readonly timeout?: number;
  readonly count?: number;
  readonly wait?: boolean;
  readonly node?: string;
  readonly nodeLabel?: Readonly<Record<string, string>>;
  readonly digest?: string;
  readonly idempotencyKey?: string;
};

/** Throws `UsageError` for flags that do not go together. */
export function assertRunFlags(flags: RunFlags): void {
  const count = flags.count ?? 1;
  if (flags.unique && flags.name === undefined)
    throw new UsageError("Cannot use --unique: there is no name", "give one with --name");
  if (flags.unique && count > 1)
    throw new UsageError(
      "Cannot start several instances under a unique name",
      "leave --unique out; instances may share a name and its load",
    );
  if ((flags.timeout ?? 0) > TIMEOUT_MAX_MS)
    throw new UsageError("Cannot use --timeout: it is longer than 30d", "leave it out for commands that have no end");
  if (flags.backoff !== undefined && (flags.restart === undefined || flags.restart.kind === "never")) {
    throw new UsageError("Cannot use --backoff: nothing is restarted", "add --restart on-failure or --restart always");
  }
}

/** It travels as 32 bits of milliseconds. */
const TIMEOUT_MAX_MS = 30 * 86_400_000;

/** The request for one instance, without its module. */
export function requestFromFlags(
  flags: RunFlags,
  stdin: Uint8Array<ArrayBuffer>,
  idempotencyKey: string,
): StartInstanceRequest {
  return create(StartInstanceRequestSchema, {
    idempotencyKey,
    uniqueName: flags.unique === true,
    nodeId: flags.node ?? "",
    nodeLabels: { ...flags.nodeLabel },
    spec: {
      name: flags.name ?? "",
      labels: { ...flags.label },
      args: [...(flags.arg ?? [])],
      env: { ...flags.env },
      stdin,
      assignments: (flags.allowKv ?? []).map(assignmentFromGrant),
      restartPolicy: {
        mode: RESTART_MODES[flags.restart?.kind ?? "never"],
        maxRetries: flags.restart?.retriesMax ?? 0,
        ...(flags.backoff === undefined ? {} : { backoff: durationFromMs(flags.backoff) }),
      },
      limits: {
        memoryMaxBytes: BigInt(flags.memory ?? 0),
        // A command has no calls and a server is no command: which of the two it is shows only when it is started.
        callTimeoutMs: flags.timeout ?? 0,
        commandTimeoutMs: flags.timeout ?? 0,
      },
    },
  });
}

const RESTART_MODES: Readonly<Record<RestartChoice["kind"], RestartMode>> = {
  never: RestartMode.NEVER,
  always: RestartMode.ALWAYS,
  "on-failure": RestartMode.ON_FAILURE,
};

/** The keys of `count` instances: the given one itself, or for several, the key with a number. */
export function idempotencyKeys(key: string, count: number): string[] {
  return count === 1 ? [key] : Array.from({ length: count }, (_, index) => `${key}-${index + 1}`);
}
