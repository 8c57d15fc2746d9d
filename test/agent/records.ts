/** Instance records for tests, by hand and by chance. */
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { InstanceSpecSchema, Isolation, Reuse, type InstanceSpec } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import { DEFAULT_LIMITS } from "../../src/agent/instance-limits.ts";
import type { InstanceRecord, LastEnding, LifeState } from "../../src/agent/instance-record.ts";
import type { RestartPolicy, RunEnding } from "../../src/agent/restart-policy.ts";

export const NEVER: RestartPolicy = { mode: "never", maxRetries: 0, backoffMs: 1_000, backoffMaxMs: 60_000 };
export const ALWAYS: RestartPolicy = { ...NEVER, mode: "always" };
export const ON_FAILURE: RestartPolicy = { ...NEVER, mode: "on-failure" };

export function specOf(fields: Parameters<typeof create<typeof InstanceSpecSchema>>[1] = {}): InstanceSpec {
  return create(InstanceSpecSchema, { moduleDigest: `sha256:${"a".repeat(64)}`, ...fields });
}

export function recordOf(fields: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    id: "a".repeat(20),
    generation: 1n,
    nodeId: "node-1",
    spec: specOf(),
    kind: "http",
    limits: DEFAULT_LIMITS,
    policy: NEVER,
    grants: [],
    state: "running",
    createdMs: 1_000,
    startedMs: 1_500,
    restartCount: 0,
    retriesInRow: 0,
    nextRestartMs: undefined,
    lastEnding: undefined,
    deniedCount: 0,
    witnessNodeId: "",
    ...fields,
  };
}

const timeMs = fc.integer({ min: 0, max: 4_000_000_000_000 });
const name = fc.stringMatching(/^[a-z0-9]{1,10}$/);

export const anyPolicy: fc.Arbitrary<RestartPolicy> = fc
  .record({
    mode: fc.constantFrom("never" as const, "always" as const, "on-failure" as const),
    maxRetries: fc.integer({ min: 0, max: 20 }),
    backoffMs: fc.integer({ min: 10, max: 3_600_000 }),
    stretch: fc.integer({ min: 0, max: 82_800_000 }),
  })
  .map(({ stretch, ...policy }) => ({ ...policy, backoffMaxMs: policy.backoffMs + stretch }));

export const anyEnding: fc.Arbitrary<RunEnding> = fc.oneof(
  fc.record({ kind: fc.constant("exited" as const), exitCode: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant("trapped" as const), message: fc.string() }),
  fc.record({
    kind: fc.constant("limit" as const),
    limit: fc.constantFrom("callTimeoutMs" as const, "memoryMaxBytes" as const),
    message: fc.string(),
  }),
  fc.constant({ kind: "stopped" as const }),
  fc.record({ kind: fc.constant("host-failed" as const), message: fc.string() }),
  fc.record({ kind: fc.constant("start-failed" as const), message: fc.string(), permanent: fc.boolean() }),
  fc.record({ kind: fc.constant("agent-lost" as const), message: fc.string() }),
);

const anyGrant: fc.Arbitrary<Grant> = fc.record({
  providerId: name,
  type: fc.constantFrom("kv" as const, "http" as const, "messaging" as const, "files" as const, "environment" as const),
  bucket: name,
  permissions: fc.array(fc.constantFrom("kv:read", "kv:write", "kv:delete"), { maxLength: 3 }),
  deniedPermissions: fc.array(fc.constantFrom("kv:read", "kv:write", "kv:delete"), { maxLength: 3 }),
});

/** A grant of the bucket "default" of provider "kv", or whatever `fields` say. */
export function grantOf(permissions: readonly string[], fields: Partial<Grant> = {}): Grant {
  return { providerId: "kv", type: "kv", bucket: "default", permissions, deniedPermissions: [], ...fields };
}

const anyLastEnding: fc.Arbitrary<LastEnding> = fc.record({
  cause: fc.constantFrom(
    "exited" as const,
    "trapped" as const,
    "limit" as const,
    "stopped" as const,
    "start-failed" as const,
    "agent-lost" as const,
    "host-failed" as const,
  ),
  exitCode: fc.integer({ min: -1_000, max: 1_000 }),
  limit: name,
  message: fc.string(),
  timeMs,
});

const anyState: fc.Arbitrary<LifeState> = fc.constantFrom(
  "starting",
  "running",
  "backoff",
  "stopping",
  "stopped",
  "exited",
  "failed",
  "lost",
);

const anySpec: fc.Arbitrary<InstanceSpec> = fc
  .record({
    name,
    labels: fc.dictionary(name, fc.string({ unit: "binary" })),
    args: fc.array(fc.string({ unit: "binary" })),
    env: fc.dictionary(name, fc.string({ unit: "binary" })),
    config: fc.dictionary(name, fc.string({ unit: "binary" })),
    isolation: fc.constantFrom(Isolation.UNSPECIFIED, Isolation.SHARED, Isolation.DEDICATED),
    reuse: fc.constantFrom(Reuse.UNSPECIFIED, Reuse.INSTANCE, Reuse.NONE),
    stdin: fc.uint8Array(),
  })
  .map((fields) => specOf({ ...fields, stdin: new Uint8Array(fields.stdin) }));

export const anyRecord: fc.Arbitrary<InstanceRecord> = fc.record({
  id: fc.stringMatching(/^[a-z0-9]{20}$/),
  generation: fc.bigInt({ min: 1n, max: 1n << 63n }),
  nodeId: name,
  spec: anySpec,
  kind: fc.constantFrom("http" as const, "command" as const, "functions" as const, "messaging" as const),
  limits: fc.record({
    memoryMaxBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    callTimeoutMs: fc.integer({ min: 1, max: 1_000_000 }),
    commandTimeoutMs: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
    startTimeoutMs: fc.integer({ min: 1, max: 1_000_000 }),
    cpuTimeMaxMs: fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
    concurrentCallsMax: fc.integer({ min: 1, max: 64 }),
    queuedCallsMax: fc.integer({ min: 1, max: 10_000 }),
    openHandlesMax: fc.integer({ min: 1, max: 100_000 }),
    outputMaxBytesPerMinute: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    outputMaxLinesPerMinute: fc.integer({ min: 1, max: 100_000_000 }),
    requestBodyMaxBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    responseBodyMaxBytes: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  }),
  policy: anyPolicy,
  grants: fc.array(anyGrant, { maxLength: 4 }),
  state: anyState,
  createdMs: timeMs,
  startedMs: fc.option(timeMs, { nil: undefined }),
  restartCount: fc.nat(1_000),
  retriesInRow: fc.nat(1_000),
  nextRestartMs: fc.option(timeMs, { nil: undefined }),
  lastEnding: fc.option(anyLastEnding, { nil: undefined }),
  deniedCount: fc.nat(),
  witnessNodeId: fc.oneof(fc.constant(""), name),
});
