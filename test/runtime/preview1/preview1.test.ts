import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestExit } from "../../../src/runtime/host/guest-exit.ts";
import { ERRNO } from "../../../src/runtime/preview1/errno.ts";
import { createPreview1, PREVIEW1_SUSPENDING } from "../../../src/runtime/preview1/preview1.ts";
import { PREVIEW1_FUNCTIONS } from "../../../src/runtime/preview1-functions.ts";
import type { ByteSink, ByteSource } from "../../../src/runtime/host/guest-line.ts";
import { openMemoryLine, sourceOf } from "./memory-line.ts";
import { openPreview1, PIECES, RESULT } from "./preview1-host.ts";

const PAGE = 65_536;

describe("wasi_snapshot_preview1", () => {
  it("has all 46 functions, of which four may wait", () => {
    const preview1 = createPreview1({ line: openMemoryLine(), openHandlesMax: 1 });
    expect(new Set(Object.keys(preview1.imports))).toEqual(PREVIEW1_FUNCTIONS);
    expect(PREVIEW1_FUNCTIONS.size).toBe(46);
    expect(PREVIEW1_SUSPENDING).toEqual(["fd_read", "fd_write", "poll_oneoff", "sched_yield"]);
  });

  it("answers whatever it is called with by an error number, and throws nothing but an exit", () => {
    const host = openPreview1();
    const names = [...PREVIEW1_FUNCTIONS].filter((name) => name !== "proc_exit" && name !== "poll_oneoff");
    const value = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, -1, 64, PAGE, PAGE - 4, 0x7fffffff), fc.integer());
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(value, { minLength: 9, maxLength: 9 }), (name, values) => {
        // Those that take i64 are called with bigints where they expect them.
        const args = values.map((each, index) => (WIDE[name]?.includes(index) === true ? BigInt(each) : each));
        const errno = host.call(name, ...args);
        expect(Number.isInteger(errno) && errno >= -1 && errno <= 76).toBe(true);
      }),
      { numRuns: 2_000 },
    );
    expect(() => host.call("proc_exit", 3)).toThrow(new GuestExit(3));
    expect(() => host.call("proc_exit", -1)).toThrow(new GuestExit(0xffffffff));
  });

  it("follows the memory as it grows, and answers fault beyond it", () => {
    const host = openPreview1();
    expect(host.call("args_sizes_get", PAGE + 8, PAGE + 12)).toBe(ERRNO.fault);
    host.memory.grow(1);
    expect(host.call("args_sizes_get", PAGE + 8, PAGE + 12)).toBe(ERRNO.success);
    expect(host.call("args_sizes_get", 2 * PAGE, 0)).toBe(ERRNO.fault);
    expect(host.call("args_sizes_get", 0, 2 * PAGE - 3)).toBe(ERRNO.fault);
    expect(host.call("args_sizes_get", 0, 2 * PAGE - 4)).toBe(ERRNO.success);
  });

  it("gives arguments and environment with their sizes", () => {
    const host = openPreview1({ args: ["prog", "ä"], rights: { env: { A: "1", B: "" } } });
    const { call, view, text, line } = host;
    expect(call("args_sizes_get", 0, 4)).toBe(ERRNO.success);
    expect([view().getUint32(0, true), view().getUint32(4, true)]).toEqual([2, 8]);
    expect(call("args_get", 16, 100)).toBe(ERRNO.success);
    expect([view().getUint32(16, true), view().getUint32(20, true)]).toEqual([100, 105]);
    expect(text(100, 8)).toBe("prog\0ä\0");
    expect(call("args_get", PAGE - 4, 100)).toBe(ERRNO.fault);
    expect(call("args_get", 16, PAGE - 7)).toBe(ERRNO.fault);
    expect(call("environ_sizes_get", 0, 4)).toBe(ERRNO.success);
    expect([view().getUint32(0, true), view().getUint32(4, true)]).toEqual([2, 7]);
    expect(line.audits).toEqual([]);
    expect(call("environ_get", 16, 100)).toBe(ERRNO.success);
    expect(text(100, 7)).toBe("A=1\0B=\0");
    expect(line.audits).toEqual(["used env:A", "used env:B"]);
  });

  it("shows the environment as it is now, without writing more than it announced", () => {
    const { call, view, text, line } = openPreview1({ rights: { env: { A: "1", B: "2" } } });
    call("environ_sizes_get", 0, 4);
    line.setRights({ folders: [], env: { B: "2", CCCC: "more than there was" } });
    expect(call("environ_get", 16, 100)).toBe(ERRNO.success);
    expect([view().getUint32(16, true), view().getUint32(20, true), text(100, 8)]).toEqual([100, 101, "\0B=2\0\0\0\0"]);
    call("environ_sizes_get", 0, 4);
    expect(view().getUint32(0, true)).toBe(2);
    call("environ_get", 16, 100);
    expect(text(100, 9)).toBe("B=2\0CCCC=");
    const fresh = openPreview1({ rights: { env: { A: "1" } } });
    expect([fresh.call("environ_get", 16, 100), fresh.text(100, 3)]).toEqual([ERRNO.success, "A=1"]);
  });

  it("reads the two clocks that there are, and fills memory with random bytes", () => {
    const { call, view } = openPreview1({ nowNs: () => 5_000_000_000n });
    for (const [clock, resolution] of [
      [0, 1_000n],
      [1, 1n],
    ] as const) {
      expect(call("clock_time_get", clock, 0n, 8)).toBe(ERRNO.success);
      expect(view().getBigUint64(8, true)).toBe(5_000_000_000n);
      expect(call("clock_res_get", clock, 8)).toBe(ERRNO.success);
      expect(view().getBigUint64(8, true)).toBe(resolution);
    }
    for (const clock of [2, 3, 99, -1]) {
      expect([call("clock_time_get", clock, 0n, 8), call("clock_res_get", clock, 8)]).toEqual([28, 28]);
    }
    expect(call("clock_time_get", 0, 0n, PAGE - 7)).toBe(ERRNO.fault);
    expect([call("random_get", 32, 16), call("random_get", PAGE - 16, 17), call("random_get", PAGE, 0)]).toEqual([
      0, 21, 0,
    ]);
    expect(view().getBigUint64(32, true) | view().getBigUint64(40, true)).not.toBe(0n);
  });

  it("has no sockets and no signals, and gives way when asked", async () => {
    const { call, waited } = openPreview1();
    const sockets = ["sock_accept", "sock_recv", "sock_send", "sock_shutdown"];
    expect(sockets.map((name) => call(name, 1, 0, 0, 0, 0))).toEqual([57, 57, 57, 57]);
    expect(sockets.map((name) => call(name, 9, 0, 0, 0, 0))).toEqual([8, 8, 8, 8]);
    expect(call("proc_raise", 9)).toBe(ERRNO.nosys);
    expect([call("sched_yield"), await waited()]).toEqual([-1, ERRNO.success]);
  });
});

