/** An open file, on a descriptor of the host. */
import { closeSync, constants, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, futimesSync } from "node:fs";
import { openSync, readlinkSync, readSync, writeSync, type BigIntStats } from "node:fs";
import type { Descriptor, MetadataHash, NewTime, OpenFile, WriteSync, FileStat } from "./descriptor.ts";
import type { TimedFile } from "./exact-times.ts";
import { FileError, onHost } from "./file-error.ts";
import { fileStatFrom, metadataHashOf } from "./file-stat.ts";
import type { Access, FolderGrant } from "./folder-grant.ts";
import type { FilesContext } from "./files-context.ts";

/** What a file is opened as. */
export type HostFileOptions = {
  readonly context: FilesContext;
  readonly grant: FolderGrant;
  /** Belongs to the file from here on. */
  readonly descriptor: number;
  /** The host path by which it was opened; used where descriptors have no paths of their own. */
  readonly openedAt: string;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly writeSync: WriteSync;
};

/** Largest offset and size that `node:fs` takes. */
const OFFSET_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** Wraps a descriptor that `openSync` gave. */
export class HostFile implements OpenFile {
  readonly kind = "file";
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly writeSync: WriteSync;
  readonly #context: FilesContext;
  readonly #grant: FolderGrant;
  readonly #openedAt: string;
  #descriptor: number;
  /** A second one for appending, opened when first needed: with O_APPEND the system finds the end, whoever else writes. */
  #appending: number | undefined;

  constructor(options: HostFileOptions) {
    this.#context = options.context;
    this.#grant = options.grant;
    this.#descriptor = options.descriptor;
    this.#openedAt = options.openedAt;
    this.canRead = options.canRead;
    this.canWrite = options.canWrite;
    this.writeSync = options.writeSync;
    options.context.opened(this, true);
  }

  read(into: Uint8Array, offset: bigint): number {
    const descriptor = this.#open();
    if (!this.canRead) throw new FileError("bad-descriptor");
    this.#permit("read");
    // Nothing is that far out; what `node:fs` would not take as a position is beyond every end.
    if (offset > OFFSET_MAX || into.length === 0) return 0;
    return onHost(() => readSync(descriptor, into, 0, into.length, offset));
  }

  write(bytes: Uint8Array, offset: bigint): number {
    const descriptor = this.#open();
    if (!this.canWrite) throw new FileError("bad-descriptor");
    this.#permit("write");
    if (offset + BigInt(bytes.length) > OFFSET_MAX) throw new FileError("file-too-large");
    return onHost(() => writeSync(descriptor, bytes, 0, bytes.length, Number(offset)));
  }

  append(bytes: Uint8Array): number {
    const descriptor = this.#open();
    if (!this.canWrite) throw new FileError("bad-descriptor");
    this.#permit("write");
    if (this.#context.tree === "paths") {
      return onHost(() => writeSync(descriptor, bytes, 0, bytes.length, fstatSync(descriptor).size));
    }
    this.#appending ??= onHost(() =>
      openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_APPEND | syncFlag(this.writeSync)),
    );
    const appending = this.#appending;
    return onHost(() => writeSync(appending, bytes));
  }

  size(): bigint {
    this.#open();
    this.#permit(this.canWrite ? "write" : "read");
    return this.#hostStat().size;
  }

  setSize(bytes: bigint): void {
    const descriptor = this.#open();
    if (!this.canWrite) throw new FileError("bad-descriptor");
    this.#permit("write");
    if (bytes > OFFSET_MAX) throw new FileError("file-too-large");
    onHost(() => ftruncateSync(descriptor, Number(bytes)));
  }

  stat(): FileStat {
    this.#open();
    this.#permit("read");
    return fileStatFrom(this.#hostStat(), this.#context.times);
  }

  setTimes(accessed: NewTime, modified: NewTime): void {
    const descriptor = this.#open();
    this.#permit("write");
    const file: TimedFile = {
      stat: () => this.#hostStat(),
      apply: (accessedTo, modifiedTo) => futimesSync(descriptor, accessedTo, modifiedTo),
    };
    onHost(() => this.#context.times.set(file, accessed, modified));
  }

  sync(what: "data" | "all"): void {
    const descriptor = this.#open();
    this.#permit(this.canWrite ? "write" : "read");
    onHost(() => (what === "data" ? fdatasyncSync(descriptor) : fsyncSync(descriptor)));
  }

  metadataHash(): MetadataHash {
    this.#open();
    this.#permit("read");
    return metadataHashOf(this.#hostStat());
  }

  isSameObject(other: Descriptor): boolean {
    if (!(other instanceof HostFile)) return false;
    const mine = this.#hostStat();
    const others = other.#hostStat();
    return mine.dev === others.dev && mine.ino === others.ino;
  }

  close(): void {
    if (this.#descriptor < 0) return;
    const descriptors = [this.#descriptor, this.#appending];
    this.#descriptor = -1;
    this.#context.closed(this);
    for (const each of descriptors) if (each !== undefined) onHost(() => closeSync(each));
  }

  #open(): number {
    if (this.#descriptor < 0) throw new FileError("bad-descriptor");
    return this.#descriptor;
  }

  #hostStat(): BigIntStats {
    const descriptor = this.#open();
    return onHost(() => fstatSync(descriptor, { bigint: true }));
  }

  #permit(access: Access): void {
    this.#grant.assert(access);
    if (this.#grant.hasDeniedPlaces()) this.#grant.assertPlace(access, () => this.#place());
    this.#grant.used(access);
  }

  /** Where it is now, which may be elsewhere than where it was opened. */
  #place(): string {
    if (this.#context.tree === "paths") return this.#openedAt;
    return onHost(() => readlinkSync(`/proc/self/fd/${this.#open()}`));
  }
}

/** The flag of `open` that makes writes wait for the disk. */
export function syncFlag(sync: WriteSync): number {
  if (sync === "none") return 0;
  return sync === "data" ? constants.O_DSYNC : constants.O_SYNC;
}
