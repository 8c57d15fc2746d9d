/** The `fd_*`, `path_*` and `sock_*` functions of preview 1, for a guest that has three standard streams and nothing else. */
import { ERRNO } from "./preview1-errno.ts";
import type { GuestMemory, Preview1Options } from "./preview1.ts";

type HostFunction = (...values: number[]) => number;

const FILETYPE_UNKNOWN = 0;
const FDFLAG_APPEND = 1;
const RIGHT = { read: 1n << 1n, write: 1n << 6n, pollReadWrite: 1n << 27n } as const;
const FDSTAT_BYTES = 24;
const FILESTAT_BYTES = 64;
const IOVECS_MAX = 1024;

/** Pieces may overlap, so all together may be far larger than memory; more than this is written in part, as the standard allows. */
const WRITE_MAX_BYTES = 1024 * 1024;

/** Makes the functions; those that are left out answer `badf`. */
export function descriptorFunctions(
  memory: GuestMemory,
  { stdin, write }: Pick<Preview1Options, "stdin" | "write">,
): Record<string, HostFunction> {
  const open = new Set([0, 1, 2]);
  let stdinOffset = 0;

  /** Answers `errno` for an open standard stream, and `badf` for every other descriptor. */
  const onStream =
    (errno: number): HostFunction =>
    (fd = -1) =>
      open.has(fd) ? errno : ERRNO.badf;

  function read(fd: number, vectors: number, vectorCount: number, result: number): number {
    if (!open.has(fd)) return ERRNO.badf;
    if (fd !== 0) return ERRNO.notcapable;
    if (vectorCount > IOVECS_MAX) return ERRNO.inval;
    let total = 0;
    for (const target of ioVectors(memory, vectors, vectorCount)) {
      const piece = stdin.subarray(stdinOffset, stdinOffset + target.length);
      target.set(piece);
      stdinOffset += piece.length;
      total += piece.length;
    }
    memory.view.setUint32(result, total, true);
    return ERRNO.success;
  }

  function writeOut(fd: number, vectors: number, vectorCount: number, result: number): number {
    if (!open.has(fd)) return ERRNO.badf;
    if (fd === 0) return ERRNO.notcapable;
    if (vectorCount > IOVECS_MAX) return ERRNO.inval;
    const pieces = firstBytes(ioVectors(memory, vectors, vectorCount), WRITE_MAX_BYTES);
    const total = pieces.reduce((sum, piece) => sum + piece.length, 0);
    memory.view.setUint32(result, total, true);
    // One write for one call, so that a line printed from several pieces stays whole.
    if (total > 0)
      write(
        fd === 1 ? "stdout" : "stderr",
        pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : joined(pieces, total),
      );
    return ERRNO.success;
  }

  return {
    fd_read: (fd = -1, vectors = 0, count = 0, result = 0) => read(fd, vectors, count, result),
    fd_write: (fd = -1, vectors = 0, count = 0, result = 0) => writeOut(fd, vectors, count, result),
    fd_close: (fd = -1) => (open.delete(fd) ? ERRNO.success : ERRNO.badf),
    fd_fdstat_get(fd = -1, result = 0) {
      if (!open.has(fd)) return ERRNO.badf;
      memory.bytes.fill(0, result, result + FDSTAT_BYTES);
      memory.view.setUint8(result, FILETYPE_UNKNOWN);
      memory.view.setUint16(result + 2, fd === 0 ? 0 : FDFLAG_APPEND, true);
      memory.view.setBigUint64(result + 8, RIGHT.pollReadWrite | (fd === 0 ? RIGHT.read : RIGHT.write), true);
      return ERRNO.success;
    },
    fd_filestat_get(fd = -1, result = 0) {
      if (!open.has(fd)) return ERRNO.badf;
      memory.view.setUint8(result + FILESTAT_BYTES - 1, 0);
      memory.bytes.fill(0, result, result + FILESTAT_BYTES);
      return ERRNO.success;
    },
    fd_fdstat_set_flags: onStream(ERRNO.notsup),
    fd_fdstat_set_rights: onStream(ERRNO.success),
    fd_seek: onStream(ERRNO.spipe),
    fd_tell: onStream(ERRNO.spipe),
    fd_pread: onStream(ERRNO.spipe),
    fd_pwrite: onStream(ERRNO.spipe),
    fd_advise: onStream(ERRNO.spipe),
    fd_allocate: onStream(ERRNO.notcapable),
    fd_datasync: onStream(ERRNO.notsup),
    fd_sync: onStream(ERRNO.notsup),
    fd_filestat_set_size: onStream(ERRNO.notcapable),
    fd_filestat_set_times: onStream(ERRNO.notcapable),
    fd_readdir: onStream(ERRNO.notdir),
    fd_renumber: (from = -1, to = -1) => (open.has(from) && open.has(to) ? ERRNO.notsup : ERRNO.badf),
    path_create_directory: onStream(ERRNO.notdir),
    path_filestat_get: onStream(ERRNO.notdir),
    path_filestat_set_times: onStream(ERRNO.notdir),
    path_link: onStream(ERRNO.notdir),
    path_open: onStream(ERRNO.notdir),
    path_readlink: onStream(ERRNO.notdir),
    path_remove_directory: onStream(ERRNO.notdir),
    path_rename: onStream(ERRNO.notdir),
    path_symlink: (_target = 0, _length = 0, fd = -1) => (open.has(fd) ? ERRNO.notdir : ERRNO.badf),
    path_unlink_file: onStream(ERRNO.notdir),
    sock_accept: onStream(ERRNO.notsock),
    sock_recv: onStream(ERRNO.notsock),
    sock_send: onStream(ERRNO.notsock),
    sock_shutdown: onStream(ERRNO.notsock),
  };
}

/** The pieces of memory that an array of (address, length) pairs names; a piece outside it throws a `RangeError`. */
function ioVectors(memory: GuestMemory, start: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => {
    const address = memory.view.getUint32(start + index * 8, true);
    const length = memory.view.getUint32(start + index * 8 + 4, true);
    if (address + length > memory.bytes.length) throw new RangeError("a piece is outside the memory");
    return memory.bytes.subarray(address, address + length);
  });
}

/** The pieces that are not empty, cut off after `maxBytes`. */
function firstBytes(pieces: readonly Uint8Array[], maxBytes: number): Uint8Array[] {
  let left = maxBytes;
  return pieces.flatMap((piece) => {
    const taken = piece.subarray(0, left);
    left -= taken.length;
    return taken.length > 0 ? [taken] : [];
  });
}

function joined(pieces: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
