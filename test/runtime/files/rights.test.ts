import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { DeniedPath } from "../../../src/providers/local-rights.ts";
import { HandleLimit } from "../../../src/runtime/handle-limit.ts";
import { codeOf, CREATE, granted, openFile, openFolder, openTestGuest, READ } from "./test-folder.ts";
import { readText, TREES, writeText, type TestGuest } from "./test-folder.ts";

const NOW = { kind: "now" } as const;

/** Every operation on a path, by the right that it takes. */
const READING: Readonly<Record<string, (guest: TestGuest) => unknown>> = {
  open: ({ root }) => root.openAt("f", READ).close(),
  stat: ({ root }) => root.statAt("f", true),
  "stat of the folder": ({ root }) => root.stat(),
  hash: ({ root }) => root.metadataHashAt("f", true),
  list: ({ root }) => root.list(),
  readlink: ({ root }) => root.readlinkAt("l"),
  "open for nothing": ({ root }) => root.openAt("f", { ...READ, read: false }).close(),
};
const WRITING: Readonly<Record<string, (guest: TestGuest) => unknown>> = {
  create: ({ root }) => root.openAt("new", { ...CREATE, read: false }).close(),
  "open for writing": ({ root }) => root.openAt("f", { ...READ, read: false, write: true }).close(),
  truncate: ({ root }) => root.openAt("f", { ...READ, read: false, truncate: true }).close(),
  mkdir: ({ root }) => root.createDirectoryAt("d"),
  symlink: ({ root }) => root.symlinkAt("f", "s"),
  times: ({ root }) => root.setTimesAt("f", true, NOW, NOW),
  rename: ({ root }) => root.renameAt("g", root, "h"),
  link: ({ root }) => root.linkAt("f", root, "f2"),
  unlink: ({ root }) => root.unlinkFileAt("f2"),
  rmdir: ({ root }) => root.removeDirectoryAt("d"),
};

function guestWithFiles(tree: "descriptors" | "paths"): TestGuest {
  const guest = openTestGuest(tree);
  writeText(guest.root, "f", "text");
  writeText(guest.root, "g", "text");
  guest.root.symlinkAt("f", "l");
  guest.audits.length = 0;
  return guest;
}

