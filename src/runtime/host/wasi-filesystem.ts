/** The interfaces of `wasi:filesystem`, over the folders that the guest was granted. */
import type { HostInterfaces } from "../component/component-value.ts";
import { FileError } from "../files/file-error.ts";
import type { GuestFiles } from "../files/guest-files.ts";
import { DirectoryEntries, FileDescriptor } from "./file-descriptor.ts";
import { descriptorStatFrom, filed, newTimeFrom, type NewTimestamp } from "./file-values.ts";
import type { GuestLine } from "./guest-line.ts";
import type { IoError } from "./io-error.ts";
import { DONE, err, ok, type WitResult } from "./wit-result.ts";

type Flags = readonly string[];

/** `preopens` and `types`. What is not granted is `not-permitted`; outside of granted folders nothing has a name. */
export function filesystemInterfaces(line: Pick<GuestLine, "rights">, files: GuestFiles): HostInterfaces {
  return {
    "wasi:filesystem/preopens": { functions: { "get-directories": () => grantedFolders(line, files) } },
    "wasi:filesystem/types": {
      functions: {
        "filesystem-error-code": (error: IoError) => error.codes.file,
        ...fileFunctions,
        ...eitherFunctions,
        ...pathFunctions,
        ...twoPathFunctions,
      },
      resources: {
        descriptor: { drop: (descriptor: FileDescriptor) => descriptor.drop() },
        "directory-entry-stream": {},
      },
    },
  };
}

const fileFunctions = {
  "[method]descriptor.read-via-stream": (descriptor: FileDescriptor, offset: bigint) =>
    filed(() => descriptor.readStream(offset)),
  "[method]descriptor.write-via-stream": (descriptor: FileDescriptor, offset: bigint) =>
    filed(() => descriptor.writeStream(offset)),
  "[method]descriptor.append-via-stream": (descriptor: FileDescriptor) => filed(() => descriptor.writeStream("end")),
  // Advice may be ignored.
  "[method]descriptor.advise": (descriptor: FileDescriptor) => filed(() => void descriptor.file),
  "[method]descriptor.set-size": (descriptor: FileDescriptor, size: bigint) =>
    filed(() => descriptor.file.setSize(size)),
  "[method]descriptor.read": (descriptor: FileDescriptor, length: bigint, offset: bigint) =>
    filed(() => descriptor.read(length, offset)),
  "[method]descriptor.write": (descriptor: FileDescriptor, bytes: Uint8Array, offset: bigint) =>
    filed(() => BigInt(descriptor.file.write(bytes, offset))),
};

const eitherFunctions = {
  "[method]descriptor.sync-data": ({ opened }: FileDescriptor) => filed(() => opened.sync("data")),
  "[method]descriptor.sync": ({ opened }: FileDescriptor) => filed(() => opened.sync("all")),
  "[method]descriptor.get-flags": (descriptor: FileDescriptor) => ok(descriptor.flags()),
  "[method]descriptor.get-type": (descriptor: FileDescriptor) => ok(descriptor.type),
  "[method]descriptor.set-times": ({ opened }: FileDescriptor, accessed: NewTimestamp, modified: NewTimestamp) =>
    filed(() => opened.setTimes(newTimeFrom(accessed), newTimeFrom(modified))),
  "[method]descriptor.stat": ({ opened }: FileDescriptor) => filed(() => descriptorStatFrom(opened.stat())),
  "[method]descriptor.is-same-object": (descriptor: FileDescriptor, other: FileDescriptor) =>
    isSameObject(descriptor, other),
  "[method]descriptor.metadata-hash": ({ opened }: FileDescriptor) => filed(() => opened.metadataHash()),
};

const pathFunctions = {
  "[method]descriptor.read-directory": (descriptor: FileDescriptor) =>
    filed(() => new DirectoryEntries(descriptor.directory.list())),
  "[method]directory-entry-stream.read-directory-entry": (entries: DirectoryEntries) => ok(entries.next()),
  "[method]descriptor.create-directory-at": (descriptor: FileDescriptor, path: string) =>
    filed(() => descriptor.directory.createDirectoryAt(path)),
  "[method]descriptor.stat-at": (descriptor: FileDescriptor, flags: Flags, path: string) =>
    filed(() => descriptorStatFrom(descriptor.directory.statAt(path, follows(flags)))),
  "[method]descriptor.set-times-at": (
    descriptor: FileDescriptor,
    flags: Flags,
    path: string,
    accessed: NewTimestamp,
    modified: NewTimestamp,
  ) => filed(() => descriptor.directory.setTimesAt(path, follows(flags), newTimeFrom(accessed), newTimeFrom(modified))),
  "[method]descriptor.open-at": (
    descriptor: FileDescriptor,
    pathFlags: Flags,
    path: string,
    openFlags: Flags,
    flags: Flags,
  ) => filed(() => descriptor.openAt(path, pathFlags, openFlags, flags)),
  "[method]descriptor.readlink-at": (descriptor: FileDescriptor, path: string) =>
    filed(() => descriptor.directory.readlinkAt(path)),
  "[method]descriptor.remove-directory-at": (descriptor: FileDescriptor, path: string) =>
    filed(() => descriptor.directory.removeDirectoryAt(path)),
  "[method]descriptor.symlink-at": (descriptor: FileDescriptor, target: string, path: string) =>
    filed(() => descriptor.directory.symlinkAt(target, path)),
  "[method]descriptor.unlink-file-at": (descriptor: FileDescriptor, path: string) =>
    filed(() => descriptor.directory.unlinkFileAt(path)),
  "[method]descriptor.metadata-hash-at": (descriptor: FileDescriptor, flags: Flags, path: string) =>
    filed(() => descriptor.directory.metadataHashAt(path, follows(flags))),
};

const twoPathFunctions = {
  "[method]descriptor.link-at": (
    descriptor: FileDescriptor,
    flags: Flags,
    path: string,
    to: FileDescriptor,
    newPath: string,
  ): WitResult<undefined, string> => {
    // Links to what a symlink leads to: no system that we know of makes them by this call.
    if (follows(flags)) return err("invalid");
    const linked = filed(() => descriptor.directory.linkAt(path, to.directory, newPath));
    return linked.tag === "ok" ? DONE : linked;
  },
  "[method]descriptor.rename-at": (descriptor: FileDescriptor, path: string, to: FileDescriptor, newPath: string) =>
    filed(() => descriptor.directory.renameAt(path, to.directory, newPath)),
};

function grantedFolders(line: Pick<GuestLine, "rights">, files: GuestFiles): [FileDescriptor, string][] {
  const writable = new Set(
    line
      .rights()
      .folders.filter(({ canWrite }) => canWrite)
      .map(({ guestPath }) => guestPath),
  );
  return files
    .preopens()
    .map(({ guestPath, directory }) => [new FileDescriptor(directory, writable.has(guestPath)), guestPath]);
}

function follows(flags: Flags): boolean {
  return flags.includes("symlink-follow");
}

/** The function cannot fail: what cannot be asked any more is the same as nothing. */
function isSameObject(descriptor: FileDescriptor, other: FileDescriptor): boolean {
  try {
    return descriptor.opened.isSameObject(other.opened);
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
}
