import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NewTime } from "../../../src/runtime/files/descriptor.ts";
import { FileError, fileErrorCodeOf, onHost } from "../../../src/runtime/files/file-error.ts";
import { EXACT_TIMES_MAX_FILES } from "../../../src/runtime/files/exact-times.ts";
import { assertLinkText, guestPathFromText } from "../../../src/runtime/files/guest-path.ts";
import {
  codeOf,
  CREATE,
  openFile,
  openFolder,
  openTestGuest,
  READ,
  readText,
  TREES,
  writeText,
} from "./test-folder.ts";

const KEEP: NewTime = { kind: "keep" };
const NOW: NewTime = { kind: "now" };
const at = (timeNs: bigint): NewTime => ({ kind: "at", timeNs });

describe("a guest's path", () => {
  it("is taken apart into names, and says whether it must be a directory", () => {
    expect(guestPathFromText("a/./b//../c")).toEqual({ names: ["a", "b", "..", "c"], isDirectory: false });
    expect(guestPathFromText("a/")).toEqual({ names: ["a"], isDirectory: true });
    expect(guestPathFromText("a/.")).toEqual({ names: ["a"], isDirectory: true });
    expect(guestPathFromText(".")).toEqual({ names: [], isDirectory: true });
  });

  it("must not be empty, absolute, too long, or what is no text", () => {
    expect(codeOf(() => guestPathFromText(""))).toBe("no-entry");
    expect(codeOf(() => guestPathFromText("/a"))).toBe("not-permitted");
    expect(codeOf(() => guestPathFromText("a\0"))).toBe("invalid");
    expect(codeOf(() => guestPathFromText("\ud800"))).toBe("illegal-byte-sequence");
    expect(codeOf(() => guestPathFromText("ä".repeat(2_048)))).toBe("name-too-long");
    expect(codeOf(() => guestPathFromText("ä".repeat(2_047)))).toBe("done");
    expect(codeOf(() => assertLinkText(""))).toBe("no-entry");
    expect(codeOf(() => assertLinkText("../x"))).toBe("done");
  });
});

describe("errors", () => {
  it("keep their code, and what is not known is io", () => {
    expect(fileErrorCodeOf(new FileError("loop"))).toBe("loop");
    expect(fileErrorCodeOf(Object.assign(new Error(), { code: "EDQUOT" }))).toBe("quota");
    expect(fileErrorCodeOf(Object.assign(new Error(), { code: "E_NEW" }))).toBe("io");
    expect(fileErrorCodeOf("text")).toBe("io");
    expect(() =>
      onHost(() => {
        throw new FileError("busy");
      }),
    ).toThrow(new FileError("busy"));
  });
});

