import { describe, expect, it } from "vitest";
import { ERRNO } from "../../../src/runtime/guest/preview1-errno.ts";
import { createPreview1, PREVIEW1_FUNCTIONS, type Preview1Options } from "../../../src/runtime/guest/preview1.ts";

class Exit extends Error {}

/** The host functions on a memory of one page, with clocks that stand still until somebody sleeps. */
function host(options: Partial<Preview1Options> = {}) {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const written = { stdout: "", stderr: "" };
  const slept: number[] = [];
  let nowNs = 5_000_000_000n;
  const preview1 = createPreview1({
    args: ["prog", "ä"],
    env: { A: "1", B: "" },
    stdin: new TextEncoder().encode("some input"),
    write: (stream, bytes) => void (written[stream] += Buffer.from(bytes).toString()),
    sleepMs(durationMs) {
      slept.push(durationMs);
      nowNs += BigInt(durationMs * 1e6);
    },
    exit() {
      throw new Exit();
    },
    clocks: { wallNs: () => nowNs + 1_700_000_000n * 1_000_000_000n, monotonicNs: () => nowNs },
    fillRandom: (bytes) => void bytes.fill(7),
    ...options,
  });
  preview1.attachMemory(memory);
  const call = (name: string, ...values: (number | bigint)[]): number => preview1.imports[name]?.(...values) ?? -1;
  const text = (start: number, length: number): string => Buffer.from(memory.buffer, start, length).toString();
  return { call, memory, view: () => new DataView(memory.buffer), text, written, slept };
}

