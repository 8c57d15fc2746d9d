/** The `fd_*` functions of preview 1 about data: reading, writing, positions, sizes; and the descriptors themselves. */
import { copyOf, WRITE_MAX_BYTES, type StandardStreams } from "./standard-streams.ts";
import { assertRight, FDFLAG, type DescriptorTable, type FileDescriptor } from "./descriptor-table.ts";
import { RIGHT } from "./descriptor-rights.ts";
import { ERRNO, Preview1Error } from "./errno.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { HostFunctions } from "./host-functions.ts";

/** What these functions work on. */
export type FdDeps = {
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
  readonly streams: StandardStreams;
};

const WHENCE = { set: 0, current: 1, end: 2 } as const;
const ADVICES = 6;
const OFFSET_MAX = (1n << 63n) - 1n;
const SYNC_FLAGS = FDFLAG.dsync | FDFLAG.rsync | FDFLAG.sync;
const ALL_FLAGS = SYNC_FLAGS | FDFLAG.append | FDFLAG.nonblock;

/** Makes the functions. */
export function fdFunctions({ memory, table, streams }: FdDeps): HostFunctions {
  /** Reads into the pieces one after the other, until one is not filled. */
  function readFile({ file }: FileDescriptor, pieces: number, count: number, from: bigint): number {
    let total = 0;
    for (const piece of memory.pieces(pieces, count)) {
      const read = file.read(piece, from + BigInt(total));
      total += read;
      if (read < piece.length) break;
    }
    return total;
  }

  function writeFile(descriptor: FileDescriptor, pieces: number, count: number, at: bigint | "end"): number {
    const parts = memory.pieces(pieces, count);
    const [only] = parts;
    const bytes = only !== undefined && parts.length === 1 ? only : copyOf(parts, WRITE_MAX_BYTES);
    return at === "end" ? descriptor.file.append(bytes) : descriptor.file.write(bytes, at);
  }

  function done(result: number, bytes: number): number {
    memory.setU32(result, bytes);
    return ERRNO.success;
  }

  return {
    fd_read(fd: number, pieces: number, count: number, result: number) {
      const descriptor = table.get(fd);
      if (descriptor.kind === "directory") return ERRNO.isdir;
      assertRight(descriptor, RIGHT.fdRead);
      if (descriptor.kind !== "file") return streams.read(descriptor, { pieces, count, result });
      memory.assertRoom(result, 4);
      const total = readFile(descriptor, pieces, count, descriptor.offset);
      descriptor.offset += BigInt(total);
      return done(result, total);
    },
    fd_pread(fd: number, pieces: number, count: number, offset: bigint, result: number) {
      const descriptor = table.file(fd, RIGHT.fdRead);
      memory.assertRoom(result, 4);
      return done(result, readFile(descriptor, pieces, count, checkedOffset(offset)));
    },
    fd_write(fd: number, pieces: number, count: number, result: number) {
      const descriptor = table.get(fd);
      if (descriptor.kind === "directory") return ERRNO.isdir;
      assertRight(descriptor, RIGHT.fdWrite);
      if (descriptor.kind !== "file") return streams.write(descriptor, { pieces, count, result });
      memory.assertRoom(result, 4);
      const isAppending = (descriptor.flags & FDFLAG.append) !== 0;
      const total = writeFile(descriptor, pieces, count, isAppending ? "end" : descriptor.offset);
      descriptor.offset = isAppending ? descriptor.file.size() : descriptor.offset + BigInt(total);
      return done(result, total);
    },
    fd_pwrite(fd: number, pieces: number, count: number, offset: bigint, result: number) {
      const descriptor = table.file(fd, RIGHT.fdWrite);
      memory.assertRoom(result, 4);
      return done(result, writeFile(descriptor, pieces, count, checkedOffset(offset)));
    },
    fd_seek(fd: number, offset: bigint, whence: number, result: number) {
      const isTelling = whence === WHENCE.current && offset === 0n;
      const descriptor = table.file(fd, isTelling ? RIGHT.fdTell : RIGHT.fdSeek);
      memory.assertRoom(result, 8);
      const position = positionOf(descriptor, whence) + offset;
      if (position < 0n) return ERRNO.inval;
      if (position > OFFSET_MAX) return ERRNO.overflow;
      descriptor.offset = position;
      memory.setU64(result, position);
      return ERRNO.success;
    },
    fd_tell(fd: number, result: number) {
      memory.setU64(result, table.file(fd, RIGHT.fdTell).offset);
      return ERRNO.success;
    },
    fd_advise(fd: number, offset: bigint, length: bigint, advice: number) {
      // Advice need not be taken; the host has no call for it.
      table.file(fd, RIGHT.fdAdvise);
      checkedOffset(offset + BigInt.asUintN(64, length));
      return advice >>> 0 < ADVICES ? ERRNO.success : ERRNO.inval;
    },
    fd_allocate(fd: number, offset: bigint, length: bigint) {
      const { file } = table.file(fd, RIGHT.fdAllocate);
      const end = checkedOffset(offset) + BigInt.asUintN(64, length);
      if (length === 0n) return ERRNO.inval;
      if (end > OFFSET_MAX) return ERRNO.fbig;
      if (file.size() < end) file.setSize(end);
      return ERRNO.success;
    },
    fd_filestat_set_size(fd: number, bytes: bigint) {
      table.file(fd, RIGHT.fdFilestatSetSize).file.setSize(BigInt.asUintN(64, bytes));
      return ERRNO.success;
    },
    fd_sync: (fd: number) => syncDescriptor(fd, "all"),
    fd_datasync: (fd: number) => syncDescriptor(fd, "data"),
    fd_fdstat_set_flags(fd: number, flags: number) {
      const descriptor = table.get(fd);
      assertRight(descriptor, RIGHT.fdFdstatSetFlags);
      if ((flags & ~ALL_FLAGS) !== 0) return ERRNO.inval;
      // How a file is written to the disk is settled when it is opened.
      if (((flags ^ descriptor.flags) & SYNC_FLAGS) !== 0) return ERRNO.notsup;
      descriptor.flags = flags;
      return ERRNO.success;
    },
    fd_fdstat_set_rights(fd: number, base: bigint, inheriting: bigint) {
      const descriptor = table.get(fd);
      const wanted = { base: BigInt.asUintN(64, base), inheriting: BigInt.asUintN(64, inheriting) };
      const { rights } = descriptor;
      if ((wanted.base & ~rights.base) !== 0n || (wanted.inheriting & ~rights.inheriting) !== 0n) {
        return ERRNO.notcapable;
      }
      descriptor.rights = wanted;
      return ERRNO.success;
    },
    fd_close(fd: number) {
      table.close(fd);
      return ERRNO.success;
    },
    fd_renumber(from: number, to: number) {
      table.renumber(from, to);
      return ERRNO.success;
    },
  };

  function syncDescriptor(fd: number, what: "data" | "all"): number {
    const descriptor = table.get(fd);
    if (descriptor.kind !== "file" && descriptor.kind !== "directory") return ERRNO.inval;
    assertRight(descriptor, what === "data" ? RIGHT.fdDatasync : RIGHT.fdSync);
    (descriptor.kind === "file" ? descriptor.file : descriptor.directory).sync(what);
    return ERRNO.success;
  }
}

function positionOf({ file, offset }: FileDescriptor, whence: number): bigint {
  switch (whence) {
    case WHENCE.set:
      return 0n;
    case WHENCE.current:
      return offset;
    case WHENCE.end:
      return file.size();
    default:
      throw new Preview1Error(ERRNO.inval);
  }
}

/** An offset is a signed number in every system; one that looks negative is no offset. */
function checkedOffset(offset: bigint): bigint {
  const unsigned = BigInt.asUintN(64, offset);
  if (unsigned > OFFSET_MAX) throw new Preview1Error(ERRNO.inval);
  return unsigned;
}
