/** Resource `descriptor` of `wasi:filesystem`: an open file or directory, as the interface sees it. */
import type { Descriptor, DirectoryEntry, OpenDirectory, OpenFile } from "../files/descriptor.ts";
import { FileError } from "../files/file-error.ts";
import { fileSink, fileSource } from "./file-streams.ts";
import { flagsFromSync, openHowFrom } from "./file-values.ts";
import { InputStream, READ_MAX_BYTES } from "./input-stream.ts";
import type { IoErrorCodes } from "./io-error.ts";
import { OutputStream } from "./output-stream.ts";

/** Every method throws a `FileError` where the interface has an error. */
export class FileDescriptor {
  readonly opened: Descriptor;
  readonly #canMutate: boolean;

  /** `canMutate`: what `get-flags` says of a directory; the grant decides what is so. */
  constructor(opened: Descriptor, canMutate: boolean) {
    this.opened = opened;
    this.#canMutate = canMutate;
  }

  /** The directory; throws `not-directory` for a file. */
  get directory(): OpenDirectory {
    if (this.opened.kind !== "directory") throw new FileError("not-directory");
    return this.opened;
  }

  /** The file; throws `bad-descriptor` for a directory. */
  get file(): OpenFile {
    if (this.opened.kind !== "file") throw new FileError("bad-descriptor");
    return this.opened;
  }

  /** Nothing else is ever opened. */
  get type(): "directory" | "regular-file" {
    return this.opened.kind === "directory" ? "directory" : "regular-file";
  }

  flags(): readonly string[] {
    const { opened } = this;
    if (opened.kind === "directory") return this.#canMutate ? ["read", "mutate-directory"] : ["read"];
    return [
      ...(opened.canRead ? ["read"] : []),
      ...(opened.canWrite ? ["write"] : []),
      ...flagsFromSync(opened.writeSync),
    ];
  }

  /** Bytes, and whether the file ended before there were as many as asked for. */
  read(length: bigint, offset: bigint): readonly [Uint8Array, boolean] {
    const { file } = this;
    const bytes = new Uint8Array(length > BigInt(READ_MAX_BYTES) ? READ_MAX_BYTES : Number(length));
    const count = file.read(bytes, offset);
    return [bytes.subarray(0, count), count < bytes.length];
  }

  readStream(offset: bigint): InputStream {
    if (!this.file.canRead) throw new FileError("bad-descriptor");
    return new InputStream(fileSource(this.file, offset), codesOf);
  }

  writeStream(offset: bigint | "end"): OutputStream {
    if (!this.file.canWrite) throw new FileError("bad-descriptor");
    return new OutputStream(fileSink(this.file, offset), codesOf);
  }

  openAt(
    path: string,
    pathFlags: readonly string[],
    openFlags: readonly string[],
    flags: readonly string[],
  ): FileDescriptor {
    const opened = this.directory.openAt(path, openHowFrom(pathFlags, openFlags, flags));
    return new FileDescriptor(opened, this.#canMutate);
  }

  /** The guest has dropped it. */
  drop(): void {
    this.opened.close();
  }
}

/** Resource `directory-entry-stream`: what was in the directory when it was asked for. */
export class DirectoryEntries {
  readonly #entries: readonly DirectoryEntry[];
  #next = 0;

  constructor(entries: readonly DirectoryEntry[]) {
    this.#entries = entries;
  }

  /** `undefined` at the end. */
  next(): DirectoryEntry | undefined {
    const entry = this.#entries[this.#next];
    this.#next += 1;
    return entry;
  }
}

/** Failures of file streams have the code for a message. */
function codesOf(message: string): IoErrorCodes {
  return { file: message };
}