describe.each(TREES)("files and directories by %s", (tree) => {
  it("read and write at offsets, at the end, and leave holes", () => {
    using guest = openTestGuest(tree);
    const file = openFile(guest.root, "f", CREATE);
    expect(file.write(Buffer.from("hello"), 2n)).toBe(5);
    expect(file.append(Buffer.from("!"))).toBe(1);
    expect(file.append(Buffer.from("!"))).toBe(1);
    const bytes = Buffer.alloc(20);
    expect([file.read(bytes, 0n), bytes.toString("latin1", 0, 9)]).toEqual([9, "\0\0hello!!"]);
    expect([file.read(bytes, 9n), file.read(bytes, 1n << 62n), file.read(Buffer.alloc(0), 0n)]).toEqual([0, 0, 0]);
    file.setSize(4n);
    expect([file.size(), file.stat().size]).toEqual([4n, 4n]);
    expect(codeOf(() => file.write(bytes, 1n << 60n))).toBe("file-too-large");
    expect(codeOf(() => file.setSize(1n << 60n))).toBe("file-too-large");
    file.sync("data");
    file.sync("all");
    file.close();
  });

  it("refuse what they were not opened for", () => {
    using guest = openTestGuest(tree);
    writeText(guest.root, "f", "text");
    const reader = openFile(guest.root, "f");
    const calls = [
      () => reader.write(Buffer.from("x"), 0n),
      () => reader.append(Buffer.from("x")),
      () => reader.setSize(0n),
    ];
    expect(calls.map((call) => codeOf(call))).toEqual(["bad-descriptor", "bad-descriptor", "bad-descriptor"]);
    const writer = openFile(guest.root, "f", { read: false, write: true });
    expect(codeOf(() => writer.read(Buffer.alloc(1), 0n))).toBe("bad-descriptor");
    expect([reader.canRead, reader.canWrite, writer.canRead, writer.canWrite]).toEqual([true, false, false, true]);
    expect(readText(guest.root, "f")).toBe("text");
  });

  it("open as they are told", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    const open = (path: string, how: object): string => codeOf(() => root.openAt(path, { ...READ, ...how }).close());
    const create = { write: true, create: true };
    expect(open("f", {})).toBe("no-entry");
    expect(open("f", { ...create, exclusive: true })).toBe("done");
    expect(open("f", { ...create, exclusive: true })).toBe("exist");
    expect(open("f", create)).toBe("done");
    expect(open("f", { directory: true })).toBe("not-directory");
    expect([open("f/", {}), open("f/x", {}), open("f/.", {})]).toEqual([
      "not-directory",
      "not-directory",
      "not-directory",
    ]);
    expect([open("d/", create), open("d", { ...create, directory: true })]).toEqual(["is-directory", "invalid"]);
    root.createDirectoryAt("d");
    expect([open("d", {}), open("d/", {}), open("d", { directory: true }), open(".", {})]).toEqual([
      "done",
      "done",
      "done",
      "done",
    ]);
    expect([open("d", { write: true }), open("d", create), open("d", { truncate: true })]).toEqual([
      "is-directory",
      "is-directory",
      "is-directory",
    ]);
    expect(open("d", { ...create, exclusive: true })).toBe("exist");
    root.symlinkAt("f", "l");
    expect([open("l", {}), open("l", { follow: false }), open("l", { ...create, exclusive: true })]).toEqual(
      ["done", "loop", "done"].map((code, index) => (index === 2 ? "exist" : code)),
    );
    root.symlinkAt("made", "dangling");
    expect([open("dangling", {}), open("dangling", create)]).toEqual(["no-entry", "done"]);
    expect(statSync(join(guest.host.granted, "made")).isFile()).toBe(true);
    writeText(root, "f", "text");
    expect(open("f", { truncate: true })).toBe("done");
    expect(readText(root, "f")).toBe("");
    for (const sync of ["data", "all"] as const) {
      const file = openFile(root, "f", { ...CREATE, sync });
      expect([file.writeSync, file.write(Buffer.from("x"), 0n), file.append(Buffer.from("y"))]).toEqual([sync, 1, 1]);
    }
  });

  it("tell their state, themselves and by path, and whether they are the same", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    writeText(root, "f", "text");
    root.linkAt("f", root, "same");
    root.symlinkAt("f", "l");
    const real = statSync(join(guest.host.granted, "f"), { bigint: true });
    const expected = { type: "regular-file", device: real.dev, inode: real.ino, linkCount: 2n, size: 4n };
    expect(root.statAt("f", false)).toMatchObject({ ...expected, modifiedNs: real.mtimeNs, changedNs: real.ctimeNs });
    expect(root.statAt("l", true)).toMatchObject(expected);
    expect(root.statAt("l", false).type).toBe("symbolic-link");
    expect(root.stat().type).toBe("directory");
    expect(codeOf(() => root.statAt("none", true))).toBe("no-entry");
    const [one, same, folder] = [openFile(root, "f"), openFile(root, "same"), openFolder(root, ".")];
    expect(one.stat()).toMatchObject(expected);
    expect([
      one.isSameObject(same),
      one.isSameObject(folder),
      folder.isSameObject(root),
      folder.isSameObject(one),
    ]).toEqual([true, false, true, false]);
    expect(one.metadataHash()).toEqual(root.metadataHashAt("l", true));
    expect(one.metadataHash()).not.toEqual(root.metadataHashAt("l", false));
    expect(folder.metadataHash()).toEqual(root.metadataHash());
  });

  it("list what is there, with types and inodes, but no names that are not Unicode", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    writeText(root, "f", "");
    writeText(root, "\ufffd", "");
    root.createDirectoryAt("d");
    root.symlinkAt("f", "l");
    writeFileSync(Buffer.concat([Buffer.from(`${guest.host.granted}/`), Buffer.from([0xff, 0x41])]), "");
    expect(root.list().toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      { name: "d", type: "directory" },
      { name: "f", type: "regular-file" },
      { name: "l", type: "symbolic-link" },
      { name: "\ufffd", type: "regular-file" },
    ]);
    expect(root.inodeAt("f")).toBe(statSync(join(guest.host.granted, "f"), { bigint: true }).ino);
    expect(root.inodeAt("none")).toBe(0n);
    root.sync("all");
  });

  it("make, move, link and remove, with the errors of POSIX", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    writeText(root, "f", "text");
    root.createDirectoryAt("d/");
    root.createDirectoryAt("d/e");
    root.symlinkAt("d", "l");
    const codes = (...calls: (() => unknown)[]): string[] => calls.map((call) => codeOf(call));
    expect(
      codes(
        () => root.createDirectoryAt("d"),
        () => root.createDirectoryAt("."),
        () => root.createDirectoryAt("none/x"),
        () => root.removeDirectoryAt("d"),
        () => root.removeDirectoryAt("f"),
        () => root.removeDirectoryAt("l"),
        () => root.removeDirectoryAt("."),
        () => root.unlinkFileAt("d"),
        () => root.unlinkFileAt("d/"),
        () => root.unlinkFileAt("."),
        () => root.unlinkFileAt("f/"),
        () => root.unlinkFileAt("none"),
      ),
    ).toEqual([
      "exist",
      "exist",
      "no-entry",
      "not-empty",
      "not-directory",
      "not-directory",
      "invalid",
      "is-directory",
      "is-directory",
      "is-directory",
      "not-directory",
      "no-entry",
    ]);
    expect(
      codes(
        () => root.linkAt("d", root, "x"),
        () => root.linkAt(".", root, "x"),
        () => root.linkAt("f", root, "f"),
        () => root.linkAt("f", root, "."),
        () => root.linkAt("f", root, "x/"),
        () => root.linkAt("f", root, "d/"),
        () => root.linkAt("f/", root, "x"),
        () => root.linkAt("none", root, "x"),
      ),
    ).toEqual(["not-permitted", "not-permitted", "exist", "exist", "no-entry", "exist", "not-directory", "no-entry"]);
    expect(
      codes(
        () => root.renameAt("f", root, "d"),
        () => root.renameAt("d", root, "f"),
        () => root.renameAt("f/", root, "x"),
        () => root.renameAt("f", root, "x/"),
        () => root.renameAt(".", root, "x"),
        () => root.renameAt("f", root, "."),
        () => root.renameAt("none", root, "x"),
        () => root.renameAt("d", root, "d/e/x"),
        () => root.renameAt("d/", root, "d2/"),
      ),
    ).toEqual([
      "is-directory",
      "not-directory",
      "not-directory",
      "not-directory",
      "busy",
      "busy",
      "no-entry",
      "invalid",
      "done",
    ]);
    expect(
      codes(
        () => root.symlinkAt("x", "f"),
        () => root.symlinkAt("x", "f/"),
        () => root.symlinkAt("x", "d2/"),
        () => root.symlinkAt("x", "y/"),
        () => root.symlinkAt("x", "."),
        () => root.symlinkAt("", "y"),
        () => root.readlinkAt("f"),
        () => root.readlinkAt("."),
        () => root.readlinkAt("l/"),
        () => root.readlinkAt("none"),
      ),
    ).toEqual([
      "exist",
      "not-directory",
      "exist",
      "no-entry",
      "exist",
      "no-entry",
      "invalid",
      "invalid",
      "invalid",
      "no-entry",
    ]);
    root.unlinkFileAt("l");
    root.removeDirectoryAt("d2/e/");
    root.removeDirectoryAt("d2");
    root.renameAt("f", root, "g");
    root.linkAt("g", root, "h");
    root.unlinkFileAt("g");
    expect(readdirSync(guest.host.granted)).toEqual(["h"]);
    expect(readFileSync(join(guest.host.granted, "h"), "utf8")).toBe("text");
  });

  it("set times of files, directories and symlinks, followed or not, and keep the others", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    writeText(root, "f", "text");
    root.createDirectoryAt("d");
    root.symlinkAt("f", "l");
    const linkBefore = root.statAt("l", false);
    const before = root.statAt("f", false);
    root.setTimesAt("l", true, KEEP, at(1_700_000_000_123_456_789n));
    expect(root.statAt("f", false)).toMatchObject({
      accessedNs: before.accessedNs,
      modifiedNs: 1_700_000_000_123_456_789n,
    });
    expect(root.statAt("l", false).modifiedNs).toBe(linkBefore.modifiedNs);
    root.setTimesAt("l", false, at(5n), at(7n));
    expect(root.statAt("l", false)).toMatchObject({ accessedNs: 5n, modifiedNs: 7n });
    root.setTimesAt("d/.", true, at(11n), KEEP);
    expect(root.statAt("d", true).accessedNs).toBe(11n);
    root.setTimes(at(13n), at(17n));
    expect(root.stat()).toMatchObject({ accessedNs: 13n, modifiedNs: 17n });
    const file = openFile(root, "f");
    file.setTimes(at(-1_500_000_000n), at(1n));
    expect(file.stat()).toMatchObject({ accessedNs: -1_500_000_000n, modifiedNs: 1n });
    file.setTimes(NOW, KEEP);
    expect(file.stat().modifiedNs).toBe(1n);
    expect(file.stat().accessedNs).toBeGreaterThan(1_700_000_000_000_000_000n);
    expect(codeOf(() => root.setTimesAt("none", true, NOW, NOW))).toBe("no-entry");
  });

  it("give times back as they were set until the host sets others, and the disk has them to a microsecond", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    const path = join(guest.host.granted, "f");
    writeText(root, "f", "text");
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }), (timeNs) => {
        root.setTimesAt("f", true, at(timeNs), at(timeNs));
        expect(root.statAt("f", true)).toMatchObject({ accessedNs: timeNs, modifiedNs: timeNs });
        const error = timeNs - statSync(path, { bigint: true }).mtimeNs;
        expect(error >= -1_000n && error <= 1_000n).toBe(true);
      }),
      { numRuns: 1_000 },
    );
    utimesSync(path, 1, 2);
    expect(root.statAt("f", true)).toMatchObject({ accessedNs: 1_000_000_000n, modifiedNs: 2_000_000_000n });
  });

  it("forget exact times of the oldest file when there are too many", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    const exact = 1_700_000_000_000_000_001n;
    for (let index = 0; index <= EXACT_TIMES_MAX_FILES; index++) {
      writeText(root, `f${index}`, "");
      root.setTimesAt(`f${index}`, true, KEEP, at(exact));
    }
    expect(root.statAt("f0", true).modifiedNs).toBe(1_700_000_000_000_000_000n);
    expect(root.statAt("f1", true).modifiedNs).toBe(exact);
    expect(root.statAt(`f${EXACT_TIMES_MAX_FILES}`, true).modifiedNs).toBe(exact);
  });

  it("hold what they have opened when the host renames it", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    mkdirSync(join(guest.host.granted, "d"));
    symlinkSync("d", join(guest.host.granted, "l"));
    const folder = openFolder(root, "l");
    const file = openFile(folder, "f", CREATE);
    root.renameAt("d/f", root, "d/g");
    file.append(Buffer.from("text"));
    root.unlinkFileAt("d/g");
    expect([file.size(), file.append(Buffer.from("!"))]).toEqual([4n, 1]);
    if (tree === "descriptors") {
      root.renameAt("d", root, "e");
      writeText(folder, "h", "after");
      expect(readText(root, "e/h")).toBe("after");
    }
  });
});