describe.each(TREES)("rights by %s", (tree) => {
  it.each(Object.keys(READING))("reading takes the right to read: %s", (name) => {
    using guest = guestWithFiles(tree);
    const { granted: hostPath } = guest.host;
    guest.setFolders([granted(hostPath, "/data", { canWrite: false })]);
    expect(codeOf(() => READING[name]?.(guest))).toBe("done");
    expect(guest.audits).toEqual([`used fs:read:${hostPath}::/data`]);
    guest.setFolders([granted(hostPath, "/data", { canRead: false })]);
    expect(codeOf(() => READING[name]?.(guest))).toBe("not-permitted");
    guest.setFolders([]);
    expect(codeOf(() => READING[name]?.(guest))).toBe("not-permitted");
    expect(guest.audits.slice(1)).toEqual([`denied fs:read:${hostPath}::/data`, `denied fs:read:${hostPath}::/data`]);
  });

  it("writing takes the right to write, and that alone is enough", () => {
    using guest = guestWithFiles(tree);
    const { granted: hostPath } = guest.host;
    for (const folders of [[granted(hostPath, "/data", { canWrite: false })], []]) {
      guest.setFolders(folders);
      for (const act of Object.values(WRITING)) expect(codeOf(() => act(guest))).toBe("not-permitted");
    }
    expect(new Set(guest.audits)).toEqual(new Set([`denied fs:write:${hostPath}::/data`]));
    guest.setFolders([granted(hostPath, "/data", { canRead: false })]);
    for (const act of Object.values(WRITING)) expect(codeOf(() => act(guest))).toBe("done");
    guest.setFolders([granted(hostPath, "/data")]);
    expect(codeOf(() => openFile(guest.root, "h", CREATE))).toBe("done");
    expect(guest.audits.slice(-2).toSorted()).toEqual([
      `used fs:read:${hostPath}::/data`,
      `used fs:write:${hostPath}::/data`,
    ]);
  });

  it("are asked for anew by what is already open", () => {
    using guest = guestWithFiles(tree);
    const { granted: hostPath } = guest.host;
    const file = openFile(guest.root, "f", CREATE);
    const folder = openFolder(guest.root, ".");
    const bytes = Buffer.alloc(10);
    const onFile = {
      reading: [() => file.read(bytes, 0n), () => file.stat(), () => file.metadataHash()],
      writing: [
        () => file.write(Buffer.from("x"), 0n),
        () => file.append(Buffer.from("x")),
        () => file.setSize(3n),
        () => file.setTimes(NOW, NOW),
        () => file.sync("all"),
        () => file.size(),
      ],
    };
    const outcomes = (calls: readonly (() => unknown)[]): Set<string> => new Set(calls.map((call) => codeOf(call)));
    const lists = [() => folder.list(), () => folder.sync("all")];
    expect(outcomes([...onFile.reading, ...onFile.writing, ...lists])).toEqual(new Set(["done"]));
    guest.setFolders([granted(hostPath, "/data", { canWrite: false })]);
    expect([outcomes(onFile.reading), outcomes(onFile.writing)]).toEqual([
      new Set(["done"]),
      new Set(["not-permitted"]),
    ]);
    guest.setFolders([granted(hostPath, "/data", { canRead: false })]);
    expect([outcomes(onFile.reading), outcomes(onFile.writing)]).toEqual([
      new Set(["not-permitted"]),
      new Set(["done"]),
    ]);
    guest.setFolders([]);
    expect(outcomes([...onFile.reading, ...onFile.writing, ...lists])).toEqual(new Set(["not-permitted"]));
    guest.setFolders([granted(hostPath, "/data")]);
    expect(outcomes([...onFile.reading, ...onFile.writing, ...lists])).toEqual(new Set(["done"]));
  });

  it("count under the permissions by which the folder was granted", () => {
    using guest = guestWithFiles(tree);
    guest.setFolders([
      granted(guest.host.granted, "/data", { grantedBy: { read: "fs:read:/outer", write: undefined } }),
    ]);
    guest.root.statAt("f", true);
    expect(guest.audits).toEqual(["used fs:read:/outer"]);
  });

  it("are not gained by a link or a rename into another folder", () => {
    using guest = guestWithFiles(tree);
    const { top, granted: hostPath } = guest.host;
    mkdirSync(join(top, "other"));
    const other = granted(join(top, "other"), "/other");
    const twoFolders = (first: object, second: object): void =>
      guest.setFolders([granted(hostPath, "/data", first), { ...other, ...second }]);
    const move = (): string => codeOf(() => guest.root.renameAt("f", guest.folder("/other"), "moved"));
    const link = (): string => codeOf(() => guest.root.linkAt("f", guest.folder("/other"), "linked"));
    twoFolders({ canRead: false }, {});
    expect([move(), link()]).toEqual(["not-permitted", "not-permitted"]);
    twoFolders({ canWrite: false }, {});
    expect([move(), link()]).toEqual(["not-permitted", "not-permitted"]);
    twoFolders({}, { canWrite: false });
    expect([move(), link()]).toEqual(["not-permitted", "not-permitted"]);
    twoFolders({ canRead: false }, { canRead: false });
    expect([link(), move()]).toEqual(["done", "done"]);
    twoFolders({}, {});
    expect(readText(guest.folder("/other"), "moved")).toBe("text");
  });

  it("end at denied places, and go on beside them", () => {
    using guest = guestWithFiles(tree);
    const { granted: hostPath } = guest.host;
    const { root } = guest;
    mkdirSync(join(hostPath, "top/keys"), { recursive: true });
    writeFileSync(join(hostPath, "top/keys/k"), "key");
    writeFileSync(join(hostPath, "top/keys2"), "beside");
    root.symlinkAt("top/keys/k", "way");
    const keys = openFolder(root, "top/keys");
    const key = openFile(root, "top/keys/k", CREATE);
    const deny = (denied: Partial<DeniedPath>): void =>
      guest.setFolders([
        granted(hostPath, "/data", {
          deniedPaths: [{ hostPath: join(hostPath, "top/keys"), isReadDenied: false, isWriteDenied: false, ...denied }],
        }),
      ]);
    const reads = [
      () => readText(root, "top/keys/k"),
      () => readText(root, "way"),
      () => readText(keys, "k"),
      () => key.read(Buffer.alloc(3), 0n),
      () => key.stat(),
      () => keys.list(),
      () => keys.stat(),
      () => root.statAt("top/keys", true),
      () => root.statAt("top/keys/k", true),
      () => root.linkAt("top/keys/k", root, "copy"),
      () => root.renameAt("top/keys/k", root, "copy"),
    ];
    const writes = [
      () => key.write(Buffer.from("key"), 0n),
      () => writeText(keys, "new", ""),
      () => root.createDirectoryAt("top/keys/d"),
      () => root.renameAt("g", root, "top/keys/g"),
      () => root.linkAt("g", root, "top/keys/g"),
      () => root.unlinkFileAt("top/keys/k"),
    ];
    const stays = [
      () => root.renameAt("top/keys", root, "elsewhere"),
      () => root.renameAt("top", root, "elsewhere"),
      () => root.removeDirectoryAt("top/keys"),
    ];
    const outcomes = (calls: readonly (() => unknown)[]): Set<string> => new Set(calls.map((call) => codeOf(call)));
    deny({ isReadDenied: true });
    expect(outcomes(reads)).toEqual(new Set(["not-permitted"]));
    expect(outcomes(stays)).toEqual(new Set(["not-permitted"]));
    expect(codeOf(writes[0] ?? (() => undefined))).toBe("done");
    expect(guest.audits).toContain(`denied fs:read:${hostPath}::/data`);
    deny({ isWriteDenied: true });
    expect(outcomes(writes)).toEqual(new Set(["not-permitted"]));
    expect(outcomes(stays)).toEqual(new Set(["not-permitted"]));
    expect([readText(root, "top/keys/k"), readText(root, "way")]).toEqual(["key", "key"]);
    deny({ isReadDenied: true, isWriteDenied: true });
    expect(outcomes([...reads, ...writes, ...stays])).toEqual(new Set(["not-permitted"]));
    expect(readText(root, "top/keys2")).toBe("beside");
    writeText(root, "top/keys2", "changed");
    root.renameAt("top/keys2", root, "top/keys3");
    expect(readFileSync(join(hostPath, "top/keys3"), "utf8")).toBe("changed");
    // An open file that is moved to a denied place is denied there, and one that is removed keeps its place.
    deny({});
    expect(outcomes(stays.slice(0, 1))).toEqual(new Set(["not-permitted"]));
  });

  it("open no more than the limit, and again when something is closed; granted folders do not count", () => {
    using guest = openTestGuest(tree, { openHandlesMax: 2 });
    writeText(guest.root, "f", "text");
    const one = openFile(guest.root, "f");
    const two = openFolder(guest.root, ".");
    expect(guest.openCount()).toBe(2);
    expect(() => openFile(guest.root, "f")).toThrow(HandleLimit);
    one.close();
    one.close();
    expect(guest.openCount()).toBe(1);
    const three = openFile(guest.root, "f");
    three.close();
    two.close();
    expect(guest.openCount()).toBe(0);
    expect(codeOf(() => openFile(guest.root, "missing"))).toBe("no-entry");
    expect(guest.openCount()).toBe(0);
    const calls = [
      () => one.read(Buffer.alloc(1), 0n),
      () => one.stat(),
      () => two.list(),
      () => two.openAt("f", READ),
      () => guest.root.linkAt("f", two, "g"),
    ];
    expect(calls.map((call) => codeOf(call))).toEqual(calls.map(() => "bad-descriptor"));
  });
});
