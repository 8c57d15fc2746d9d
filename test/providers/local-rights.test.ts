import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { isFault, Reason } from "../../src/fault.ts";
import { isAtOrBelow } from "../../src/providers/files/host-path.ts";
import { realPathOnHost } from "../../src/providers/files/real-path.ts";
import { folderPermission, type LocalRights } from "../../src/providers/local-rights.ts";
import { localRightsFromGrants, type LocalShares } from "../../src/providers/local-rights-from-grants.ts";
import type { Grant } from "../../src/providers/permissions.ts";

const files = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant => ({
  providerId: "files",
  type: "files",
  bucket: "",
  permissions,
  deniedPermissions,
});
const env = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant => ({
  ...files(permissions, deniedPermissions),
  providerId: "env",
  type: "environment",
});
const node = (over: Partial<LocalShares> = {}): LocalShares => ({
  sharedFolders: ["/srv"],
  sharedEnv: {},
  ownEnv: {},
  realPathOf: (path) => path,
  ...over,
});
const refusal = (grants: readonly Grant[], shares: LocalShares, reason: Reason): string => {
  try {
    localRightsFromGrants(grants, shares);
  } catch (error) {
    if (isFault(error, reason)) return error.message;
    throw error;
  }
  throw new Error("was accepted");
};

