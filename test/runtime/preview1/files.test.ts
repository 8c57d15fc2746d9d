import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HandleLimit } from "../../../src/runtime/handle-limit.ts";
import { openPreview1, PIECES, READ_WRITE, RESULT, type Preview1Host } from "./preview1-host.ts";

const OFLAG = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
const CREATE = { oflags: OFLAG.create } as const;
const SEEK = { set: 0, current: 1, end: 2 } as const;
const STAT = 1_024;

const position = ({ view }: Preview1Host): bigint => view().getBigUint64(RESULT, true);

/** Name, type, cookie and inode of the entries in a buffer. */
function entriesIn({ view, text }: Preview1Host, start: number, length: number): [string, number, bigint, bigint][] {
  const entries: [string, number, bigint, bigint][] = [];
  for (let at = start; at + 24 <= start + length;) {
    const nameLength = view().getUint32(at + 16, true);
    if (at + 24 + nameLength > start + length) break;
    const name = text(at + 24, nameLength);
    entries.push([name, view().getUint8(at + 20), view().getBigUint64(at, true), view().getBigUint64(at + 8, true)]);
    at += 24 + nameLength;
  }
  return entries;
}

describe("preopened directories", () => {
  it("are numbered from 3 on and say their paths", () => {
    const host = openPreview1({
      rights: {
        folders: ["/a", "/b/c"].map((guestPath) => ({
          guestPath,
          hostPath: "/",
          canRead: true,
          canWrite: false,
          deniedPaths: [],
        })),
      },
    });
    const { call, view, text } = host;
    expect([call("fd_prestat_get", 4, 8), view().getUint8(8), view().getUint32(12, true)]).toEqual([0, 0, 4]);
    expect([call("fd_prestat_dir_name", 4, 64, 4), text(64, 4)]).toEqual([0, "/b/c"]);
    expect([call("fd_prestat_dir_name", 3, 64, 9), text(64, 3)]).toEqual([0, "/a/"]);
    expect([call("fd_prestat_dir_name", 4, 64, 3), call("fd_prestat_dir_name", 4, 65_534, 4)]).toEqual([37, 21]);
    expect([call("fd_prestat_get", 5, 8), call("fd_prestat_dir_name", 5, 64, 9)]).toEqual([8, 8]);
  });

  it("can be closed, and others put in their place", () => {
    const host = openPreview1();
    mkdirSync(join(host.folder, "d"));
    const inner = host.open("d", { oflags: OFLAG.directory, rights: 0n });
    expect([host.call("fd_renumber", inner, 3), host.call("fd_fdstat_get", inner, STAT)]).toEqual([0, 8]);
    host.open("f", CREATE);
    expect(statSync(join(host.folder, "d/f")).isFile()).toBe(true);
    expect([host.call("fd_prestat_get", 3, 8), host.call("fd_close", 3), host.call("fd_close", 3)]).toEqual([8, 0, 8]);
  });
});

