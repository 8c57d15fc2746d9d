/** The functions of preview 1 on a memory of one page, called as a guest would. */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { LocalRights } from "../../../src/providers/local-rights.ts";
import type { CoreFunction } from "../../../src/runtime/component/jspi.ts";
import { createPreview1, type Preview1 } from "../../../src/runtime/preview1/preview1.ts";
import { openMemoryLine, type MemoryLine, type MemoryLineOptions } from "./memory-line.ts";

/** See the top of the file. */
export type Preview1Host = {
  readonly preview1: Preview1;
  readonly line: MemoryLine;
  readonly memory: WebAssembly.Memory;
  readonly view: () => DataView;
  /** Calls a function; `-1` stands for a promise, whose value `last` gives. */
  readonly call: (name: string, ...values: (number | bigint)[]) => number;
  readonly waited: () => Promise<number>;
  /** Puts a text into memory and gives its address and length. */
  readonly put: (text: string) => [number, number];
  readonly text: (address: number, length: number) => string;
  /** Opens a path below descriptor 3 and gives its number, or throws its error number. */
  readonly open: (path: string, how?: OpenBits) => number;
  /** Writes one piece, or reads one into memory. */
  readonly write: (fd: number, text: string) => number;
  readonly read: (fd: number, length: number) => string;
  /** The host's folder that the guest sees as `/`. */
  readonly folder: string;
};

/** Arguments of `path_open`. */
export type OpenBits = {
  readonly dir?: number;
  readonly lookup?: number;
  readonly oflags?: number;
  readonly rights?: bigint;
  readonly flags?: number;
};

/** Where results go, pieces stand, and texts are put. */
export const RESULT = 8;
export const PIECES = 64;
const TEXT = 4_096;
const BUFFER = 16_384;

/** Rights to read and to write, as `path_open` takes them. */
export const READ_WRITE: bigint = 0x42n;

/** Opens it, with one granted folder. */
export function openPreview1(options: MemoryLineOptions & { readonly openHandlesMax?: number } = {}): Preview1Host {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "preview1-")));
  const rights: LocalRights = {
    env: {},
    folders: [{ guestPath: "/", hostPath: folder, canRead: true, canWrite: true, deniedPaths: [] }],
    ...options.rights,
  };
  const line = openMemoryLine({ ...options, rights });
  const preview1 = createPreview1({ line, openHandlesMax: options.openHandlesMax ?? 100 });
  onTestFinished(() => {
    preview1.dispose();
    preview1.dispose();
    rmSync(folder, { recursive: true });
  });
  const memory = new WebAssembly.Memory({ initial: 1 });
  preview1.attachMemory(memory);
  const view = (): DataView => new DataView(memory.buffer);
  const bytes = (): Buffer => Buffer.from(memory.buffer);
  let pending: Promise<number> = Promise.resolve(-1);

  const call = (name: string, ...values: (number | bigint)[]): number => {
    const carryOut: unknown = preview1.imports[name];
    if (!isCoreFunction(carryOut)) throw new Error(`no function ${name}`);
    const given = carryOut(...values);
    if (typeof given === "number") return given;
    pending = Promise.resolve(given).then(Number);
    return -1;
  };
  const put = (text: string): [number, number] => [TEXT, bytes().write(text, TEXT)];
  const piece = (length: number): void => {
    view().setUint32(PIECES, BUFFER, true);
    view().setUint32(PIECES + 4, length, true);
  };
  return {
    preview1,
    line,
    memory,
    view,
    call,
    waited: () => pending,
    put,
    text: (address, length) => bytes().toString("utf8", address, address + length),
    open(path, { dir = 3, lookup = 1, oflags = 0, rights: base = READ_WRITE, flags = 0 } = {}) {
      const errno = call("path_open", dir, lookup, ...put(path), oflags, base, 0n, flags, RESULT);
      if (errno !== 0) throw new Error(`errno ${errno}`);
      return view().getUint32(RESULT, true);
    },
    write(fd, text) {
      piece(bytes().write(text, BUFFER));
      return call("fd_write", fd, PIECES, 1, RESULT);
    },
    read(fd, length) {
      piece(length);
      const errno = call("fd_read", fd, PIECES, 1, RESULT);
      if (errno !== 0) throw new Error(`errno ${errno}`);
      return bytes().toString("utf8", BUFFER, BUFFER + view().getUint32(RESULT, true));
    },
    folder,
  };
}

function isCoreFunction(value: unknown): value is CoreFunction {
  return typeof value === "function";
}
