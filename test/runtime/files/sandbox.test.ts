import { linkSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OpenDirectory } from "../../../src/runtime/files/descriptor.ts";
import { FileError } from "../../../src/runtime/files/file-error.ts";
import { guestPathFromText } from "../../../src/runtime/files/guest-path.ts";
import { openHostDirectory } from "../../../src/runtime/files/host-directory.ts";
import { walk } from "../../../src/runtime/files/path-walk.ts";
import { codeOf, CREATE, granted, openFile, openFolder, openTestGuest, READ } from "./test-folder.ts";
import { readText, SECRET, TREES, writeText, type TestGuest } from "./test-folder.ts";

/** A name that stands beside the granted folder, and that no guest here uses. */
const OUTER_NAME = "outer";

/** Everything that a guest can try on a path; what it gives must never be or say anything of the outside. */
const ATTEMPTS: Readonly<Record<string, (guest: TestGuest, path: string) => unknown>> = {
  read: ({ root }, path) => readText(root, path),
  write: ({ root }, path) => writeText(root, path, "changed"),
  stat: ({ root }, path) => root.statAt(path, true),
  hash: ({ root }, path) => root.metadataHashAt(path, true),
  times: ({ root }, path) => root.setTimesAt(path, true, { kind: "now" }, { kind: "now" }),
  list: ({ root }, path) => openFolder(root, path).list(),
};

