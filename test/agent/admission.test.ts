import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admit, loadOf } from "../../src/agent/admission.ts";
import type { ProviderDirectory } from "../../src/agent/assignments.ts";
import { DEFAULT_LIMITS } from "../../src/agent/instance-limits.ts";
import { Reason } from "../../src/fault.ts";
import { CapabilityType, InstanceSpecSchema, RestartMode } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { GuestKind } from "../../src/runtime/runtime.ts";
import { anyRecord, recordOf } from "./records.ts";

const MIB = 1024 * 1024;
const providers: ProviderDirectory = {
  defaultId: (type) => (type === "kv" ? "kv" : undefined),
  typeOf: (id) => (id === "kv" || id === "kv-memory" ? "kv" : undefined),
};
const kinds: readonly GuestKind[] = ["http", "command"];
const node = {
  nodeId: "node-1",
  capacity: { instancesMax: 10, memoryMaxBytes: 1024 * MIB },
  load: { instances: 0, memoryBytes: 0 },
  kinds,
  providers,
  shape: { kind: "http" as GuestKind, imports: [] as readonly string[] },
  nowMs: 5_000,
};
type Spec = Parameters<typeof create<typeof InstanceSpecSchema>>[1];
const orderOf = (spec: Spec = {}) => ({
  id: "a".repeat(20),
  generation: 1n,
  spec: create(InstanceSpecSchema, spec),
  requestId: "",
});
const refusal = (reason: Reason, text: string) =>
  expect.objectContaining({ reason, message: expect.stringContaining(text) });

