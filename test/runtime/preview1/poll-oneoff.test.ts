import { describe, expect, it } from "vitest";
import type { ByteSink, ByteSource } from "../../../src/runtime/host/guest-line.ts";
import { ERRNO } from "../../../src/runtime/preview1/errno.ts";
import { sourceOf } from "./memory-line.ts";
import { openPreview1, type Preview1Host } from "./preview1-host.ts";

const EVENTS = 8_192;
const COUNT = 900;

/** Writes a subscription to a clock. */
function clock(
  { view }: Preview1Host,
  index: number,
  timeoutNs: bigint,
  { id = 1, isAbsolute = false }: { readonly id?: number; readonly isAbsolute?: boolean } = {},
): void {
  const at = index * 48;
  view().setBigUint64(at, BigInt(index + 1), true);
  view().setUint8(at + 8, 0);
  view().setUint32(at + 16, id, true);
  view().setBigUint64(at + 24, timeoutNs, true);
  view().setUint16(at + 40, isAbsolute ? 1 : 0, true);
}

/** Writes a subscription to a descriptor. */
function stream({ view }: Preview1Host, index: number, kind: "read" | "write", fd: number): void {
  const at = index * 48;
  view().setBigUint64(at, BigInt(index + 1), true);
  view().setUint8(at + 8, kind === "read" ? 1 : 2);
  view().setUint32(at + 16, fd, true);
}

/** Who the events are for, their error numbers, types and sizes. */
function events({ view }: Preview1Host): [bigint, number, number, bigint][] {
  return Array.from({ length: view().getUint32(COUNT, true) }, (_, index) => {
    const at = EVENTS + index * 32;
    return [
      view().getBigUint64(at, true),
      view().getUint16(at + 8, true),
      view().getUint8(at + 10),
      view().getBigUint64(at + 16, true),
    ];
  });
}

/** Polls, and gives the error number in the end. */
async function poll(host: Preview1Host, count: number): Promise<number> {
  const errno = host.call("poll_oneoff", 0, EVENTS, count, COUNT);
  return errno === -1 ? host.waited() : errno;
}

describe("poll_oneoff", () => {
  it("says at once what is due, and what is wrong with each", async () => {
    const host = openPreview1({ stdin: sourceOf("x") });
    const file = host.open("f", { oflags: 1 });
    host.write(file, "text");
    host.call("fd_seek", file, 1n, 0, 8);
    clock(host, 0, 0n);
    clock(host, 1, 1n, { id: 0, isAbsolute: true });
    clock(host, 2, 1n << 60n);
    clock(host, 3, 1n, { id: 2 });
    stream(host, 4, "read", 0);
    stream(host, 5, "write", 2);
    stream(host, 6, "read", 2);
    stream(host, 7, "write", 0);
    stream(host, 8, "read", 99);
    stream(host, 9, "read", file);
    stream(host, 10, "write", file);
    stream(host, 11, "read", 3);
    expect(host.call("poll_oneoff", 0, EVENTS, 12, COUNT)).toBe(ERRNO.success);
    expect(events(host)).toEqual([
      [1n, 0, 0, 0n],
      [2n, 0, 0, 0n],
      [4n, ERRNO.inval, 0, 0n],
      [5n, 0, 1, 1n],
      [6n, 0, 2, 1_048_576n],
      [7n, ERRNO.badf, 1, 0n],
      [8n, ERRNO.badf, 2, 0n],
      [9n, ERRNO.badf, 1, 0n],
      [10n, 0, 1, 3n],
      [11n, 0, 2, 1n],
      [12n, ERRNO.notcapable, 1, 0n],
    ]);
    host.line.setRights({ env: {}, folders: [] });
    stream(host, 0, "read", file);
    expect([await poll(host, 1), events(host)]).toEqual([0, [[1n, ERRNO.perm, 1, 0n]]]);
  });

  it("sleeps until the first clock is due, relative or absolute, and gives up the others", async () => {
    const host = openPreview1();
    const now = host.line.monotonicNowNs();
    clock(host, 0, 1n << 55n);
    clock(host, 1, 5_000_000n);
    clock(host, 2, host.line.wallNowNs() + 3_600_000_000_000n, { id: 0, isAbsolute: true });
    expect([await poll(host, 3), events(host)]).toEqual([0, [[2n, 0, 0, 0n]]]);
    expect(host.line.monotonicNowNs() - now).toBeGreaterThanOrEqual(5_000_000n);
    clock(host, 0, host.line.monotonicNowNs() + 2_000_000n, { isAbsolute: true });
    expect([await poll(host, 1), events(host)]).toEqual([0, [[1n, 0, 0, 0n]]]);
    clock(host, 0, host.line.wallNowNs() + 2_000_000n, { id: 0, isAbsolute: true });
    expect([await poll(host, 1), events(host)]).toEqual([0, [[1n, 0, 0, 0n]]]);
  });

  it("waits for input and for room", async () => {
    const came = Promise.withResolvers<void>();
    const room = Promise.withResolvers<void>();
    let [hasInput, bytes]: [boolean, number | undefined] = [false, 0];
    const stdin: ByteSource = { ...sourceOf("x"), isReady: () => hasInput, whenReady: () => came.promise };
    const stdout: ByteSink = {
      room: () => bytes,
      whenRoom: () => room.promise,
      write: () => undefined,
      failure: undefined,
      finish: () => undefined,
      abort: () => undefined,
    };
    const host = openPreview1({ stdin, stdout });
    stream(host, 0, "read", 0);
    clock(host, 1, 1n << 60n);
    const waiting = poll(host, 2);
    hasInput = true;
    came.resolve();
    expect([await waiting, events(host)]).toEqual([0, [[1n, 0, 1, 1n]]]);
    stream(host, 0, "write", 1);
    const forRoom = poll(host, 2);
    bytes = 7;
    room.resolve();
    expect([await forRoom, events(host)]).toEqual([0, [[1n, 0, 2, 7n]]]);
    bytes = undefined;
    expect([await poll(host, 1), events(host)]).toEqual([0, [[1n, ERRNO.pipe, 2, 0n]]]);
  });

  it("lets others run when it is asked in a loop", () => {
    const host = openPreview1();
    clock(host, 0, 0n);
    const answers = Array.from({ length: 100 }, () => host.call("poll_oneoff", 0, EVENTS, 1, COUNT));
    expect(answers.filter((errno) => errno === -1).length).toBeGreaterThanOrEqual(3);
    expect(new Set(answers)).toEqual(new Set([0, -1]));
  });

  it("refuses none, too many, what is no subscription, and addresses outside memory", async () => {
    const host = openPreview1();
    expect([await poll(host, 0), await poll(host, 4_097)]).toEqual([ERRNO.inval, ERRNO.inval]);
    clock(host, 0, 0n);
    const at = (...values: number[]): number => host.call("poll_oneoff", ...values);
    expect([at(65_500, EVENTS, 1, COUNT), at(0, 65_510, 1, COUNT), at(0, EVENTS, 1, 65_533)]).toEqual([21, 21, 21]);
    host.view().setUint8(8, 3);
    expect(at(0, EVENTS, 1, COUNT)).toBe(ERRNO.inval);
  });
});
