/**
 * What a guest has open: files and directories below its granted folders. The contract under `wasi:filesystem` and
 * preview 1. Everything is synchronous and throws a `FileError`; offsets and sizes are in bytes, times in nanoseconds
 * since the Unix epoch.
 */

/** What stands at a path. */
export type FileType =
  | "regular-file"
  | "directory"
  | "symbolic-link"
  | "block-device"
  | "character-device"
  | "fifo"
  | "socket"
  | "unknown";

/** What the host says of a file, directory or symlink. */
export type FileStat = {
  readonly type: FileType;
  readonly device: bigint;
  readonly inode: bigint;
  readonly linkCount: bigint;
  readonly size: bigint;
  readonly accessedNs: bigint;
  readonly modifiedNs: bigint;
  readonly changedNs: bigint;
};

/** A time to set. */
export type NewTime =
  | { readonly kind: "keep" }
  | { readonly kind: "now" }
  | { readonly kind: "at"; readonly timeNs: bigint };

/** How much of a write must have reached the disk when the call returns: nothing, the data, or the metadata as well. */
export type WriteSync = "none" | "data" | "all";

/** Same for the same file as long as it exists; guests use it as an inode number. */
export type MetadataHash = { readonly lower: bigint; readonly upper: bigint };

/** How to open what a path names. */
export type OpenHow = {
  /** Whether a symlink at the end is followed; if not, one makes `loop`. */
  readonly follow: boolean;
  /** For files: `read` what is in it, `write` to it. With neither it can only be asked about. */
  readonly read: boolean;
  readonly write: boolean;
  /** Makes an empty file if there is nothing. */
  readonly create: boolean;
  /** With `create`: there must be nothing. */
  readonly exclusive: boolean;
  /** Makes the file empty. */
  readonly truncate: boolean;
  /** It must be a directory. */
  readonly directory: boolean;
  readonly sync: WriteSync;
};

/** What both kinds can do. */
interface Opened {
  stat(): FileStat;
  setTimes(accessed: NewTime, modified: NewTime): void;
  /** Writes to the disk what the system still holds back of it. */
  sync(what: "data" | "all"): void;
  metadataHash(): MetadataHash;
  isSameObject(other: Descriptor): boolean;
  /** Closes it on the host. May be called twice; every other call then throws `bad-descriptor`. */
  close(): void;
}

/** An open file. */
export interface OpenFile extends Opened {
  readonly kind: "file";
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly writeSync: WriteSync;
  /** Fills as much of `into` as there is from `offset` on; 0 at the end. */
  read(into: Uint8Array, offset: bigint): number;
  /** Writes at `offset`; returns how many bytes were written, which is all of them unless the disk is full. */
  write(bytes: Uint8Array, offset: bigint): number;
  /** Writes at the end, wherever that is by now. */
  append(bytes: Uint8Array): number;
  /** For who may do nothing but write as well, unlike `stat`. */
  size(): bigint;
  setSize(bytes: bigint): void;
}

/** An open directory. Paths are relative to it and never lead out of it. */
export interface OpenDirectory extends Opened {
  readonly kind: "directory";
  /** What is in it, without `.` and `..`, and without names that are not Unicode. Throws `overflow` beyond `DIRECTORY_ENTRIES_MAX`. */
  list(): readonly DirectoryEntry[];
  /** Inode of an entry that `list` gave; 0 if it is gone. Not counted as an operation of its own. */
  inodeAt(name: string): bigint;
  openAt(path: string, how: OpenHow): Descriptor;
  statAt(path: string, follow: boolean): FileStat;
  setTimesAt(path: string, follow: boolean, accessed: NewTime, modified: NewTime): void;
  metadataHashAt(path: string, follow: boolean): MetadataHash;
  createDirectoryAt(path: string): void;
  removeDirectoryAt(path: string): void;
  unlinkFileAt(path: string): void;
  readlinkAt(path: string): string;
  /** `target` is relative, and is looked at only when somebody follows the link. */
  symlinkAt(target: string, path: string): void;
  /** A symlink at the end of `path` is itself linked. Nothing may be gained: what may be done at the new place must be permitted at the old one. */
  linkAt(path: string, to: OpenDirectory, newPath: string): void;
  /** As for `linkAt`, nothing may be gained by it. */
  renameAt(path: string, to: OpenDirectory, newPath: string): void;
}

/** One entry of a directory. */
export type DirectoryEntry = { readonly name: string; readonly type: FileType };

/** A file or a directory. */
export type Descriptor = OpenFile | OpenDirectory;

/** Most entries that `list` gives. */
export const DIRECTORY_ENTRIES_MAX = 262_144;
