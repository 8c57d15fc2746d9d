import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { assertAssignable, needsOfSpec, unsharedCount } from "../../../src/cp/start/spec-needs.ts";
import { Reason } from "../../../src/fault.ts";
import {
  AssignmentSchema,
  CapabilityType,
  InstanceSpecSchema,
  Isolation,
  Reuse,
} from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { nodeInfoOf } from "../node-history.ts";

const MEBIBYTE = 1024 ** 2;
const needsOf = (spec: MessageInitShape<typeof InstanceSpecSchema>) => needsOfSpec(create(InstanceSpecSchema, spec));

describe("what a spec needs of its node", () => {
  it("is an agent that knows restrictions, where it has any", () => {
    expect(needsOf({ assignments: [{ type: CapabilityType.KV, permissions: ["kv:read"] }] }).protocolVersion).toBe(0);
    expect(needsOf({ isolation: Isolation.SHARED, reuse: Reuse.INSTANCE }).protocolVersion).toBe(0);
    for (const spec of [
      { assignments: [{ type: CapabilityType.KV, deniedPermissions: ["kv:read"] }] },
      { assignments: [{ type: CapabilityType.FILES, permissions: ["fs:read:/srv"] }] },
      { assignments: [{ type: CapabilityType.ENVIRONMENT, permissions: ["env:*"] }] },
      { isolation: Isolation.DEDICATED },
      { reuse: Reuse.NONE },
      { config: { a: "b" } },
    ])
      expect(needsOf(spec).protocolVersion).toBe(2);
  });

  it("is memory for every call that it takes at a time", () => {
    expect(needsOf({}).memoryBytes).toBe(64 * MEBIBYTE);
    expect(needsOf({ limits: { concurrentCallsMax: 4 } }).memoryBytes).toBe(256 * MEBIBYTE);
    expect(needsOf({ limits: { concurrentCallsMax: 4, memoryMaxBytes: 1n } }).memoryBytes).toBe(4);
  });

  it("is folders and variables that it should share", () => {
    const needs = needsOf({
      env: { OWN: "1" },
      assignments: [
        { type: CapabilityType.FILES, permissions: ["fs:read:/srv/a::/data", "fs:write:/srv/b"] },
        { type: CapabilityType.ENVIRONMENT, permissions: ["env:LANG", "env:*", "env:OWN"] },
      ],
    });
    expect(needs).toMatchObject({ folders: ["/srv/a", "/srv/b"], envNames: ["LANG"] });
    expect(unsharedCount(nodeInfoOf(), needs)).toBe(3);
    expect(unsharedCount(nodeInfoOf({ sharedFolders: ["/srv/a"], sharedEnvNames: ["LANG"] }), needs)).toBe(1);
    expect(unsharedCount(nodeInfoOf({ sharedFolders: ["/srv"] }), needs)).toBe(1);
    expect(unsharedCount(nodeInfoOf({ sharedFolders: ["/"], sharedEnvNames: ["LANG"] }), needs)).toBe(0);
    expect(unsharedCount(nodeInfoOf({ sharedFolders: ["/srv/aa"] }), needs)).toBe(3);
  });
});

describe("an assignment", () => {
  const denial = create(AssignmentSchema, { type: CapabilityType.KV, deniedPermissions: ["kv:read"] });
  const plain = create(AssignmentSchema, { type: CapabilityType.KV, permissions: ["kv:read"] });

  it("that denies is not given to an agent that would leave the denial out", () => {
    expect(() => assertAssignable(denial, nodeInfoOf({ protocolVersion: 1 }), "Cannot assign")).toThrow(
      expect.objectContaining({ reason: Reason.PROTOCOL_VERSION_UNSUPPORTED }),
    );
    assertAssignable(denial, nodeInfoOf({ protocolVersion: 2 }), "Cannot assign");
    assertAssignable(plain, nodeInfoOf({ protocolVersion: 1 }), "Cannot assign");
    assertAssignable(undefined, undefined, "Cannot assign");
  });
});
