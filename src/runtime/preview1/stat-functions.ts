/** The functions of preview 1 that tell what a descriptor is, and what is in a directory. */
import type { FileStat, FileType, NewTime } from "../files/descriptor.ts";
import { RIGHT } from "./descriptor-rights.ts";
import { assertRight, type AnyDescriptor, type DirectoryDescriptor, type ListedEntry } from "./descriptor-table.ts";
import { ERRNO, Preview1Error } from "./errno.ts";
import type { FdDeps } from "./fd-functions.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { HostFunctions } from "./host-functions.ts";

const FDSTAT_BYTES = 24;
const PRESTAT_BYTES = 8;
const DIRENT_BYTES = 24;

/** Size of a `filestat`. */
export const FILESTAT_BYTES = 64;

const FILETYPE: Readonly<Record<FileType, number>> = {
  unknown: 0,
  "block-device": 1,
  "character-device": 2,
  directory: 3,
  "regular-file": 4,
  // Preview 1 has two kinds of socket and no pipe.
  socket: 6,
  "symbolic-link": 7,
  fifo: 0,
};

/** Makes the functions. */
export function statFunctions({ memory, table }: Pick<FdDeps, "memory" | "table">): HostFunctions {
  function preopenPath(fd: number): Buffer {
    const descriptor = table.get(fd);
    if (descriptor.kind !== "directory" || descriptor.preopenPath === undefined) throw new Preview1Error(ERRNO.badf);
    return Buffer.from(descriptor.preopenPath);
  }

  return {
    fd_fdstat_get(fd: number, result: number) {
      const descriptor = table.get(fd);
      memory.bytes(result, FDSTAT_BYTES).fill(0);
      memory.setU8(result, FILETYPE[typeOf(descriptor)]);
      memory.setU16((result >>> 0) + 2, descriptor.flags);
      memory.setU64((result >>> 0) + 8, descriptor.rights.base);
      memory.setU64((result >>> 0) + 16, descriptor.rights.inheriting);
      return ERRNO.success;
    },
    fd_filestat_get(fd: number, result: number) {
      const descriptor = table.get(fd);
      assertRight(descriptor, RIGHT.fdFilestatGet);
      memory.assertRoom(result, FILESTAT_BYTES);
      if (descriptor.kind === "file") writeFilestat(memory, result, descriptor.file.stat());
      else if (descriptor.kind === "directory") writeFilestat(memory, result, descriptor.directory.stat());
      else memory.bytes(result, FILESTAT_BYTES).fill(0);
      return ERRNO.success;
    },
    fd_filestat_set_times(fd: number, accessed: bigint, modified: bigint, flags: number) {
      const descriptor = table.get(fd);
      if (descriptor.kind !== "file" && descriptor.kind !== "directory") return ERRNO.inval;
      assertRight(descriptor, RIGHT.fdFilestatSetTimes);
      const times = newTimes(accessed, modified, flags);
      (descriptor.kind === "file" ? descriptor.file : descriptor.directory).setTimes(times.accessed, times.modified);
      return ERRNO.success;
    },
    fd_prestat_get(fd: number, result: number) {
      const path = preopenPath(fd);
      memory.bytes(result, PRESTAT_BYTES).fill(0);
      memory.setU32((result >>> 0) + 4, path.length);
      return ERRNO.success;
    },
    fd_prestat_dir_name(fd: number, buffer: number, length: number) {
      const path = preopenPath(fd);
      const target = memory.bytes(buffer, length);
      if (target.length < path.length) return ERRNO.nametoolong;
      target.set(path);
      return ERRNO.success;
    },
    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, result: number) {
      const descriptor = table.directory(fd, RIGHT.fdReaddir);
      memory.assertRoom(result, 4);
      const target = memory.bytes(buffer, length);
      const entries = listingOf(descriptor, cookie);
      let used = 0;
      for (let index = Number(BigInt.asUintN(53, cookie)); index < entries.length && used < target.length; index++) {
        const entry = entries[index];
        if (entry === undefined) break;
        // The last one is cut off: that the buffer is full tells the guest that there is more.
        const bytes = direntBytes(entry, index, descriptor).subarray(0, target.length - used);
        target.set(bytes, used);
        used += bytes.length;
      }
      memory.setU32(result, used);
      return ERRNO.success;
    },
  };
}

/** Writes a `filestat`; the caller has checked that there is room. */
export function writeFilestat(memory: GuestMemory, result: number, stat: FileStat): void {
  const at = result >>> 0;
  memory.bytes(at, FILESTAT_BYTES).fill(0);
  memory.setU64(at, stat.device);
  memory.setU64(at + 8, stat.inode);
  memory.setU8(at + 16, FILETYPE[stat.type]);
  memory.setU64(at + 24, stat.linkCount);
  memory.setU64(at + 32, stat.size);
  memory.setU64(at + 40, stat.accessedNs);
  memory.setU64(at + 48, stat.modifiedNs);
  memory.setU64(at + 56, stat.changedNs);
}

const FSTFLAG = { accessed: 1, accessedNow: 2, modified: 4, modifiedNow: 8 } as const;
const ALL_FSTFLAGS = 15;

/** What to do about the two times of a file. */
export function newTimes(
  accessed: bigint,
  modified: bigint,
  flags: number,
): { readonly accessed: NewTime; readonly modified: NewTime } {
  if ((flags & ~ALL_FSTFLAGS) !== 0) throw new Preview1Error(ERRNO.inval);
  const one = (timeNs: bigint, isSet: boolean, isNow: boolean): NewTime => {
    if (isSet && isNow) throw new Preview1Error(ERRNO.inval);
    if (isNow) return { kind: "now" };
    return isSet ? { kind: "at", timeNs: BigInt.asUintN(64, timeNs) } : { kind: "keep" };
  };
  return {
    accessed: one(accessed, (flags & FSTFLAG.accessed) !== 0, (flags & FSTFLAG.accessedNow) !== 0),
    modified: one(modified, (flags & FSTFLAG.modified) !== 0, (flags & FSTFLAG.modifiedNow) !== 0),
  };
}

/** Streams are of no known type: neither a terminal nor a file. */
function typeOf(descriptor: AnyDescriptor): FileType {
  if (descriptor.kind === "file") return "regular-file";
  return descriptor.kind === "directory" ? "directory" : "unknown";
}

/** A cookie is an index into the listing that was made when the guest began at 0. */
function listingOf(descriptor: DirectoryDescriptor, cookie: bigint): readonly ListedEntry[] {
  const { directory } = descriptor;
  // Asked every time, for the right to see the directory may have been taken meanwhile.
  const { inode } = directory.stat();
  if (cookie !== 0n && descriptor.listing !== undefined) return descriptor.listing;
  descriptor.listing = [
    { name: ".", type: "directory", inode },
    // Its inode would tell of what may be outside of the granted folder.
    { name: "..", type: "directory", inode: 0n },
    ...directory.list().map((entry) => ({ ...entry, inode: undefined })),
  ];
  return descriptor.listing;
}

function direntBytes({ name, type, inode }: ListedEntry, index: number, { directory }: DirectoryDescriptor): Buffer {
  const nameBytes = Buffer.from(name);
  const bytes = Buffer.alloc(DIRENT_BYTES + nameBytes.length);
  bytes.writeBigUInt64LE(BigInt(index + 1), 0);
  bytes.writeBigUInt64LE(inode ?? directory.inodeAt(name), 8);
  bytes.writeUInt32LE(nameBytes.length, 16);
  bytes.writeUInt8(FILETYPE[type], 20);
  bytes.set(nameBytes, DIRENT_BYTES);
  return bytes;
}
