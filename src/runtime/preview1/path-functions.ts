/** The `path_*` functions of preview 1. */
import type { Descriptor, OpenHow, WriteSync } from "../files/descriptor.ts";
import { directoryRights, fileRights, RIGHT } from "./descriptor-rights.ts";
import { FDFLAG, type DescriptorTable, type DirectoryDescriptor } from "./descriptor-table.ts";
import { ERRNO, Preview1Error } from "./errno.ts";
import type { FdDeps } from "./fd-functions.ts";
import type { HostFunctions } from "./host-functions.ts";
import { FILESTAT_BYTES, newTimes, writeFilestat } from "./stat-functions.ts";

const LOOKUP_FOLLOW = 1;
const OFLAG = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;
const ALL_OFLAGS = 15;
const ALL_FDFLAGS = 31;

/** Makes the functions. */
export function pathFunctions({ memory, table }: Pick<FdDeps, "memory" | "table">): HostFunctions {
  /** Carries out something that takes a directory, a right, one path, and gives nothing back. */
  const onPath = (fd: number, right: bigint, path: number, length: number, act: PathAct): number => {
    const { directory } = table.directory(fd, right);
    act(directory, memory.path(path, length));
    return ERRNO.success;
  };

  return {
    path_create_directory: (fd: number, path: number, length: number) =>
      onPath(fd, RIGHT.pathCreateDirectory, path, length, (directory, text) => directory.createDirectoryAt(text)),
    path_remove_directory: (fd: number, path: number, length: number) =>
      onPath(fd, RIGHT.pathRemoveDirectory, path, length, (directory, text) => directory.removeDirectoryAt(text)),
    path_unlink_file: (fd: number, path: number, length: number) =>
      onPath(fd, RIGHT.pathUnlinkFile, path, length, (directory, text) => directory.unlinkFileAt(text)),
    path_filestat_get(fd: number, lookup: number, path: number, length: number, result: number) {
      memory.assertRoom(result, FILESTAT_BYTES);
      return onPath(fd, RIGHT.pathFilestatGet, path, length, (directory, text) =>
        writeFilestat(memory, result, directory.statAt(text, isFollowing(lookup))),
      );
    },
    path_filestat_set_times(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      accessed: bigint,
      modified: bigint,
      flags: number,
    ) {
      const times = newTimes(accessed, modified, flags);
      return onPath(fd, RIGHT.pathFilestatSetTimes, path, length, (directory, text) =>
        directory.setTimesAt(text, isFollowing(lookup), times.accessed, times.modified),
      );
    },
    path_symlink(target: number, targetLength: number, fd: number, path: number, length: number) {
      return onPath(fd, RIGHT.pathSymlink, path, length, (directory, text) =>
        directory.symlinkAt(memory.path(target, targetLength), text),
      );
    },
    path_readlink(fd: number, path: number, length: number, buffer: number, bufferLength: number, result: number) {
      const target = memory.bytes(buffer, bufferLength);
      memory.assertRoom(result, 4);
      return onPath(fd, RIGHT.pathReadlink, path, length, (directory, text) => {
        const link = Buffer.from(directory.readlinkAt(text)).subarray(0, target.length);
        target.set(link);
        memory.setU32(result, link.length);
      });
    },
    path_link(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      newFd: number,
      newPath: number,
      newLength: number,
    ) {
      const to = table.directory(newFd, RIGHT.pathLinkTarget);
      // A link to a symlink's target is something that no system offers without a race.
      if (isFollowing(lookup)) return ERRNO.inval;
      return onPath(fd, RIGHT.pathLinkSource, path, length, (directory, text) =>
        directory.linkAt(text, to.directory, memory.path(newPath, newLength)),
      );
    },
    path_rename(fd: number, path: number, length: number, newFd: number, newPath: number, newLength: number) {
      const to = table.directory(newFd, RIGHT.pathRenameTarget);
      return onPath(fd, RIGHT.pathRenameSource, path, length, (directory, text) =>
        directory.renameAt(text, to.directory, memory.path(newPath, newLength)),
      );
    },
    path_open(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      oflags: number,
      base: bigint,
      _inheriting: bigint,
      flags: number,
      result: number,
    ) {
      const through = table.directory(fd, RIGHT.pathOpen);
      memory.assertRoom(result, 4);
      const requested = BigInt.asUintN(64, base);
      const how = howToOpen(through, lookup, oflags, requested, flags);
      const opened = through.directory.openAt(memory.path(path, length), how);
      memory.setU32(result, added(table, opened, through, requested, flags));
      return ERRNO.success;
    },
  };
}

type PathAct = (directory: DirectoryDescriptor["directory"], path: string) => void;

function isFollowing(lookup: number): boolean {
  if ((lookup & ~LOOKUP_FOLLOW) !== 0) throw new Preview1Error(ERRNO.inval);
  return lookup === LOOKUP_FOLLOW;
}

function howToOpen(
  through: DirectoryDescriptor,
  lookup: number,
  oflags: number,
  requested: bigint,
  flags: number,
): OpenHow {
  if ((oflags & ~ALL_OFLAGS) !== 0 || (flags & ~ALL_FDFLAGS) !== 0) throw new Preview1Error(ERRNO.inval);
  const { rights } = through;
  const data = RIGHT.fdRead | RIGHT.fdWrite;
  const lacks =
    ((oflags & OFLAG.create) !== 0 && (rights.base & RIGHT.pathCreateFile) === 0n) ||
    ((oflags & OFLAG.truncate) !== 0 && (rights.base & RIGHT.pathFilestatSetSize) === 0n) ||
    (requested & data & ~rights.inheriting) !== 0n;
  if (lacks) throw new Preview1Error(ERRNO.notcapable);
  return {
    follow: isFollowing(lookup),
    read: (requested & RIGHT.fdRead) !== 0n,
    write: (requested & RIGHT.fdWrite) !== 0n,
    create: (oflags & OFLAG.create) !== 0,
    exclusive: (oflags & OFLAG.exclusive) !== 0,
    truncate: (oflags & OFLAG.truncate) !== 0,
    directory: (oflags & OFLAG.directory) !== 0,
    sync: syncOf(flags),
  };
}

function syncOf(flags: number): WriteSync {
  if ((flags & (FDFLAG.sync | FDFLAG.rsync)) !== 0) return "all";
  return (flags & FDFLAG.dsync) === 0 ? "none" : "data";
}

/** Gives a number to what was opened. */
function added(
  table: DescriptorTable,
  opened: Descriptor,
  { rights }: DirectoryDescriptor,
  requested: bigint,
  flags: number,
): number {
  return opened.kind === "file"
    ? table.add({ kind: "file", file: opened, offset: 0n, flags, rights: fileRights(rights, requested) })
    : table.add({
        kind: "directory",
        directory: opened,
        preopenPath: undefined,
        listing: undefined,
        flags: 0,
        rights: directoryRights(rights),
      });
}
