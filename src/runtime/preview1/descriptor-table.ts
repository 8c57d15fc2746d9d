/** The descriptors of a guest: numbers for what it has open. */
import type { DirectoryEntry, OpenDirectory, OpenFile } from "../files/descriptor.ts";
import { type DescriptorRights, RIGHT } from "./descriptor-rights.ts";
import { ERRNO, Preview1Error } from "./errno.ts";

/** Bits of `fdflags`. */
export const FDFLAG = { append: 1, dsync: 2, nonblock: 4, rsync: 8, sync: 16 } as const;

/** What every descriptor has. */
type Described = {
  rights: DescriptorRights;
  /** Of `FDFLAG`. */
  flags: number;
};

/** A standard stream. */
export type StreamDescriptor = Described & { readonly kind: "stdin" | "stdout" | "stderr" };

/** An open file, with the position that `fd_read` and `fd_write` move. */
export type FileDescriptor = Described & { readonly kind: "file"; readonly file: OpenFile; offset: bigint };

/** An open directory. */
export type DirectoryDescriptor = Described & {
  readonly kind: "directory";
  readonly directory: OpenDirectory;
  /** Under which path the guest finds it, for a granted folder. */
  readonly preopenPath: string | undefined;
  /** What the last listing from its beginning gave; positions in it stay valid until the next. */
  listing: readonly ListedEntry[] | undefined;
};

/** An entry of a listing; the inode is looked up when it is given out. */
export type ListedEntry = DirectoryEntry & { readonly inode: bigint | undefined };

/** Any of them. */
export type AnyDescriptor = StreamDescriptor | FileDescriptor | DirectoryDescriptor;

/** See the top of the file. All methods throw `badf` for a number that is not open. */
export class DescriptorTable {
  readonly #open = new Map<number, AnyDescriptor>();
  /** No number below it is free. */
  #lowestFree = 0;

  /** Gives the lowest free number to it. Bounded by what gives out files. */
  add(descriptor: AnyDescriptor): number {
    let fd = this.#lowestFree;
    while (this.#open.has(fd)) fd++;
    this.#lowestFree = fd + 1;
    this.#open.set(fd, descriptor);
    return fd;
  }

  get(fd: number): AnyDescriptor {
    const descriptor = this.#open.get(fd >>> 0);
    if (descriptor === undefined) throw new Preview1Error(ERRNO.badf);
    return descriptor;
  }

  /** For what only files do: `isdir` for a directory, `spipe` for a stream, `notcapable` without the right. */
  file(fd: number, right: bigint): FileDescriptor {
    const descriptor = this.get(fd);
    if (descriptor.kind === "directory") throw new Preview1Error(ERRNO.isdir);
    if (descriptor.kind !== "file") throw new Preview1Error(ERRNO.spipe);
    assertRight(descriptor, right);
    return descriptor;
  }

  /** For what only directories do: `notdir` for anything else, `notcapable` without the right. */
  directory(fd: number, right: bigint): DirectoryDescriptor {
    const descriptor = this.get(fd);
    if (descriptor.kind !== "directory") throw new Preview1Error(ERRNO.notdir);
    assertRight(descriptor, right);
    return descriptor;
  }

  close(fd: number): void {
    const descriptor = this.get(fd);
    this.#open.delete(fd >>> 0);
    this.#lowestFree = Math.min(this.#lowestFree, fd >>> 0);
    closeDescriptor(descriptor);
  }

  /** Gives what is open at `from` the number `to`, whose own is closed. */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    const replaced = this.get(to);
    if (moved === replaced) return;
    this.#open.set(to >>> 0, moved);
    this.#open.delete(from >>> 0);
    this.#lowestFree = Math.min(this.#lowestFree, from >>> 0);
    closeDescriptor(replaced);
  }
}

/** Throws unless the descriptor still has the right: `badf` for reading and writing, as everywhere else, or `notcapable`. */
export function assertRight(descriptor: AnyDescriptor, right: bigint): void {
  if ((descriptor.rights.base & right) === right) return;
  throw new Preview1Error(right === RIGHT.fdRead || right === RIGHT.fdWrite ? ERRNO.badf : ERRNO.notcapable);
}

function closeDescriptor(descriptor: AnyDescriptor): void {
  if (descriptor.kind === "file") descriptor.file.close();
  if (descriptor.kind === "directory") descriptor.directory.close();
}
