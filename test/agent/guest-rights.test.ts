import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countedPermission } from "../../src/agent/counted-permission.ts";
import { createGuestRights } from "../../src/agent/guest-rights.ts";
import { Reason } from "../../src/fault.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import { grantOf, specOf } from "./records.ts";

const withReason = (reason: Reason) => expect.objectContaining({ reason });
const files = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant =>
  grantOf(permissions, { providerId: "files", type: "files", bucket: "", deniedPermissions });
const env = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant =>
  grantOf(permissions, { providerId: "env", type: "environment", bucket: "", deniedPermissions });

function setUp(stopped: readonly string[] = []) {
  const folders = new Set(["/srv", "/srv/a", "/srv/b", "/etc"]);
  const rights = createGuestRights({
    shares: {
      sharedFolders: ["/srv"],
      sharedEnv: { LANG: "C", UNSET: undefined },
      realPathOf: (path) => (folders.has(path) ? path : undefined),
    },
    isStopped: (id) => stopped.includes(id),
  });
  const recordOf = (...grants: Grant[]) => ({ spec: specOf({ env: { OWN: "1" } }), grants });
  return { folders, rights, recordOf };
}

describe("the rights of a guest", () => {
  test("are what its grants and the node together say", () => {
    const { rights, recordOf } = setUp();
    expect(rights.of(recordOf())).toEqual({ folders: [], env: { OWN: "1" } });
    expect(
      rights.of(recordOf(grantOf(["kv:read"]), files(["fs:read:/srv/a::/data"]), env(["env:LANG"]))),
    ).toMatchObject({
      folders: [{ guestPath: "/data", hostPath: "/srv/a", canRead: true, canWrite: false }],
      env: { OWN: "1", LANG: "C" },
    });
    expect(rights.of(recordOf(env([], ["env:OWN"]))).env).toEqual({});
  });

  test("cannot be more than the node shares", () => {
    const { rights, recordOf } = setUp();
    for (const grant of [files(["fs:read:/etc"]), files(["fs:read:/srv/missing"]), env(["env:SECRET"])])
      expect(() => rights.of(recordOf(grant))).toThrow(withReason(Reason.NOT_SHARED));
  });

  test("that are left do not depend on what the node has lost", () => {
    const { rights, recordOf, folders } = setUp();
    const record = recordOf(files(["fs:read:/srv/a", "fs:read:/srv/b"]), env(["env:LANG", "env:GONE"]));
    folders.delete("/srv/b");
    expect(() => rights.of(record)).toThrow(withReason(Reason.NOT_SHARED));
    expect(rights.left(record)).toMatchObject({ folders: [{ hostPath: "/srv/a" }], env: { LANG: "C", OWN: "1" } });
  });

  test("of a stopped provider are none, and its denials hold", () => {
    const { rights, recordOf } = setUp(["files", "env"]);
    expect(rights.of(recordOf(files(["fs:read:/srv/a"]), env(["env:LANG"], ["env:OWN"])))).toEqual({
      folders: [],
      env: {},
    });
  });

  test("never come to what is denied, whatever else is granted and left", () => {
    const permission = fc
      .constantFrom("/srv", "/srv/a", "/srv/b")
      .chain((path) => fc.constantFrom<string>(`fs:read:${path}`, `fs:write:${path}`));
    const { rights, recordOf } = setUp();
    fc.assert(
      fc.property(fc.uniqueArray(permission), fc.uniqueArray(permission), (granted, denied) => {
        const { folders } = rights.left(recordOf(files(granted), files([], denied)));
        for (const { hostPath, canRead, canWrite } of folders) {
          for (const [access, can] of [
            ["read", canRead],
            ["write", canWrite],
          ] as const) {
            const above = hostPath === "/srv" ? ["/srv"] : ["/srv", hostPath];
            const isDenied = above.some((path) => denied.includes(`fs:${access}:${path}`));
            if (isDenied) expect(can).toBe(false);
            else expect(can).toBe(above.some((path) => granted.includes(`fs:${access}:${path}`)));
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("an operation in the guest's thread", () => {
  test("is counted for the permission that was assigned, or that denied it", () => {
    const grants = [files(["fs:read:/srv/a::/data"], ["fs:write:/srv"]), env(["env:*"], ["env:SECRET"])];
    expect(countedPermission(grants, "fs:read:/srv/a::/data", "used")).toBe("fs:read:/srv/a::/data");
    expect(countedPermission(grants, "fs:write:/srv/a::/data", "denied")).toBe("fs:write:/srv");
    expect(countedPermission(grants, "env:LANG", "used")).toBe("env:*");
    expect(countedPermission(grants, "env:SECRET", "denied")).toBe("env:SECRET");
    expect(countedPermission([], "env:LANG", "used")).toBe("env:LANG");
    expect(countedPermission([grantOf(["kv:read"])], "no permission", "denied")).toBe("no permission");
  });
});