describe("wasi_snapshot_preview1", () => {
  it("has all 46 functions", () => {
    expect(PREVIEW1_FUNCTIONS).toHaveLength(46);
    expect(new Set(PREVIEW1_FUNCTIONS).size).toBe(46);
    const { imports } = createPreview1({ ...noEffects, args: [], env: {}, stdin: new Uint8Array() });
    expect(Object.keys(imports)).toEqual(PREVIEW1_FUNCTIONS);
  });

  it("answers every function with an error number on whatever descriptor, and nothing is ever thrown", () => {
    const { call } = host();
    for (const name of PREVIEW1_FUNCTIONS.filter((each) => each !== "proc_exit")) {
      for (const fd of [0, 1, 3, 4_294_967_295]) {
        const errno = call(name, fd, 64, 1, 128, 0, 0, 0, 0, 0);
        expect(Number.isInteger(errno) && errno >= 0 && errno <= 76).toBe(true);
      }
    }
  });

  it("gives arguments and environment with their sizes", () => {
    const { call, view, text } = host();
    expect(call("args_sizes_get", 0, 4)).toBe(ERRNO.success);
    expect([view().getUint32(0, true), view().getUint32(4, true)]).toEqual([2, 8]);
    expect(call("args_get", 16, 100)).toBe(ERRNO.success);
    expect([view().getUint32(16, true), view().getUint32(20, true)]).toEqual([100, 105]);
    expect(text(100, 8)).toBe("prog\0ä\0");
    expect(call("environ_sizes_get", 0, 4)).toBe(ERRNO.success);
    expect([view().getUint32(0, true), view().getUint32(4, true)]).toEqual([2, 7]);
    expect(call("environ_get", 16, 100)).toBe(ERRNO.success);
    expect(text(100, 7)).toBe("A=1\0B=\0");
  });

  it("reads the clocks that there are, and fills memory with random bytes", () => {
    const { call, view } = host();
    expect(call("clock_time_get", 1, 0n, 8)).toBe(ERRNO.success);
    expect(view().getBigUint64(8, true)).toBe(5_000_000_000n);
    expect(call("clock_time_get", 0, 0n, 8)).toBe(ERRNO.success);
    expect(view().getBigUint64(8, true)).toBe(1_700_000_005_000_000_000n);
    expect(call("clock_res_get", 0, 8)).toBe(ERRNO.success);
    expect(view().getBigUint64(8, true)).toBe(1_000n);
    for (const clock of [2, 3, 99]) {
      expect([call("clock_time_get", clock, 0n, 8), call("clock_res_get", clock, 8)]).toEqual([
        ERRNO.inval,
        ERRNO.inval,
      ]);
    }
    expect(call("random_get", 32, 4)).toBe(ERRNO.success);
    expect(view().getUint32(32, true)).toBe(0x07070707);
    expect(call("random_get", 65_530, 100)).toBe(ERRNO.fault);
  });

  it("reads input piece by piece, then its end; writes pieces as one", () => {
    const { call, view, text, written } = host();
    const vectors = (...pieces: [number, number][]): void =>
      pieces.forEach(([start, length], index) => {
        view().setUint32(index * 8, start, true);
        view().setUint32(index * 8 + 4, length, true);
      });
    vectors([100, 4], [104, 3]);
    expect(call("fd_read", 0, 0, 2, 64)).toBe(ERRNO.success);
    expect([view().getUint32(64, true), text(100, 7)]).toEqual([7, "some in"]);
    expect(call("fd_read", 0, 0, 2, 64)).toBe(ERRNO.success);
    expect([view().getUint32(64, true), text(100, 3)]).toEqual([3, "put"]);
    expect(call("fd_read", 0, 0, 2, 64)).toBe(ERRNO.success);
    expect(view().getUint32(64, true)).toBe(0);
    vectors([100, 3], [200, 0], [104, 1]);
    expect(call("fd_write", 1, 0, 3, 64)).toBe(ERRNO.success);
    expect(call("fd_write", 2, 0, 1, 64)).toBe(ERRNO.success);
    expect(written).toEqual({ stdout: "put ", stderr: "put" });
  });

  it("writes a part of what is too much at once, however often the pieces name the same bytes", () => {
    const { call, view, written } = host();
    for (let index = 0; index < 100; index++) {
      view().setUint32(index * 8, 1_000, true);
      view().setUint32(index * 8 + 4, 60_000, true);
    }
    expect(call("fd_write", 1, 0, 100, 900)).toBe(ERRNO.success);
    expect([view().getUint32(900, true), written.stdout.length]).toEqual([1_048_576, 1_048_576]);
  });

  it("refuses reads and writes the wrong way round, on what is closed, and outside memory", () => {
    const { call, view } = host();
    expect(call("fd_write", 0, 0, 0, 64)).toBe(ERRNO.notcapable);
    expect(call("fd_read", 1, 0, 0, 64)).toBe(ERRNO.notcapable);
    expect(call("fd_read", 9, 0, 0, 64)).toBe(ERRNO.badf);
    expect(call("fd_write", 9, 0, 0, 64)).toBe(ERRNO.badf);
    expect(call("fd_write", 1, 0, 5_000, 64)).toBe(ERRNO.inval);
    expect(call("fd_read", 0, 0, 5_000, 64)).toBe(ERRNO.inval);
    view().setUint32(0, 65_000, true);
    view().setUint32(4, 1_000, true);
    expect(call("fd_write", 1, 0, 1, 64)).toBe(ERRNO.fault);
    expect(call("fd_write", 1, 65_535, 1, 64)).toBe(ERRNO.fault);
    expect(call("fd_close", 1)).toBe(ERRNO.success);
    expect([call("fd_close", 1), call("fd_write", 1, 0, 0, 64), call("fd_fdstat_get", 1, 64)]).toEqual([
      ERRNO.badf,
      ERRNO.badf,
      ERRNO.badf,
    ]);
  });

  it("describes the streams, and has no other descriptors", () => {
    const { call, view } = host();
    expect(call("fd_fdstat_get", 0, 64)).toBe(ERRNO.success);
    expect(view().getUint8(64)).toBe(0);
    expect(view().getBigUint64(72, true) & 2n).toBe(2n);
    expect(call("fd_fdstat_get", 2, 64)).toBe(ERRNO.success);
    expect([view().getUint16(66, true), view().getBigUint64(72, true) & 64n]).toEqual([1, 64n]);
    expect(call("fd_filestat_get", 1, 64)).toBe(ERRNO.success);
    expect(call("fd_filestat_get", 3, 64)).toBe(ERRNO.badf);
    expect(call("fd_filestat_get", 1, 65_530)).toBe(ERRNO.fault);
    expect([call("fd_seek", 1, 0n, 0, 64), call("fd_tell", 0, 64)]).toEqual([ERRNO.spipe, ERRNO.spipe]);
    expect([call("fd_prestat_get", 3, 64), call("fd_prestat_dir_name", 3, 64, 1)]).toEqual([ERRNO.badf, ERRNO.badf]);
    expect([
      call("path_open", 3),
      call("path_open", 0),
      call("path_symlink", 0, 0, 1),
      call("path_symlink", 0, 0, 3),
    ]).toEqual([ERRNO.badf, ERRNO.notdir, ERRNO.notdir, ERRNO.badf]);
    expect([call("sock_send", 0), call("sock_send", 7), call("fd_renumber", 0, 1), call("fd_renumber", 0, 9)]).toEqual([
      ERRNO.notsock,
      ERRNO.badf,
      ERRNO.notsup,
      ERRNO.badf,
    ]);
    expect([call("sched_yield"), call("proc_raise", 9)]).toEqual([ERRNO.success, ERRNO.nosys]);
    expect(() => call("proc_exit", 3)).toThrow(Exit);
  });

  it("follows memory when it has grown", () => {
    const { call, memory, view } = host();
    expect(call("clock_time_get", 1, 0n, 70_000)).toBe(ERRNO.fault);
    memory.grow(1);
    expect(call("clock_time_get", 1, 0n, 70_000)).toBe(ERRNO.success);
    expect(view().getBigUint64(70_000, true)).toBe(5_000_000_000n);
  });
});

