import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realpathSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { LocalRights } from "../../../src/providers/local-rights.ts";
import { createHost, type ComponentHost } from "../../../src/runtime/host/create-host.ts";
import { HandleLimit } from "../../../src/runtime/handle-limit.ts";
import { callHost, dropResource, okOf } from "./host-calls.ts";
import { memoryLine } from "./memory-line.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "wasmatrix-host-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const OK = { tag: "ok", val: undefined };
const err = (code: string): object => ({ tag: "err", val: code });
const folder = (name: string, canWrite: boolean, guestPath: string): LocalRights["folders"][number] => ({
  guestPath,
  hostPath: join(root, name),
  canRead: true,
  canWrite,
  deniedPaths: [],
});

let rights: LocalRights;
let host: ComponentHost;
const call = (name: string, ...args: readonly unknown[]): unknown =>
  callHost(host.interfaces, `wasi:filesystem/types#[method]${name}`, ...args);
const io = (name: string, ...args: readonly unknown[]): unknown =>
  callHost(host.interfaces, `wasi:io/streams#[method]${name}`, ...args);
const preopen = (guestPath: string): unknown => {
  const found = (callHost(host.interfaces, "wasi:filesystem/preopens#get-directories") as [unknown, string][]).find(
    ([, path]) => path === guestPath,
  );
  if (found === undefined) throw new Error(`no ${guestPath}`);
  return found[0];
};
const open = (directory: unknown, path: string, openFlags: readonly string[], flags: readonly string[]): unknown =>
  call("descriptor.open-at", directory, ["symlink-follow"], path, openFlags, flags);
const drop = (descriptor: unknown): void =>
  dropResource(host.interfaces, "wasi:filesystem/types", "descriptor", descriptor);

beforeEach(() => {
  for (const name of ["rw", "ro"]) {
    rmSync(join(root, name), { recursive: true, force: true });
    mkdirSync(join(root, name));
  }
  writeFileSync(join(root, "ro", "given.txt"), "given");
  rights = { folders: [folder("rw", true, "/data"), folder("ro", false, "/etc")], env: {} };
  host?.close();
  host = createHost(memoryLine({ rights: () => rights }), { openHandlesMax: 4 });
});

describe("granted folders", () => {
  it("are there under their guest paths, and say whether they can be changed", () => {
    expect(call("descriptor.get-flags", preopen("/data"))).toEqual({ tag: "ok", val: ["read", "mutate-directory"] });
    expect(call("descriptor.get-flags", preopen("/etc"))).toEqual({ tag: "ok", val: ["read"] });
    expect(call("descriptor.get-type", preopen("/etc"))).toEqual({ tag: "ok", val: "directory" });
  });

  it("are none for a guest without grants", () => {
    rights = { folders: [], env: {} };
    expect(callHost(host.interfaces, "wasi:filesystem/preopens#get-directories")).toEqual([]);
  });

  it("refuse by the interface's own error, never by a trap, and permit what is granted", () => {
    const etc = preopen("/etc");
    expect(open(etc, "new", ["create"], ["write"])).toEqual(err("not-permitted"));
    expect(call("descriptor.create-directory-at", etc, "d")).toEqual(err("not-permitted"));
    expect(call("descriptor.unlink-file-at", etc, "given.txt")).toEqual(err("not-permitted"));
    expect(open(etc, "../rw", [], ["read"])).toEqual(err("not-permitted"));
    expect(open(etc, "/etc/passwd", [], ["read"])).toEqual(err("not-permitted"));
    expect(open(etc, "given.txt", [], ["read"])).toMatchObject({ tag: "ok" });
  });

  it("refuse what was opened before as soon as the grant is gone", () => {
    const file = okOf(open(preopen("/etc"), "given.txt", [], ["read"]));
    expect(call("descriptor.read", file, 9n, 0n)).toEqual({ tag: "ok", val: [bytes("given"), true] });
    rights = { folders: [], env: {} };
    expect(call("descriptor.read", file, 9n, 0n)).toEqual(err("not-permitted"));
    const stream = okOf(call("descriptor.read-via-stream", file, 0n));
    const failed = io("input-stream.read", stream, 9n) as { val: { tag: string; val: unknown } };
    expect(failed.val.tag).toBe("last-operation-failed");
    expect(callHost(host.interfaces, "wasi:filesystem/types#filesystem-error-code", failed.val.val)).toBe(
      "not-permitted",
    );
  });
});