describe("standard streams", () => {
  it("are read piece by piece to their end, and written as one piece", () => {
    const host = openPreview1({ stdin: sourceOf("some input") });
    const { call, view, text } = host;
    const vectors = (...pieces: [number, number][]): void =>
      pieces.forEach(([start, length], index) => {
        view().setUint32(PIECES + index * 8, start, true);
        view().setUint32(PIECES + index * 8 + 4, length, true);
      });
    vectors([200, 4], [204, 0], [204, 3]);
    expect([call("fd_read", 0, PIECES, 3, RESULT), view().getUint32(RESULT, true), text(200, 7)]).toEqual([
      0,
      7,
      "some in",
    ]);
    expect([call("fd_read", 0, PIECES, 3, RESULT), view().getUint32(RESULT, true), text(200, 3)]).toEqual([
      0,
      3,
      "put",
    ]);
    expect([call("fd_read", 0, PIECES, 3, RESULT), view().getUint32(RESULT, true)]).toEqual([0, 0]);
    expect([call("fd_read", 0, PIECES, 0, RESULT), view().getUint32(RESULT, true)]).toEqual([0, 0]);
    vectors([200, 3], [300, 0], [204, 1]);
    expect([call("fd_write", 1, PIECES, 3, RESULT), view().getUint32(RESULT, true)]).toEqual([0, 4]);
    expect([call("fd_write", 2, PIECES, 1, RESULT), call("fd_write", 2, PIECES, 0, RESULT)]).toEqual([0, 0]);
    expect(host.line.written).toEqual({ stdout: "put ", stderr: "put" });
    vectors([0xffffffff, 2]);
    expect([call("fd_write", 1, PIECES, 1, RESULT), call("fd_read", 0, PIECES, 1, RESULT)]).toEqual([21, 21]);
    expect([call("fd_write", 1, PAGE - 7, 1, RESULT), call("fd_write", 1, PIECES, 1, PAGE)]).toEqual([21, 21]);
    expect([call("fd_write", 1, 0, 1_025, RESULT), call("fd_read", 0, 0, -1, RESULT)]).toEqual([28, 28]);
    expect([call("fd_write", 0, PIECES, 0, RESULT), call("fd_read", 1, PIECES, 0, RESULT)]).toEqual([8, 8]);
  });

  it("are written in part if it is too much, however often the pieces name the same bytes", () => {
    const { call, view, line } = openPreview1({ stdout: { ...roomySink(1 << 24), write: () => undefined } });
    for (let index = 0; index < 100; index++) {
      view().setUint32(1_000 + index * 8, 2_000, true);
      view().setUint32(1_004 + index * 8, 60_000, true);
    }
    expect([call("fd_write", 1, 1_000, 100, RESULT), view().getUint32(RESULT, true)]).toEqual([0, 1_048_576]);
    expect(line.written.stdout).toBe("");
  });

  it("wait for input and for room, unless they must not", async () => {
    const ready = Promise.withResolvers<void>();
    const given: string[] = [];
    let input = "";
    const stdin: ByteSource = {
      isReady: () => input !== "",
      whenReady: () => ready.promise,
      take: (maxBytes) => ({ kind: "bytes", bytes: new Uint8Array(Buffer.from(input.slice(0, maxBytes))) }),
      cancel: () => undefined,
    };
    let room: number | undefined = 0;
    const stdout: ByteSink = {
      ...roomySink(0),
      room: () => room,
      whenRoom: () => ready.promise,
      write: (bytes) => void given.push(Buffer.from(bytes).toString()),
    };
    const host = openPreview1({ stdin, stdout });
    const { call, view } = host;
    expect([call("fd_fdstat_set_flags", 0, 4), call("fd_fdstat_set_flags", 1, 5)]).toEqual([0, 0]);
    expect(() => host.read(0, 3)).toThrow("errno 6");
    expect(host.write(1, "text")).toBe(ERRNO.again);
    expect([call("fd_fdstat_set_flags", 0, 0), call("fd_fdstat_set_flags", 1, 1)]).toEqual([0, 0]);
    expect(host.write(1, "text")).toBe(-1);
    const written = host.waited();
    expect(() => host.read(0, 3)).toThrow("errno -1");
    const read = host.waited();
    [input, room] = ["input", 2];
    ready.resolve();
    expect([await written, await read, view().getUint32(RESULT, true)]).toEqual([0, 0, 3]);
    // As much as there is room for.
    expect(given).toEqual(["te"]);
    room = undefined;
    expect(host.write(1, "text")).toBe(ERRNO.pipe);
  });

  it("that fail are an input error", () => {
    const stdin: ByteSource = { ...sourceOf(""), take: () => ({ kind: "failed", message: "gone" }) };
    expect(() => openPreview1({ stdin }).read(0, 3)).toThrow("errno 29");
  });

  it("are of no known type, without a position, and cannot do what files do", () => {
    const { call, view } = openPreview1();
    expect(call("fd_fdstat_get", 0, 64)).toBe(ERRNO.success);
    expect([view().getUint8(64), view().getUint16(66, true), view().getBigUint64(72, true) & 0x66n]).toEqual([
      0,
      0,
      2n,
    ]);
    expect(call("fd_fdstat_get", 2, 64)).toBe(ERRNO.success);
    expect([view().getUint16(66, true), view().getBigUint64(72, true) & 0x66n]).toEqual([1, 64n]);
    expect([call("fd_filestat_get", 1, 64), view().getUint8(80)]).toEqual([0, 0]);
    expect(
      ["fd_tell", "fd_seek", "fd_pread", "fd_pwrite", "fd_advise", "fd_allocate"].map((name) =>
        call(name, 1, 0n, 0n, 0n, 0n),
      ),
    ).toEqual([70, 70, 70, 70, 70, 70]);
    expect([call("fd_sync", 1), call("fd_datasync", 1), call("fd_filestat_set_times", 1, 0n, 0n, 0)]).toEqual([
      28, 28, 28,
    ]);
    expect([
      call("fd_readdir", 1, 0, 0, 0n, 8),
      call("path_unlink_file", 1, 0, 0),
      call("fd_prestat_get", 1, 8),
    ]).toEqual([54, 54, 8]);
    expect(call("fd_prestat_dir_name", 1, 8, 8)).toBe(ERRNO.badf);
    expect([call("fd_close", 1), call("fd_close", 1), call("fd_write", 1, 0, 0, 64)]).toEqual([0, 8, 8]);
  });
});

/** Which arguments are i64. */
const WIDE: Readonly<Record<string, readonly number[]>> = {
  clock_time_get: [1],
  fd_advise: [1, 2],
  fd_allocate: [1, 2],
  fd_fdstat_set_rights: [1, 2],
  fd_filestat_set_size: [1],
  fd_filestat_set_times: [1, 2],
  fd_pread: [3],
  fd_pwrite: [3],
  fd_readdir: [3],
  fd_seek: [1],
  path_filestat_set_times: [4, 5],
  path_open: [5, 6],
};

function roomySink(bytes: number): ByteSink {
  return {
    room: () => bytes,
    whenRoom: () => Promise.resolve(),
    write: () => undefined,
    failure: undefined,
    finish: () => undefined,
    abort: () => undefined,
  };
}