describe("poll_oneoff", () => {
  const clock = (
    view: DataView,
    at: number,
    userdata: bigint,
    timeoutNs: bigint,
    { id = 1, isAbsolute = false } = {},
  ): void => {
    view.setBigUint64(at, userdata, true);
    view.setUint8(at + 8, 0);
    view.setUint32(at + 16, id, true);
    view.setBigUint64(at + 24, timeoutNs, true);
    view.setUint16(at + 40, isAbsolute ? 1 : 0, true);
  };
  const stream = (view: DataView, at: number, userdata: bigint, type: number, fd: number): void => {
    view.setBigUint64(at, userdata, true);
    view.setUint8(at + 8, type);
    view.setUint32(at + 16, fd, true);
  };

  it("sleeps until the first of its clocks, relative or absolute", () => {
    const { call, view, slept } = host();
    clock(view(), 0, 1n, 30_000_000n);
    clock(view(), 48, 2n, 5_010_000_000n, { isAbsolute: true });
    expect(call("poll_oneoff", 0, 1024, 2, 900)).toBe(ERRNO.success);
    expect(slept).toEqual([10]);
    expect([view().getUint32(900, true), view().getBigUint64(1024, true), view().getUint16(1032, true)]).toEqual([
      1,
      2n,
      0,
    ]);
  });

  it("does not sleep for what is past, or when a stream is ready, and says what is wrong with each", () => {
    const { call, view, slept } = host();
    clock(view(), 0, 1n, 1n, { id: 0, isAbsolute: true });
    stream(view(), 48, 2n, 1, 0);
    stream(view(), 96, 3n, 2, 2);
    stream(view(), 144, 4n, 2, 9);
    clock(view(), 192, 5n, 1n, { id: 7 });
    clock(view(), 240, 6n, 9n);
    expect(call("poll_oneoff", 0, 1024, 6, 900)).toBe(ERRNO.success);
    expect(slept).toEqual([]);
    const events = Array.from({ length: view().getUint32(900, true) }, (_, index) => [
      view().getBigUint64(1024 + index * 32, true),
      view().getUint16(1024 + index * 32 + 8, true),
    ]);
    expect(events).toEqual([
      [1n, ERRNO.success],
      [2n, ERRNO.success],
      [3n, ERRNO.success],
      [4n, ERRNO.badf],
      [5n, ERRNO.inval],
    ]);
  });

  it("refuses none and too many, and addresses outside memory", () => {
    const { call, view } = host();
    expect([call("poll_oneoff", 0, 0, 0, 0), call("poll_oneoff", 0, 0, 5_000, 0)]).toEqual([ERRNO.inval, ERRNO.inval]);
    clock(view(), 0, 1n, 0n);
    expect([call("poll_oneoff", 65_530, 0, 1, 0), call("poll_oneoff", 0, 65_530, 1, 0)]).toEqual([
      ERRNO.fault,
      ERRNO.fault,
    ]);
  });
});

const noEffects: Omit<Preview1Options, "args" | "env" | "stdin"> = {
  write: () => {},
  sleepMs: () => {},
  exit: () => {
    throw new Exit();
  },
  clocks: { wallNs: () => 0n, monotonicNs: () => 0n },
  fillRandom: () => {},
};