describe("granted folders", () => {
  it("never hold what the node itself lives on, though it lies in a shared folder", () => {
    const shares = node({ neverShared: ["/srv/.wasmatrix"] });
    expect(localRightsFromGrants([files(["fs:read:/srv", "fs:write:/srv"])], shares).folders).toMatchObject([
      {
        hostPath: "/srv",
        canRead: true,
        canWrite: true,
        deniedPaths: [{ hostPath: "/srv/.wasmatrix", isReadDenied: true, isWriteDenied: true }],
      },
    ]);
    for (const path of ["/srv/.wasmatrix", "/srv/.wasmatrix/modules"]) {
      expect(refusal([files([`fs:read:${path}`])], shares, Reason.NOT_SHARED)).toContain("never shared");
    }
    expect(localRightsFromGrants([files(["fs:read:/srv/.wasmatrix2"])], shares).folders).toHaveLength(1);
  });

  it("are seen under the host's path or under one of their own, and are known by their permissions", () => {
    const { folders } = localRightsFromGrants(
      [files(["fs:read:/srv/a", "fs:write:/srv/a", "fs:read:/srv/b::/data"])],
      node(),
    );
    expect(folders).toMatchObject([
      { guestPath: "/srv/a", hostPath: "/srv/a", canRead: true, canWrite: true, deniedPaths: [] },
      { guestPath: "/data", hostPath: "/srv/b", canRead: true, canWrite: false, deniedPaths: [] },
    ]);
    expect(folders.map((folder) => folderPermission(folder, "read"))).toEqual([
      "fs:read:/srv/a",
      "fs:read:/srv/b::/data",
    ]);
    expect(folders.map((folder) => folderPermission(folder, "write"))).toEqual([
      "fs:write:/srv/a",
      "fs:write:/srv/b::/data",
    ]);
    expect(folderPermission({ guestPath: "/a", hostPath: "/a" }, "read")).toBe("fs:read:/a");
  });

  it("must be shared by the node, as a whole part of a path", () => {
    expect(refusal([files(["fs:read:/etc"])], node(), Reason.NOT_SHARED)).toBe(
      'Cannot grant "fs:read:/etc": this node shares no folder that contains it (it shares /srv)',
    );
    expect(refusal([files(["fs:read:/srvx"])], node(), Reason.NOT_SHARED)).toContain("shares no folder");
    expect(refusal([files(["fs:read:/"])], node(), Reason.NOT_SHARED)).toContain("shares no folder");
    expect(refusal([files(["fs:read:/srv"])], node({ sharedFolders: [] }), Reason.NOT_SHARED)).toContain(
      "it shares none",
    );
    expect(localRightsFromGrants([files(["fs:read:/etc"])], node({ sharedFolders: ["/"] })).folders).toHaveLength(1);
  });

  it("must exist, which is told only of what is shared", () => {
    const nothing = node({ realPathOf: (path) => (path === "/srv" ? path : undefined) });
    expect(refusal([files(["fs:read:/srv/a"])], nothing, Reason.NOT_SHARED)).toContain(
      "there is no /srv/a on this node",
    );
    expect(refusal([files(["fs:read:/home/a"])], nothing, Reason.NOT_SHARED)).toContain("shares no folder");
  });

  it("cannot be seen in one place", () => {
    const both = ["fs:read:/srv/a::/data", "fs:write:/srv/b::/data"];
    expect(refusal([files(both)], node(), Reason.PERMISSION_INVALID)).toContain('by "fs:read:/srv/a::/data"');
  });

  it("have, inside another one, also what the outer one permits", () => {
    const { folders } = localRightsFromGrants([files(["fs:read:/srv", "fs:write:/srv/a"])], node());
    expect(folders).toMatchObject([
      { hostPath: "/srv", canRead: true, canWrite: false },
      { hostPath: "/srv/a", canRead: true, canWrite: true },
    ]);
    expect(folders.map((folder) => folderPermission(folder, "read"))).toEqual(["fs:read:/srv", "fs:read:/srv"]);
  });

  it("lose what is denied: all of it, one way, or places below", () => {
    const all = ["fs:read:/srv/a", "fs:write:/srv/a"];
    expect(localRightsFromGrants([files(all, ["fs:read:/srv", "fs:write:/srv/a"])], node()).folders).toEqual([]);
    expect(localRightsFromGrants([files(all), files([], ["fs:write:/srv"])], node()).folders).toMatchObject([
      { canRead: true, canWrite: false },
    ]);
    const some = files(all, [
      "fs:read:/srv/a/x",
      "fs:write:/srv/a/x",
      "fs:write:/srv/a/y/z",
      "fs:read:/srv/b",
      "fs:read:/srv/ab",
    ]);
    expect(localRightsFromGrants([some], node()).folders[0]?.deniedPaths).toEqual([
      { hostPath: "/srv/a/x", isReadDenied: true, isWriteDenied: true },
      { hostPath: "/srv/a/y/z", isReadDenied: false, isWriteDenied: true },
    ]);
    expect(localRightsFromGrants([files(all, ["fs:read:/"])], node({ sharedFolders: ["/"] })).folders).toMatchObject([
      { canRead: false },
    ]);
  });

  it("are all lost by a denial that is not understood", () => {
    expect(localRightsFromGrants([files(["fs:read:/srv/a"], ["fs:look:/srv/b"])], node()).folders).toEqual([]);
  });

  it("are what they were granted less what was denied, at every place", () => {
    const anyPath = fc.array(fc.constantFrom("a", "b"), { maxLength: 3 }).map((parts) => ["/srv", ...parts].join("/"));
    const anyPermission = fc
      .tuple(fc.constantFrom("read", "write"), anyPath)
      .map(([access, path]) => `fs:${access}:${path}`);
    const may = (rights: LocalRights, access: "read" | "write", place: string): boolean =>
      rights.folders.some(
        (folder) =>
          isAtOrBelow(folder.hostPath, place) &&
          (access === "read" ? folder.canRead : folder.canWrite) &&
          !folder.deniedPaths.some(
            (denied) =>
              isAtOrBelow(denied.hostPath, place) && (access === "read" ? denied.isReadDenied : denied.isWriteDenied),
          ),
      );
    fc.assert(
      fc.property(
        fc.array(anyPermission, { maxLength: 4 }),
        fc.array(anyPermission, { maxLength: 3 }),
        fc.constantFrom("read" as const, "write" as const),
        anyPath,
        (granted, denied, access, place) => {
          const covers = (texts: readonly string[]): boolean =>
            texts.some(
              (text) => text.startsWith(`fs:${access}:`) && isAtOrBelow(text.slice(`fs:${access}:`.length), place),
            );
          const rights = localRightsFromGrants([files(granted), files([], denied)], node());
          expect(may(rights, access, place)).toBe(covers(granted) && !covers(denied));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("granted folders on a host with symlinks", () => {
  const made: string[] = [];
  afterEach(() => {
    for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
  });
  const makeHost = (): string => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "local-rights-")));
    made.push(root);
    for (const folder of ["shared/data/secret", "shared/other", "private"])
      mkdirSync(join(root, folder), { recursive: true });
    symlinkSync("../private", join(root, "shared/out"));
    symlinkSync("data", join(root, "shared/in"));
    symlinkSync("secret", join(root, "shared/data/alias"));
    symlinkSync("shared", join(root, "link-to-shared"));
    return root;
  };

  it("are where the link leads, which must be shared as well", () => {
    const root = makeHost();
    const shares = node({ sharedFolders: [`${root}/shared`], realPathOf: realPathOnHost });
    expect(refusal([files([`fs:read:${root}/shared/out`])], shares, Reason.NOT_SHARED)).toContain("shares no folder");
    expect(localRightsFromGrants([files([`fs:read:${root}/shared/in`])], shares).folders).toMatchObject([
      { guestPath: `${root}/shared/in`, hostPath: `${root}/shared/data` },
    ]);
    expect(
      localRightsFromGrants([files([`fs:read:${root}/shared/data::/d`])], {
        ...shares,
        sharedFolders: [`${root}/link-to-shared`],
      }).folders,
    ).toHaveLength(1);
    expect(refusal([files([`fs:read:${root}/shared/none`])], shares, Reason.NOT_SHARED)).toContain("there is no");
  });

  it("are denied where the link leads, and by whatever name, also what does not exist yet", () => {
    const root = makeHost();
    const shares = node({ sharedFolders: [root], realPathOf: realPathOnHost });
    const grant = files(
      [`fs:read:${root}/shared`],
      [`fs:read:${root}/shared/in/alias`, `fs:read:${root}/link-to-shared/other`, `fs:read:${root}/shared/in/later/on`],
    );
    expect(localRightsFromGrants([grant], shares).folders[0]?.deniedPaths.map((one) => one.hostPath)).toEqual([
      `${root}/shared/data/alias`,
      `${root}/shared/data/later/on`,
      `${root}/shared/data/secret`,
      `${root}/shared/in/later/on`,
      `${root}/shared/other`,
    ]);
  });
});

describe("the environment", () => {
  const shares = node({
    sharedEnv: { LANG: "de", UNSET: undefined, WASMATRIX_TOKEN: "secret", HOST: "h1" },
    ownEnv: { MODE: "own", LANG: "own" },
  });

  it("has the start order's variables, and those of the node that were granted", () => {
    expect(localRightsFromGrants([], shares).env).toEqual({ MODE: "own", LANG: "own" });
    expect(localRightsFromGrants([env(["env:HOST", "env:UNSET", "env:LANG"])], shares).env).toEqual({
      MODE: "own",
      LANG: "own",
      HOST: "h1",
    });
    expect(localRightsFromGrants([env(["env:*"])], { ...shares, ownEnv: {} }).env).toEqual({ LANG: "de", HOST: "h1" });
  });

  it("refuses at once what the node does not share, and never shares the agent's own settings", () => {
    expect(refusal([env(["env:PATH"])], shares, Reason.NOT_SHARED)).toBe(
      'Cannot grant "env:PATH": this node does not share that variable (it shares HOST, LANG, UNSET)',
    );
    expect(refusal([env(["env:WASMATRIX_TOKEN"])], shares, Reason.NOT_SHARED)).toContain("does not share");
    expect(refusal([env(["env:A"])], node(), Reason.NOT_SHARED)).toContain("it shares none");
    expect(localRightsFromGrants([env(["env:MODE"])], shares).env["MODE"]).toBe("own");
  });

  it("loses what is denied, the start order's variables included", () => {
    expect(localRightsFromGrants([env(["env:*"], ["env:LANG"])], shares).env).toEqual({ MODE: "own", HOST: "h1" });
    expect(localRightsFromGrants([env(["env:*"]), env([], ["env:*"])], shares).env).toEqual({});
    expect(localRightsFromGrants([env(["env:*"], ["env:A=B"])], shares).env).toEqual({});
  });

  it("does not mistake names that objects inherit for variables", () => {
    expect(refusal([env(["env:constructor"])], shares, Reason.NOT_SHARED)).toContain("does not share");
    expect(refusal([env(["env:__proto__"])], shares, Reason.NOT_SHARED)).toContain("does not share");
  });
});

describe("sockets", () => {
  const http = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant => ({
    ...files(permissions, deniedPermissions),
    providerId: "http",
    type: "http",
  });
  const sockets = (...grants: readonly Grant[]): boolean => localRightsFromGrants(grants, node()).sockets === true;

  it("are granted by http:request, and by nothing less", () => {
    expect(sockets(http(["http:request"]))).toBe(true);
    expect(sockets(http(["http:domain:example.com"]))).toBe(false);
    expect(sockets(http(["http:domain:127.0.0.1"]), env([]))).toBe(false);
    expect(sockets()).toBe(false);
  });

  it("are denied by any denial of HTTP, for a connection cannot be told by its domain", () => {
    expect(sockets(http(["http:request"], ["http:domain:example.com"]))).toBe(false);
    expect(sockets(http(["http:request"]), http([], ["http:request"]))).toBe(false);
    expect(sockets(http(["http:request"]), files([], ["fs:read:/srv/a"]))).toBe(true);
  });
});