describe("admission", () => {
  test("fills in every default", () => {
    expect(admit(orderOf(), node)).toMatchObject({
      state: "starting",
      limits: DEFAULT_LIMITS,
      policy: { mode: "never", maxRetries: 0, backoffMs: 1_000, backoffMaxMs: 60_000 },
      grants: [],
      createdMs: 5_000,
    });
  });

  test("takes the last free place and refuses the one after it", () => {
    expect(admit(orderOf(), { ...node, load: { instances: 9, memoryBytes: 0 } }).state).toBe("starting");
    expect(() => admit(orderOf(), { ...node, load: { instances: 10, memoryBytes: 0 } })).toThrow(
      refusal(Reason.NODE_AT_CAPACITY, "the node runs 10 of at most 10 instances"),
    );
  });

  test("takes what just fits into memory and refuses one byte more", () => {
    const load = { instances: 1, memoryBytes: 960 * MIB };
    expect(admit(orderOf(), { ...node, load }).limits.memoryMaxBytes).toBe(64 * MIB);
    expect(() => admit(orderOf(), { ...node, load: { ...load, memoryBytes: load.memoryBytes + 1 } })).toThrow(
      refusal(Reason.NODE_AT_CAPACITY, "memory limits would add up to"),
    );
  });

  test("counts the memory of an instance once for each call that it takes at a time", () => {
    const of = (concurrentCallsMax: number) =>
      orderOf({ limits: { memoryMaxBytes: BigInt(256 * MIB), concurrentCallsMax } });
    expect(loadOf([admit(of(4), node)])).toEqual({ instances: 1, memoryBytes: 1024 * MIB });
    expect(() => admit(of(5), node)).toThrow(refusal(Reason.NODE_AT_CAPACITY, `would add up to ${1280 * MIB}`));
  });

  test("grants a limit at the node's bound and names the bound beyond it", () => {
    expect(admit(orderOf({ limits: { memoryMaxBytes: BigInt(1024 * MIB) } }), node).limits.memoryMaxBytes).toBe(
      1024 * MIB,
    );
    expect(() => admit(orderOf({ limits: { memoryMaxBytes: BigInt(1024 * MIB) + 1n } }), node)).toThrow(
      refusal(
        Reason.LIMIT_INVALID,
        "Cannot grant limit memory_max_bytes: this node allows 65536 to 1073741824 (got 1073741825)",
      ),
    );
    expect(() => admit(orderOf({ limits: { memoryMaxBytes: 1n } }), node)).toThrow(
      refusal(Reason.LIMIT_INVALID, "memory_max_bytes"),
    );
    expect(() => admit(orderOf({ limits: { callTimeoutMs: 3_600_001 } }), node)).toThrow(
      refusal(Reason.LIMIT_INVALID, "call_timeout_ms"),
    );
  });

  test("lowers the default memory on a node that is smaller than it", () => {
    const small = { ...node, capacity: { instancesMax: 1, memoryMaxBytes: 32 * MIB } };
    expect(admit(orderOf(), small).limits.memoryMaxBytes).toBe(32 * MIB);
  });

  test("refuses imports that nothing is said about, and takes them granted, denied, or placed anew", () => {
    const shape = { kind: "http" as GuestKind, imports: ["wasi:keyvalue/store@0.2.0-draft"] };
    expect(() => admit(orderOf(), { ...node, shape })).toThrow(
      refusal(Reason.CAPABILITY_DENIED, "it imports wasi:keyvalue/store@0.2.0-draft and nothing is said about kv"),
    );
    for (const said of [{ permissions: ["kv:read"] }, { bucket: "other", deniedPermissions: ["kv:delete"] }]) {
      const assignments = [{ type: CapabilityType.KV, ...said }];
      expect(admit(orderOf({ assignments }), { ...node, shape }).grants).toHaveLength(1);
    }
    expect(admit({ ...orderOf(), generation: 2n }, { ...node, shape }).generation).toBe(2n);
  });

  test("refuses a kind that the node does not host", () => {
    expect(admit(orderOf(), { ...node, shape: { kind: "command", imports: [] } }).kind).toBe("command");
    expect(() => admit(orderOf(), { ...node, shape: { kind: "functions", imports: [] } })).toThrow(
      refusal(Reason.MODULE_KIND_UNSUPPORTED, "functions"),
    );
  });

  test("fills in the default provider and bucket, and refuses what the node does not have", () => {
    const type = CapabilityType.KV;
    expect(admit(orderOf({ assignments: [{ type, permissions: ["kv:read", "kv:read"] }] }), node).grants).toEqual([
      { providerId: "kv", type: "kv", bucket: "default", permissions: ["kv:read"], deniedPermissions: [] },
    ]);
    const refused = (assignment: NonNullable<NonNullable<Spec>["assignments"]>[number], reason: Reason, text: string) =>
      expect(() => admit(orderOf({ assignments: [assignment] }), node)).toThrow(refusal(reason, text));
    refused({ type, providerId: "nope", permissions: ["kv:read"] }, Reason.PROVIDER_NOT_FOUND, '"nope"');
    refused(
      { type: CapabilityType.HTTP, permissions: ["http:request"] },
      Reason.PROVIDER_NOT_FOUND,
      "no http provider",
    );
    refused(
      { type: CapabilityType.HTTP, providerId: "kv", permissions: ["http:request"] },
      Reason.PROVIDER_NOT_FOUND,
      "it is a kv provider",
    );
    refused({ type, permissions: ["http:request"] }, Reason.PERMISSION_INVALID, "http:request");
    refused({ type, permissions: ["kv:fly"] }, Reason.PERMISSION_INVALID, "kv:fly");
    refused({ type, permissions: [] }, Reason.PERMISSION_INVALID, "no permission");
  });

  test("refuses two assignments for one bucket, and takes two for two", () => {
    const read = { type: CapabilityType.KV, permissions: ["kv:read"] };
    expect(admit(orderOf({ assignments: [read, { ...read, bucket: "other" }] }), node).grants).toHaveLength(2);
    expect(() => admit(orderOf({ assignments: [read, { ...read, bucket: "default" }] }), node)).toThrow(
      refusal(Reason.INVALID_REQUEST, 'there are two for bucket "default" of provider "kv"'),
    );
  });

  test("refuses a bucket of two providers, and takes two buckets of two", () => {
    const read = { type: CapabilityType.KV, permissions: ["kv:read"] };
    const memory = { ...read, providerId: "kv-memory" };
    const providers = { ...node.providers, typeOf: () => "kv" as const };
    const admitBoth = (bucket: string) =>
      admit(orderOf({ assignments: [read, { ...memory, bucket }] }), { ...node, providers });
    expect(admitBoth("other").grants).toHaveLength(2);
    expect(() => admitBoth("default")).toThrow(
      refusal(Reason.INVALID_REQUEST, 'the instance has that bucket of provider "kv"; revoke it first'),
    );
  });

  test("refuses a backoff above its maximum, and raises a maximum that nobody set", () => {
    const policy = (backoffMs: number, backoffMaxMs?: number) => ({
      restartPolicy: {
        mode: RestartMode.ALWAYS,
        backoff: durationFromMs(backoffMs),
        ...(backoffMaxMs === undefined ? {} : { backoffMax: durationFromMs(backoffMaxMs) }),
      },
    });
    expect(() => admit(orderOf(policy(2_000, 1_000)), node)).toThrow(
      refusal(Reason.INVALID_REQUEST, "backoff 2000 ms exceeds backoff_max 1000 ms"),
    );
    expect(admit(orderOf(policy(120_000)), node).policy).toMatchObject({ backoffMs: 120_000, backoffMaxMs: 120_000 });
    expect(
      admit(orderOf({ restartPolicy: { mode: RestartMode.ON_FAILURE, backoffMax: durationFromMs(500) } }), node).policy,
    ).toMatchObject({
      mode: "on-failure",
      backoffMs: 500,
      backoffMaxMs: 500,
    });
  });

  test("refuses arguments that would not fit into a report, and takes those that do", () => {
    expect(admit(orderOf({ args: Array.from({ length: 7 }, () => "x".repeat(32_000)) }), node).state).toBe("starting");
    expect(() => admit(orderOf({ args: Array.from({ length: 9 }, () => "x".repeat(32_000)) }), node)).toThrow(
      refusal(Reason.INVALID_REQUEST, "together exceed 262144 bytes"),
    );
  });
});

describe("the environment", () => {
  test("is bounded as a whole", () => {
    const env = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, "x".repeat(32_000)]));
    expect(admit(orderOf({ env: env(8) }), node).state).toBe("starting");
    expect(() => admit(orderOf({ env: env(9) }), node)).toThrow(
      refusal(Reason.INVALID_REQUEST, "its environment exceeds 262144 characters"),
    );
  });
});

describe("the load of a node", () => {
  test("is the sum over live instances, and never of ended ones", () => {
    const live = recordOf();
    expect(loadOf([live, recordOf({ state: "stopped" }), recordOf({ state: "backoff" })])).toEqual({
      instances: 2,
      memoryBytes: 2 * live.limits.memoryMaxBytes,
    });
    fc.assert(
      fc.property(fc.array(anyRecord), (records) => {
        const ended = records.map((record) => ({ ...record, state: "failed" as const }));
        expect(loadOf(ended)).toEqual({ instances: 0, memoryBytes: 0 });
      }),
      { numRuns: 200 },
    );
  });
});