describe("files", () => {
  it("are read, written, and moved about in", () => {
    const host = openPreview1();
    const { call } = host;
    const fd = host.open("f", CREATE);
    expect([fd, host.write(fd, "hello world"), call("fd_tell", fd, RESULT), position(host)]).toEqual([4, 0, 0, 11n]);
    expect([call("fd_seek", fd, -5n, SEEK.end, RESULT), position(host), host.read(fd, 100)]).toEqual([0, 6n, "world"]);
    expect([call("fd_seek", fd, 0n, SEEK.set, RESULT), host.read(fd, 5), host.read(fd, 0)]).toEqual([0, "hello", ""]);
    expect([call("fd_seek", fd, 1n, SEEK.current, RESULT), position(host)]).toEqual([0, 6n]);
    expect([call("fd_seek", fd, -7n, SEEK.current, RESULT), call("fd_seek", fd, 0n, 3, RESULT)]).toEqual([28, 28]);
    expect([
      call("fd_seek", fd, (1n << 63n) - 1n, SEEK.set, RESULT),
      call("fd_seek", fd, 1n, SEEK.current, RESULT),
    ]).toEqual([0, 61]);
    expect([host.read(fd, 9), host.write(fd, "x")]).toEqual(["", 22]);
    expect([call("fd_pwrite", fd, PIECES, 1, 11n, RESULT), call("fd_pread", fd, PIECES, 1, 10n, RESULT)]).toEqual([
      0, 0,
    ]);
    expect([call("fd_pwrite", fd, PIECES, 1, -1n, RESULT), call("fd_pread", fd, PIECES, 1, -1n, RESULT)]).toEqual([
      28, 28,
    ]);
    expect(readFileSync(join(host.folder, "f"), "utf8")).toBe("hello worldx");
    expect([call("fd_close", fd), call("fd_tell", fd, RESULT)]).toEqual([0, 8]);
  });

  it("are written in several pieces, in one go", () => {
    const host = openPreview1();
    const { call, view, text } = host;
    const fd = host.open("f", CREATE);
    host.put("onetwo");
    const [start] = host.put("onetwo");
    for (const [index, [at, length]] of [
      [start, 3],
      [start, 0],
      [start + 3, 3],
    ].entries()) {
      view().setUint32(PIECES + index * 8, at ?? 0, true);
      view().setUint32(PIECES + index * 8 + 4, length ?? 0, true);
    }
    expect([call("fd_write", fd, PIECES, 3, RESULT), view().getUint32(RESULT, true)]).toEqual([0, 6]);
    expect([call("fd_pread", fd, PIECES, 3, 3n, RESULT), view().getUint32(RESULT, true), text(start, 3)]).toEqual([
      0,
      3,
      "two",
    ]);
    expect([call("fd_read", fd, PIECES, 1, 65_533), call("fd_write", fd, PIECES, 1, 65_533)]).toEqual([21, 21]);
  });

  it("append, also when told so later, and say how they were opened", () => {
    const host = openPreview1();
    const { call, view } = host;
    const flagsOf = (fd: number): number =>
      call("fd_fdstat_get", fd, STAT) === 0 ? view().getUint16(STAT + 2, true) : -1;
    const fd = host.open("f", { ...CREATE, flags: 1 });
    host.write(fd, "one");
    call("fd_seek", fd, 0n, SEEK.set, RESULT);
    host.write(fd, "two");
    expect([flagsOf(fd), call("fd_tell", fd, RESULT), position(host)]).toEqual([1, 0, 6n]);
    expect([call("fd_fdstat_set_flags", fd, 4), flagsOf(fd), call("fd_seek", fd, 0n, SEEK.set, RESULT)]).toEqual([
      0, 4, 0,
    ]);
    host.write(fd, "ONE");
    expect(readFileSync(join(host.folder, "f"), "utf8")).toBe("ONEtwo");
    expect([call("fd_fdstat_set_flags", fd, 16), call("fd_fdstat_set_flags", fd, 32)]).toEqual([58, 28]);
    const synced = host.open("f", { flags: 2 | 16 });
    expect([flagsOf(synced), call("fd_fdstat_set_flags", synced, 2 | 16 | 1), flagsOf(synced)]).toEqual([18, 0, 19]);
    expect([call("fd_sync", synced), call("fd_datasync", synced), call("fd_sync", 3), call("fd_datasync", 3)]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(() => host.open("f", { flags: 32 })).toThrow("errno 28");
  });

  it("change their size, keep room, and take advice", () => {
    const host = openPreview1();
    const { call } = host;
    const fd = host.open("f", CREATE);
    const size = (): number => statSync(join(host.folder, "f")).size;
    expect([call("fd_filestat_set_size", fd, 100n), size()]).toEqual([0, 100]);
    expect([call("fd_allocate", fd, 10n, 10n), size(), call("fd_allocate", fd, 90n, 20n), size()]).toEqual([
      0, 100, 0, 110,
    ]);
    expect([
      call("fd_allocate", fd, 0n, 0n),
      call("fd_allocate", fd, 1n, (1n << 63n) - 1n),
      call("fd_allocate", fd, -1n, 1n),
    ]).toEqual([28, 22, 28]);
    expect(call("fd_filestat_set_size", fd, -1n)).toBe(22);
    expect([
      call("fd_advise", fd, 0n, 10n, 3),
      call("fd_advise", fd, 0n, 10n, 6),
      call("fd_advise", fd, 0n, -1n, 0),
    ]).toEqual([0, 28, 28]);
    expect([
      call("fd_allocate", 3, 0n, 1n),
      call("fd_advise", 3, 0n, 0n, 0),
      call("fd_filestat_set_size", 3, 0n),
    ]).toEqual([31, 31, 31]);
  });

  it("tell their state, and take times", () => {
    const host = openPreview1();
    const { call, view, put } = host;
    const fd = host.open("f", CREATE);
    host.write(fd, "text");
    const real = statSync(join(host.folder, "f"), { bigint: true });
    const u64 = (at: number): bigint => view().getBigUint64(STAT + at, true);
    expect(call("fd_filestat_get", fd, STAT)).toBe(0);
    expect([u64(0), u64(8), view().getUint8(STAT + 16), u64(24), u64(32), u64(48), u64(56)]).toEqual([
      real.dev,
      real.ino,
      4,
      1n,
      4n,
      real.mtimeNs,
      real.ctimeNs,
    ]);
    expect([
      call("fd_filestat_set_times", fd, 5n, 7n, 1 | 4),
      call("fd_filestat_get", fd, STAT),
      u64(40),
      u64(48),
    ]).toEqual([0, 0, 5n, 7n]);
    expect([
      call("path_filestat_set_times", 3, 1, ...put("f"), 1n, 11n, 4),
      call("path_filestat_get", 3, 0, ...put("f"), STAT),
    ]).toEqual([0, 0]);
    expect([u64(40), u64(48)]).toEqual([5n, 11n]);
    expect([
      call("fd_filestat_set_times", fd, 0n, 0n, 2 | 8),
      call("fd_filestat_get", fd, STAT),
      u64(48) > 11n,
    ]).toEqual([0, 0, true]);
    expect([3, 12, 16].map((flags) => call("fd_filestat_set_times", fd, 0n, 0n, flags))).toEqual([28, 28, 28]);
    expect([call("fd_filestat_set_times", 3, 0n, 9n, 4), call("fd_filestat_get", 3, STAT), u64(48)]).toEqual([
      0,
      0,
      9n,
    ]);
    expect([call("fd_filestat_get", fd, 65_500), call("path_filestat_get", 3, 0, ...put("none"), STAT)]).toEqual([
      21, 44,
    ]);
    expect(call("path_filestat_get", 3, 2, ...put("f"), STAT)).toBe(28);
  });

  it("are opened for what is asked, and are of no use for anything else", () => {
    const host = openPreview1();
    writeFileSync(join(host.folder, "f"), "text");
    const reader = host.open("f", { rights: 2n });
    const writer = host.open("f", { rights: 64n });
    const neither = host.open("f", { rights: 0n });
    expect([host.write(reader, "x"), host.write(neither, "x"), host.read(reader, 9)]).toEqual([8, 8, "text"]);
    expect(() => host.read(writer, 1)).toThrow("errno 8");
    expect([
      host.write(writer, "T"),
      host.call("fd_filestat_set_size", reader, 0n),
      host.call("fd_allocate", reader, 0n, 9n),
    ]).toEqual([0, 76, 76]);
    expect(() => host.open("f", { oflags: OFLAG.create | OFLAG.exclusive })).toThrow("errno 20");
    expect(() => host.open("f", { oflags: OFLAG.directory })).toThrow("errno 54");
    expect(() => host.open(".", {})).toThrow("errno 31");
    expect(() => host.open("f", { oflags: 16 })).toThrow("errno 28");
    expect(() => host.open("../f")).toThrow("errno 63");
    expect(() => host.open("/f")).toThrow("errno 63");
    expect(() => host.open("f".repeat(300))).toThrow("errno 37");
    expect(() => host.open("a/".repeat(2_100))).toThrow("errno 37");
    host.open("f", { oflags: OFLAG.truncate });
    expect(statSync(join(host.folder, "f")).size).toBe(0);
    host.view().setUint16(4_096, 0xff_ff, true);
    expect(host.call("path_open", 3, 0, 4_096, 2, 0, 2n, 0n, 0, RESULT)).toBe(25);
    expect(host.call("path_open", 3, 0, 65_530, 10, 0, 2n, 0n, 0, RESULT)).toBe(21);
    expect(host.call("path_open", 3, 0, ...host.put("f"), 0, 2n, 0n, 0, 65_533)).toBe(21);
  });

  it("give up rights for good, and hand them down", () => {
    const host = openPreview1();
    const { call, view, put } = host;
    const fd = host.open("f", CREATE);
    host.write(fd, "text");
    const rightsOf = (of: number): [bigint, bigint] => {
      call("fd_fdstat_get", of, STAT);
      return [view().getBigUint64(STAT + 8, true), view().getBigUint64(STAT + 16, true)];
    };
    const [base, inheriting] = rightsOf(fd);
    expect([base & READ_WRITE, inheriting]).toEqual([READ_WRITE, 0n]);
    expect(call("fd_fdstat_set_rights", fd, base & ~0x4n & ~READ_WRITE, 0n)).toBe(0);
    expect([call("fd_seek", fd, 1n, SEEK.set, RESULT), call("fd_tell", fd, RESULT), host.write(fd, "x")]).toEqual([
      76, 0, 8,
    ]);
    expect([call("fd_fdstat_set_rights", fd, base, 0n), call("fd_fdstat_set_rights", fd, 0n, 1n)]).toEqual([76, 76]);
    const [dirBase, dirInheriting] = rightsOf(3);
    // Without the right to make files, truncate, unlink; and nothing below may be written.
    expect(call("fd_fdstat_set_rights", 3, dirBase & ~0x4080400n, dirInheriting & ~0x40n)).toBe(0);
    expect(() => host.open("new", { ...CREATE, rights: 2n })).toThrow("errno 76");
    expect(() => host.open("f", { oflags: OFLAG.truncate, rights: 2n })).toThrow("errno 76");
    expect(() => host.open("f")).toThrow("errno 76");
    expect(call("path_unlink_file", 3, ...put("f"))).toBe(76);
    expect(host.read(host.open("f", { rights: 2n }), 9)).toBe("text");
  });

  it("end with the limit of open handles, and number the lowest that is free", () => {
    const host = openPreview1({ openHandlesMax: 2 });
    const [one, two] = [host.open("a", CREATE), host.open("b", CREATE)];
    expect([one, two]).toEqual([4, 5]);
    expect(() => host.open("c", CREATE)).toThrow(HandleLimit);
    expect([host.call("fd_close", one), host.open("c", CREATE)]).toEqual([0, 4]);
    expect([host.call("fd_renumber", 4, 5), host.call("fd_renumber", 4, 5), host.call("fd_renumber", 5, 9)]).toEqual([
      0, 8, 8,
    ]);
    expect([host.call("fd_renumber", 5, 5), host.write(5, "c"), host.open("d", CREATE)]).toEqual([0, 0, 4]);
    expect(readFileSync(join(host.folder, "c"), "utf8")).toBe("c");
  });

  it("fail from the next call on when their folder is taken away", () => {
    const host = openPreview1();
    const fd = host.open("f", CREATE);
    expect(host.write(fd, "text")).toBe(0);
    host.line.setRights({ env: {}, folders: [] });
    expect([
      host.write(fd, "more"),
      host.call("fd_filestat_get", fd, STAT),
      host.call("path_create_directory", 3, ...host.put("d")),
    ]).toEqual([63, 63, 63]);
    expect(host.call("fd_readdir", 3, STAT, 100, 0n, RESULT)).toBe(63);
    expect([host.call("fd_fdstat_get", fd, STAT), host.call("fd_close", fd)]).toEqual([0, 0]);
    expect(readFileSync(join(host.folder, "f"), "utf8")).toBe("text");
    expect(host.line.audits).toContain(`denied fs:write:${host.folder}::/`);
  });
});

describe("directories", () => {
  it("are listed with cookies that stay valid while things change", () => {
    const host = openPreview1();
    const { call, view, put } = host;
    for (const name of ["a", "b", "c"]) host.open(name, CREATE);
    mkdirSync(join(host.folder, "dir"));
    const list = (cookie: bigint, length: number): [string, number, bigint, bigint][] => {
      expect(call("fd_readdir", 3, STAT, length, cookie, RESULT)).toBe(0);
      return entriesIn(host, STAT, view().getUint32(RESULT, true));
    };
    const all = list(0n, 8_000);
    expect(all.map(([name]) => name).toSorted()).toEqual([".", "..", "a", "b", "c", "dir"]);
    expect(all.map(([, , cookie]) => cookie)).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
    expect(all.find(([name]) => name === "a")?.[3]).toBe(statSync(join(host.folder, "a"), { bigint: true }).ino);
    expect([all[0]?.[1], all[0]?.[3], all[1]?.[3]]).toEqual([3, statSync(host.folder, { bigint: true }).ino, 0n]);
    expect(call("path_unlink_file", 3, ...put("a"))).toBe(0);
    expect(list(3n, 8_000).map(([name]) => name)).toEqual(all.slice(3).map(([name]) => name));
    expect(list(0n, 8_000)).toHaveLength(5);
    // The last entry is cut off when the buffer is full.
    expect([list(0n, 26), view().getUint32(RESULT, true)]).toEqual([[all[0]], 26]);
    expect([list(0n, 10), view().getUint32(RESULT, true)]).toEqual([[], 10]);
    expect([list(5n, 100), list(99n, 100), list(-1n, 100)]).toEqual([[], [], []]);
    expect([call("fd_readdir", 3, 65_000, 1_000, 0n, RESULT), call("fd_readdir", 4, STAT, 9, 0n, RESULT)]).toEqual([
      21, 54,
    ]);
    expect([
      call("fd_read", 3, 0, 0, RESULT),
      call("fd_write", 3, 0, 0, RESULT),
      call("fd_seek", 3, 0n, 0, RESULT),
    ]).toEqual([31, 31, 31]);
  });

  it("make, move, link and remove what is in them", () => {
    const host = openPreview1();
    const { call, put, view, text } = host;
    /** Two paths, the second behind the first. */
    const two = (one: string, other: string): [[number, number], [number, number]] => {
      const [start] = put(one + other);
      return [
        [start, one.length],
        [start + one.length, other.length],
      ];
    };
    host.open("f", CREATE);
    const [from, to] = two("f", "dir/g");
    expect(call("path_rename", 3, ...from, 3, ...to)).toBe(44);
    expect(call("path_create_directory", 3, ...put("dir"))).toBe(0);
    two("f", "dir/g");
    expect([call("path_rename", 3, ...from, 3, ...to), call("path_rename", 3, ...from, 3, ...to)]).toEqual([0, 44]);
    const [file, link] = two("dir/g", "link");
    expect([call("path_link", 3, 0, ...file, 3, ...link), call("path_link", 3, 0, ...file, 3, ...link)]).toEqual([
      0, 20,
    ]);
    expect([call("path_link", 3, 1, ...file, 3, ...link), call("path_link", 3, 0, ...file, 4, ...link)]).toEqual([
      28, 54,
    ]);
    const [target, name] = two("dir/g", "sym");
    expect([call("path_symlink", ...target, 3, ...name), call("path_symlink", ...target, 3, ...name)]).toEqual([0, 20]);
    expect([call("path_readlink", 3, ...name, STAT, 3, RESULT), view().getUint32(RESULT, true), text(STAT, 3)]).toEqual(
      [0, 3, "dir"],
    );
    expect([call("path_readlink", 3, ...name, STAT, 9, RESULT), view().getUint32(RESULT, true)]).toEqual([0, 5]);
    const [absolute, elsewhere] = two("/etc", "x");
    expect(call("path_symlink", ...absolute, 3, ...elsewhere)).toBe(63);
    expect(call("path_filestat_get", 3, 0, ...put("sym"), STAT)).toBe(0);
    expect(view().getUint8(STAT + 16)).toBe(7);
    expect([call("path_unlink_file", 3, ...put("dir")), call("path_remove_directory", 3, ...put("dir"))]).toEqual([
      31, 55,
    ]);
    expect(["dir/g", "link", "sym"].map((path) => call("path_unlink_file", 3, ...put(path)))).toEqual([0, 0, 0]);
    expect([call("path_remove_directory", 3, ...put("dir")), call("path_remove_directory", 3, ...put("dir"))]).toEqual([
      0, 44,
    ]);
  });
});
