import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { allowAllText, ALLOW_ALL_RULES } from "../../../src/cli/permissions/allow-all.ts";
import {
  assignmentsFromRules,
  assignmentsToGrant,
  assignmentsToRevoke,
} from "../../../src/cli/permissions/assignment-plan.ts";
import {
  addPermissionFlags,
  permissionFlagsGiven,
  type PermissionFlag,
} from "../../../src/cli/permissions/permission-flags.ts";
import { AssignmentSchema, CapabilityType, type Assignment } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";

/** What commander makes of a command line. Values stand behind `=`, as `ProgramCommand` writes them. */
function flagsOf(argv: readonly string[], bareFolders = false): PermissionFlag[] {
  const command = addPermissionFlags(new Command(), { workDir: "/home/u", bareFolders }).exitOverride();
  command.parse(
    argv.map((word) => (word.includes("=") || word === "--allow-all" ? word : `${word}=`)),
    { from: "user" },
  );
  return permissionFlagsGiven(command.opts());
}

function started(...argv: string[]): Assignment[] {
  return assignmentsFromRules(flagsOf(argv).flatMap((flag) => flag.rules));
}

const HELD: readonly Assignment[] = [
  { type: CapabilityType.KV, providerId: "kv", bucket: "default", permissions: ["kv:read", "kv:write"] },
  {
    type: CapabilityType.HTTP,
    providerId: "http",
    permissions: ["http:domain:a.example"],
    deniedPermissions: ["http:domain:b.example"],
  },
  { type: CapabilityType.MESSAGING, providerId: "messaging", permissions: ["msg:publish:a", "msg:subscribe:a"] },
  { type: CapabilityType.FILES, providerId: "files", permissions: ["fs:read:/home/u/data::/data", "fs:write:/tmp"] },
].map((one) => create(AssignmentSchema, one));

describe("flags of run", () => {
  test("become one assignment for each provider and bucket", () => {
    expect(
      started(
        "--allow-net=a.example",
        "--allow-net=b.example:80",
        "--deny-net=c.example",
        "--allow-kv=x:read",
        "--allow-kv",
        "--deny-kv=x:write",
        "--allow-kv=y@kv-memory",
        "--allow-publish=t",
        "--allow-subscribe",
        "--allow-read=data::/data",
        "--allow-write=data::/data",
        "--deny-write",
        "--allow-env=LANG",
        "--deny-env",
      ),
    ).toMatchObject([
      {
        type: CapabilityType.HTTP,
        permissions: ["http:domain:a.example", "http:domain:b.example:80"],
        deniedPermissions: ["http:domain:c.example"],
        bucket: "",
      },
      { type: CapabilityType.ENVIRONMENT, permissions: ["env:LANG"], deniedPermissions: ["env:*"] },
      {
        type: CapabilityType.FILES,
        permissions: ["fs:read:/home/u/data::/data", "fs:write:/home/u/data::/data"],
        deniedPermissions: ["fs:write:/"],
      },
      { type: CapabilityType.KV, bucket: "x", permissions: ["kv:read"], deniedPermissions: ["kv:write"] },
      { type: CapabilityType.KV, bucket: "", permissions: ["kv:read", "kv:write", "kv:delete"], providerId: "" },
      { type: CapabilityType.KV, bucket: "y", providerId: "kv-memory" },
      { type: CapabilityType.MESSAGING, permissions: ["msg:publish:t", "msg:subscribe:>"] },
    ]);
    expect(started()).toEqual([]);
  });

  test("named twice, or alike in other letters, are one permission", () => {
    expect(started("--allow-net=A.example", "--allow-net=a.example")).toMatchObject([
      { permissions: ["http:domain:a.example"] },
    ]);
  });

  test("--allow-all is all types but folders, and says each permission on a line", () => {
    const types = started("--allow-all").map(({ type }) => type);
    expect(types).toEqual([
      CapabilityType.KV,
      CapabilityType.HTTP,
      CapabilityType.MESSAGING,
      CapabilityType.ENVIRONMENT,
    ]);
    const lines = allowAllText().split("\n");
    for (const { permission } of ALLOW_ALL_RULES)
      expect(lines.some((line) => line.startsWith(`  ${permission} `))).toBe(true);
    expect(allowAllText()).toContain("no folder");
  });
});

describe("flags of grant", () => {
  test("are added to what is held, denials included, and leave the rest alone", () => {
    const rules = flagsOf(["--allow-net=c.example", "--deny-kv=:write", "--allow-env"]).flatMap((flag) => flag.rules);
    expect(assignmentsToGrant(HELD, rules)).toMatchObject([
      {
        providerId: "http",
        permissions: ["http:domain:a.example", "http:domain:c.example"],
        deniedPermissions: ["http:domain:b.example"],
      },
      { type: CapabilityType.ENVIRONMENT, providerId: "", permissions: ["env:*"] },
      { providerId: "kv", bucket: "default", permissions: ["kv:read", "kv:write"], deniedPermissions: ["kv:write"] },
    ]);
  });
});

describe("flags of revoke", () => {
  const revoked = (...argv: string[]): Assignment[] => assignmentsToRevoke(HELD, flagsOf(argv, true));

  test("with a value take that away, held or not", () => {
    expect(revoked("--allow-net=a.example")).toMatchObject([
      { providerId: "http", permissions: ["http:domain:a.example"], deniedPermissions: [] },
    ]);
    expect(revoked("--allow-kv=other:read")).toMatchObject([
      { providerId: "", bucket: "other", permissions: ["kv:read"] },
    ]);
    expect(revoked("--deny-net=b.example")).toMatchObject([
      { permissions: [], deniedPermissions: ["http:domain:b.example"] },
    ]);
  });

  test("of a folder take it away wherever the guest sees it", () => {
    expect(revoked("--allow-read=data")).toMatchObject([
      { permissions: ["fs:read:/home/u/data", "fs:read:/home/u/data::/data"] },
    ]);
  });

  test("without a value take all of their kind and nothing else", () => {
    expect(revoked("--allow-publish")).toMatchObject([{ permissions: ["msg:publish:a"], deniedPermissions: [] }]);
    expect(revoked("--allow-write")).toMatchObject([{ permissions: ["fs:write:/tmp"] }]);
    expect(revoked("--deny-net")).toMatchObject([{ permissions: [], deniedPermissions: ["http:domain:b.example"] }]);
    expect(revoked("--allow-env")).toEqual([]);
    expect(revoked("--allow-kv")).toMatchObject([
      { providerId: "kv", bucket: "default", permissions: ["kv:read", "kv:write", "kv:delete"] },
    ]);
  });

  test("--allow-all takes everything, but lifts no denial", () => {
    expect(revoked("--allow-all")).toMatchObject(
      HELD.map(({ permissions }) => ({ permissions, deniedPermissions: [] })),
    );
  });

  test("never ask for a whole assignment by naming nothing", () => {
    for (const argv of [["--allow-all"], ["--allow-net"], ["--deny-read"], ["--allow-kv=b"]])
      for (const { permissions, deniedPermissions } of revoked(...argv))
        expect(permissions.length + deniedPermissions.length).toBeGreaterThan(0);
  });
});