describe("files", () => {
  it("are made, written and read at any place", () => {
    const data = preopen("/data");
    const file = okOf(open(data, "f", ["create", "exclusive"], ["read", "write"]));
    expect(open(data, "f", ["create", "exclusive"], ["write"])).toEqual(err("exist"));
    expect(call("descriptor.write", file, bytes("hello world"), 0n)).toEqual({ tag: "ok", val: 11n });
    expect(call("descriptor.read", file, 5n, 6n)).toEqual({ tag: "ok", val: [bytes("world"), false] });
    expect(call("descriptor.read", file, 6n, 6n)).toEqual({ tag: "ok", val: [bytes("world"), true] });
    expect(call("descriptor.set-size", file, 4n)).toEqual(OK);
    expect(readFileSync(join(root, "rw", "f"), "utf8")).toBe("hell");
    expect(call("descriptor.get-type", file)).toEqual({ tag: "ok", val: "regular-file" });
    expect(call("descriptor.get-flags", file)).toEqual({ tag: "ok", val: ["read", "write"] });
    expect(call("descriptor.advise", file, 0n, 0n, "normal")).toEqual(OK);
    expect(call("descriptor.sync", file)).toEqual(OK);
    expect(call("descriptor.sync-data", file)).toEqual(OK);
  });

  it("are streamed out of, into and onto the end of", () => {
    const file = okOf(open(preopen("/data"), "f", ["create"], ["read", "write", "data-integrity-sync"]));
    expect(call("descriptor.get-flags", file)).toEqual({ tag: "ok", val: ["read", "write", "data-integrity-sync"] });
    const into = okOf(call("descriptor.write-via-stream", file, 2n));
    io("output-stream.blocking-write-and-flush", into, bytes("abc"));
    io("output-stream.blocking-write-and-flush", into, bytes("def"));
    io("output-stream.blocking-write-and-flush", okOf(call("descriptor.append-via-stream", file)), bytes("!"));
    const out = okOf(call("descriptor.read-via-stream", file, 1n));
    expect(okOf(io("input-stream.blocking-read", out, 4n))).toEqual(bytes("\0abc"));
    expect(okOf(io("input-stream.blocking-read", out, 100n))).toEqual(bytes("def!"));
    expect(io("input-stream.blocking-read", out, 100n)).toMatchObject({ tag: "err", val: { tag: "closed" } });
  });

  it("that cannot be read or written give no stream for it", () => {
    const file = okOf(open(preopen("/etc"), "given.txt", [], ["read"]));
    expect(call("descriptor.write-via-stream", file, 0n)).toEqual(err("bad-descriptor"));
    expect(call("descriptor.write", file, bytes("x"), 0n)).toEqual(err("bad-descriptor"));
    expect(call("descriptor.read-via-stream", preopen("/etc"), 0n)).toEqual(err("bad-descriptor"));
    expect(call("descriptor.create-directory-at", file, "d")).toEqual(err("not-directory"));
  });

  it("have a state, times and a hash", () => {
    const data = preopen("/data");
    const file = okOf(open(data, "f", ["create"], ["read", "write"]));
    const at = { tag: "timestamp", val: { seconds: 1_600_000_000n, nanoseconds: 5 } };
    expect(call("descriptor.set-times", file, { tag: "no-change", val: undefined }, at)).toEqual(OK);
    expect(call("descriptor.stat", file)).toMatchObject({
      tag: "ok",
      val: {
        type: "regular-file",
        "link-count": 1n,
        size: 0n,
        "data-modification-timestamp": { seconds: 1_600_000_000n, nanoseconds: 5 },
      },
    });
    expect(call("descriptor.set-times-at", data, ["symlink-follow"], "f", at, { tag: "now", val: undefined })).toEqual(
      OK,
    );
    expect(call("descriptor.stat-at", data, [], "f")).toMatchObject({
      tag: "ok",
      val: { "data-access-timestamp": at.val },
    });
    expect(
      call("descriptor.set-times", file, { tag: "timestamp", val: { seconds: 1n, nanoseconds: 2_000_000_000 } }, at),
    ).toEqual(err("invalid"));
    expect(call("descriptor.metadata-hash", file)).toEqual(call("descriptor.metadata-hash-at", data, [], "f"));
    expect(call("descriptor.is-same-object", file, okOf(open(data, "f", [], ["read"])))).toBe(true);
    expect(call("descriptor.is-same-object", file, data)).toBe(false);
  });

  it("beyond the limit of open ones end the guest, and one that is dropped makes room", () => {
    const data = preopen("/data");
    const opened = Array.from({ length: 4 }, () => okOf(open(data, "f", ["create"], ["write"])));
    expect(() => open(data, "f", ["create"], ["write"])).toThrow(HandleLimit);
    drop(opened[0]);
    expect(open(data, "f", [], ["write"])).toMatchObject({ tag: "ok" });
    expect(call("descriptor.write", opened[0], bytes("x"), 0n)).toEqual(err("bad-descriptor"));
    expect(call("descriptor.is-same-object", opened[0], opened[1])).toBe(false);
  });
});

describe("directories", () => {
  it("are made, listed, renamed in and removed", () => {
    const data = preopen("/data");
    expect(call("descriptor.create-directory-at", data, "d")).toEqual(OK);
    const inner = okOf(open(data, "d", ["directory"], ["read"]));
    expect(call("descriptor.get-flags", inner)).toEqual({ tag: "ok", val: ["read", "mutate-directory"] });
    drop(okOf(open(inner, "f", ["create"], ["write"])));
    expect(call("descriptor.rename-at", inner, "f", data, "g")).toEqual(OK);
    expect(call("descriptor.link-at", data, [], "g", inner, "h")).toEqual(OK);
    expect(call("descriptor.link-at", data, ["symlink-follow"], "g", inner, "i")).toEqual(err("invalid"));
    expect(call("descriptor.symlink-at", data, "d/h", "s")).toEqual(OK);
    expect(call("descriptor.readlink-at", data, "s")).toEqual({ tag: "ok", val: "d/h" });
    expect(statSync(join(root, "rw", "s")).nlink).toBe(2);
    const entries = okOf(call("descriptor.read-directory", data));
    const names: unknown[] = [];
    for (;;) {
      const entry = okOf(call("directory-entry-stream.read-directory-entry", entries));
      if (entry === undefined) break;
      names.push(entry);
    }
    expect(names).toHaveLength(3);
    expect(names).toEqual(
      expect.arrayContaining([
        { type: "directory", name: "d" },
        { type: "regular-file", name: "g" },
        { type: "symbolic-link", name: "s" },
      ]),
    );
    expect(call("descriptor.remove-directory-at", data, "d")).toEqual(err("not-empty"));
    for (const path of ["d/h", "g", "s"]) expect(call("descriptor.unlink-file-at", data, path)).toEqual(OK);
    expect(call("descriptor.remove-directory-at", data, "d")).toEqual(OK);
    expect(open(data, "d", [], ["read"])).toEqual(err("no-entry"));
  });
});