describe.each(TREES)("a guest's files by %s", (tree) => {
  it("are reached by paths that stay inside, however they wind", () => {
    using guest = openTestGuest(tree);
    guest.root.createDirectoryAt("a");
    guest.root.createDirectoryAt("a/b");
    writeText(guest.root, "a/b/f", "inside");
    symlinkSync("../a/b", join(guest.host.granted, "a/link"));
    for (const path of ["a/b/f", "./a//b/./f", "a/../a/b/../b/f", "a/link/f", "a/link/../b/f"]) {
      expect(readText(guest.root, path)).toBe("inside");
    }
    const inner = openFolder(guest.root, "a/b");
    expect(readText(inner, "f")).toBe("inside");
    expect(codeOf(() => readText(inner, "../b/f"))).toBe("not-permitted");
  });

  it.each(Object.keys(ATTEMPTS))("do not get out by .. (%s)", (name) => {
    using guest = openTestGuest(tree);
    guest.root.createDirectoryAt("a");
    for (const path of ["../secret.txt", "a/../../secret.txt", "..", "a/../..", "a/../../granted/../secret.txt"]) {
      expect(codeOf(() => ATTEMPTS[name]?.(guest, path))).toBe("not-permitted");
    }
  });

  it.each(Object.keys(ATTEMPTS))("do not get out by an absolute path (%s)", (name) => {
    using guest = openTestGuest(tree);
    for (const path of [join(guest.host.top, "secret.txt"), "/", "/etc/passwd", "//etc/passwd"]) {
      expect(codeOf(() => ATTEMPTS[name]?.(guest, path))).toBe("not-permitted");
    }
  });

  it.each(Object.keys(ATTEMPTS))("do not get out by a symlink at the end or in the middle (%s)", (name) => {
    using guest = openTestGuest(tree);
    const at = (path: string): string => join(guest.host.granted, path);
    mkdirSync(at("a"));
    symlinkSync("../secret.txt", at("file-up"));
    symlinkSync(join(guest.host.top, "secret.txt"), at("file-absolute"));
    symlinkSync("..", at("up"));
    symlinkSync(guest.host.top, at("absolute"));
    symlinkSync("../../secret.txt", at("a/deep"));
    symlinkSync("up", at("two-steps"));
    const ways = ["file-up", "file-absolute", "up/secret.txt", "absolute/secret.txt", "a/deep", "two-steps/secret.txt"];
    for (const path of [...ways, "up/", "up", "absolute/.", "/proc/self/cwd", "up/granted/../secret.txt"]) {
      expect(codeOf(() => ATTEMPTS[name]?.(guest, path))).toBe("not-permitted");
    }
  });

  it("do not make, remove or move anything outside, by whatever path", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    symlinkSync("..", join(guest.host.granted, "up"));
    writeText(root, "mine", "mine");
    root.createDirectoryAt("dir");
    for (const out of ["../new", "up/new", join(guest.host.top, "new")]) {
      expect(codeOf(() => root.createDirectoryAt(out))).toBe("not-permitted");
      expect(codeOf(() => root.symlinkAt("x", out))).toBe("not-permitted");
      expect(codeOf(() => root.linkAt("mine", root, out))).toBe("not-permitted");
      expect(codeOf(() => root.renameAt("mine", root, out))).toBe("not-permitted");
      expect(codeOf(() => root.openAt(out, CREATE))).toBe("not-permitted");
    }
    for (const out of ["../secret.txt", "up/secret.txt", join(guest.host.top, "secret.txt")]) {
      expect(codeOf(() => root.unlinkFileAt(out))).toBe("not-permitted");
      expect(codeOf(() => root.linkAt(out, root, "stolen"))).toBe("not-permitted");
      expect(codeOf(() => root.renameAt(out, root, "stolen"))).toBe("not-permitted");
      expect(codeOf(() => root.readlinkAt(out))).toBe("not-permitted");
    }
    expect(codeOf(() => root.removeDirectoryAt("../granted/dir"))).toBe("not-permitted");
    expect(readText(root, "mine")).toBe("mine");
    root.linkAt("mine", root, "dir/linked");
    root.renameAt("mine", root, "dir/moved");
    expect([readText(root, "dir/linked"), readText(root, "dir/moved")]).toEqual(["mine", "mine"]);
  });

  it("let a guest make symlinks, but not absolute ones, and not get out by its own", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    writeText(root, "f", "inside");
    root.createDirectoryAt("a");
    root.symlinkAt("../f", "a/link");
    expect([readText(root, "a/link"), root.readlinkAt("a/link")]).toEqual(["inside", "../f"]);
    expect(codeOf(() => root.symlinkAt("/etc/passwd", "abs"))).toBe("not-permitted");
    root.symlinkAt("../secret.txt", "out");
    expect(codeOf(() => readText(root, "out"))).toBe("not-permitted");
    // Moved to where it points inside, it is fine; moved back, it is not.
    root.renameAt("a/link", root, "link");
    expect(codeOf(() => readText(root, "link"))).toBe("not-permitted");
    root.renameAt("link", root, "a/link");
    expect(readText(root, "a/link")).toBe("inside");
  });

  it("do not tell what an absolute symlink of the host says", () => {
    using guest = openTestGuest(tree);
    symlinkSync("/somewhere/secret", join(guest.host.granted, "abs"));
    symlinkSync("somewhere", join(guest.host.granted, "rel"));
    expect(codeOf(() => guest.root.readlinkAt("abs"))).toBe("not-permitted");
    expect(guest.root.readlinkAt("rel")).toBe("somewhere");
    expect(guest.root.statAt("abs", false).type).toBe("symbolic-link");
  });

  it("do not get out of a directory by moving it while it is open", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    root.createDirectoryAt("a");
    root.createDirectoryAt("a/b");
    writeText(root, "f", "inside");
    const inner = openFolder(root, "a/b");
    root.renameAt("a/b", root, "b");
    expect(["not-permitted", "no-entry"]).toContain(codeOf(() => readText(inner, "../f")));
    expect(["not-permitted", "no-entry"]).toContain(codeOf(() => readText(inner, "../../secret.txt")));
  });

  it("end after 40 symlinks, and at once in a loop", () => {
    using guest = openTestGuest(tree);
    const { root } = guest;
    writeText(root, "s0", "inside");
    for (let step = 1; step <= 41; step++) root.symlinkAt(`s${step - 1}`, `s${step}`);
    expect(readText(root, "s40")).toBe("inside");
    expect(codeOf(() => readText(root, "s41"))).toBe("loop");
    root.symlinkAt("loop", "loop");
    expect(codeOf(() => readText(root, "loop"))).toBe("loop");
    expect(codeOf(() => readText(root, "loop/x"))).toBe("loop");
    expect(codeOf(() => root.openAt("s1", { ...READ, follow: false }))).toBe("loop");
  });

  it("are files and directories only: pipes and sockets are seen but not opened", async () => {
    using guest = openTestGuest(tree);
    execFileSync("sh", ["-c", `mkfifo "$0"`, join(guest.host.granted, "pipe")]);
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(join(guest.host.granted, "socket"), resolve));
    expect(guest.root.statAt("pipe", true).type).toBe("fifo");
    expect(guest.root.statAt("socket", true).type).toBe("socket");
    for (const name of ["pipe", "socket"]) {
      expect(codeOf(() => guest.root.openAt(name, READ))).toBe("not-permitted");
      expect(codeOf(() => guest.root.openAt(name, CREATE))).toBe("not-permitted");
    }
    server.close();
  });

  it("stay themselves when the host's folder is replaced by a symlink", () => {
    using guest = openTestGuest(tree);
    writeText(guest.root, "f", "inside");
    renameSync(guest.host.granted, join(guest.host.top, "moved"));
    mkdirSync(join(guest.host.top, "elsewhere"));
    writeFileSync(join(guest.host.top, "elsewhere/f"), SECRET);
    symlinkSync("elsewhere", guest.host.granted);
    const seen = tree === "descriptors" ? "inside" : "no-entry";
    let got: string;
    try {
      got = readText(guest.root, "f");
    } catch (error) {
      got = error instanceof FileError ? error.code : String(error);
    }
    expect(got).toBe(seen);
    // Opened anew, it is not followed either.
    expect(codeOf(() => readText(guest.folder("/data"), "f"))).not.toBe("done");
  });

  it("are not got around when a directory is swapped for a symlink in the middle of a walk", () => {
    using guest = openTestGuest(tree);
    const at = (path: string): string => join(guest.host.granted, path);
    mkdirSync(at("a/b"), { recursive: true });
    writeFileSync(at("a/b/secret.txt"), "inside");
    const base = openHostDirectory(tree, guest.host.granted);
    const swap = (): void => {
      renameSync(at("a"), at("moved"));
      symlinkSync("..", at("a"));
    };
    let steps = 0;
    const read = (): string =>
      walk(
        base,
        guestPathFromText("a/b/secret.txt"),
        { last: "nofollow", entered: () => void (steps++ === 0 && swap()) },
        ({ directory, name }) => readFileSync(directory.at(name ?? "."), "utf8"),
      );
    if (tree === "descriptors") expect(read()).toBe("inside");
    else expect(codeOf(read)).toBe("no-entry");
    // The next walk meets the symlink.
    expect(codeOf(() => readText(guest.root, "a/secret.txt"))).toBe("not-permitted");
    base.close();
  });

  it("never give or change anything outside, whatever a guest does in whatever order", () => {
    const name = fc.constantFrom("a", "b", "c", "l", "..", ".", "secret.txt", "granted");
    const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => names.join("/"));
    const action = fc.record({
      kind: fc.constantFrom("mkdir", "write", "read", "symlink", "rename", "link", "unlink", "rmdir", "list"),
      path,
      other: fc.oneof(path, fc.constantFrom("/", "/tmp", "../..")),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
        using guest = openTestGuest(tree);
        const { root } = guest;
        writeFileSync(join(guest.host.top, OUTER_NAME), "");
        for (const { kind, path: one, other } of actions) {
          const act: Record<typeof kind, () => unknown> = {
            mkdir: () => root.createDirectoryAt(one),
            write: () => writeText(root, one, "guest"),
            read: () => expect(["", "guest"]).toContain(readText(root, one)),
            symlink: () => root.symlinkAt(other, one),
            rename: () => root.renameAt(one, root, other),
            link: () => root.linkAt(one, root, other),
            unlink: () => root.unlinkFileAt(one),
            rmdir: () => root.removeDirectoryAt(one),
            list: () => expect(outerNames(root, one)).toEqual([]),
          };
          codeOf(act[kind]);
        }
        // Nothing new beside the folder, and the secret as it was (which disposal checks).
        expect(openHostNames(guest.host.top)).toEqual(["granted", OUTER_NAME, "secret.txt"].toSorted());
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

describe("granted folders", () => {
  it("are not opened through a symlink that was put in their path later", () => {
    using guest = openTestGuest(TREES[0] ?? "paths");
    mkdirSync(join(guest.host.top, "real/inner"), { recursive: true });
    symlinkSync("real", join(guest.host.top, "link"));
    guest.setFolders([
      granted(join(guest.host.top, "link/inner"), "/link"),
      granted(join(guest.host.top, "real/inner"), "/real"),
    ]);
    expect(codeOf(() => guest.folder("/link").list())).toBe("not-directory");
    expect(guest.folder("/real").list()).toEqual([]);
  });

  it("share files with what the host links into them, which is for the host to decide", () => {
    using guest = openTestGuest(TREES[0] ?? "paths");
    linkSync(join(guest.host.top, "secret.txt"), join(guest.host.granted, "given"));
    expect(openFile(guest.root, "given").stat().linkCount).toBe(2n);
  });
});

/** Names in a listed directory that stand only outside of the granted folder. */
function outerNames(root: OpenDirectory, path: string): string[] {
  const folder = openFolder(root, path);
  const names = folder.list().map((entry) => entry.name);
  folder.close();
  return names.filter((name) => name === OUTER_NAME);
}

function openHostNames(path: string): string[] {
  const directory = openHostDirectory("paths", path);
  return execFileSync("ls", ["-A", directory.self()]).toString().trim().split("\n");
}
