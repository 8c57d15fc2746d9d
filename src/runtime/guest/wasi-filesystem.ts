/** `wasi:filesystem` for a guest without files: there are no directories to begin with, so nothing can be opened. */

/** Resource `descriptor`: none is ever handed out. A function that a component imports must exist all the same. */
class Descriptor {
  read(): never {
    throw "bad-descriptor";
  }
}

/** The other methods, which do the same. */
const DESCRIPTOR_METHODS = `
  readViaStream writeViaStream appendViaStream advise syncData getFlags getType setSize setTimes write readDirectory sync
  createDirectoryAt stat statAt setTimesAt linkAt openAt readlinkAt removeDirectoryAt renameAt symlinkAt unlinkFileAt
  isSameObject metadataHash metadataHashAt`;

for (const name of DESCRIPTOR_METHODS.trim().split(/\s+/)) {
  Object.defineProperty(Descriptor.prototype, name, { value: Descriptor.prototype.read });
}

/** Resource `directory-entry-stream`: none is ever handed out. */
class DirectoryEntryStream {
  readDirectoryEntry(): never {
    throw "bad-descriptor";
  }
}

/** The two interfaces by their names without version. */
export function filesystemInterfaces(): Record<string, Record<string, unknown>> {
  return {
    "wasi:filesystem/preopens": { getDirectories: () => [] },
    "wasi:filesystem/types": { Descriptor, DirectoryEntryStream, filesystemErrorCode: () => undefined },
  };
}
