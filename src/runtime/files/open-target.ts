/** Opens what a walk has led to. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { Descriptor, OpenHow } from "./descriptor.ts";
import { FileError, onHost } from "./file-error.ts";
import type { FilesContext } from "./files-context.ts";
import type { FolderGrant } from "./folder-grant.ts";
import type { HostDirectory } from "./host-directory.ts";
import { HostFile, syncFlag } from "./host-file.ts";
import { stateOfTarget, type Target } from "./path-walk.ts";

/** What opening needs besides the target. */
export type OpenTargetDeps = {
  readonly context: FilesContext;
  readonly grant: FolderGrant;
  readonly folderFrom: (directory: HostDirectory) => Descriptor;
};

/**
 * Opens a file or a directory. Devices, pipes and sockets are refused before they are touched: opening one can wait
 * for ever, or do something. A symlink that was put there after the walk is `loop`, as one that is not to be followed.
 */
export function openTarget(target: Target, how: OpenHow, options: OpenTargetDeps): Descriptor {
  const { directory, name } = target;
  if (how.create && (how.directory || target.isDirectory)) {
    // Files cannot be made with a slash after their name, nor directories by opening them.
    throw new FileError(how.directory ? "invalid" : "is-directory");
  }
  if (name === undefined) return openFolder(how, options, () => directory.enter("."));
  const found = stateOfTarget(target);
  if (found === undefined && !how.create) throw new FileError("no-entry");
  if (found !== undefined) {
    if (how.create && how.exclusive) throw new FileError("exist");
    if (found.isSymbolicLink()) throw new FileError("loop");
    if (found.isDirectory()) return openFolder(how, options, () => directory.enter(name));
    if (how.directory || target.isDirectory) throw new FileError("not-directory");
    if (!found.isFile()) throw new FileError("not-permitted");
  }
  return openFile(directory, name, how, options);
}

function openFolder(how: OpenHow, { folderFrom }: OpenTargetDeps, enter: () => HostDirectory): Descriptor {
  if (how.create && how.exclusive) throw new FileError("exist");
  if (how.write || how.truncate || how.create) throw new FileError("is-directory");
  return folderFrom(enter());
}

function openFile(
  directory: HostDirectory,
  name: string,
  how: OpenHow,
  { context, grant }: OpenTargetDeps,
): Descriptor {
  const path = directory.at(name);
  const descriptor = onHost(() => openSync(path, flagsFor(how), NEW_FILE_MODE));
  try {
    if (!onHost(() => fstatSync(descriptor)).isFile()) throw new FileError("not-permitted");
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return new HostFile({
    context,
    grant,
    descriptor,
    openedAt: context.tree === "paths" ? path : "",
    canRead: how.read,
    canWrite: how.write,
    writeSync: how.sync,
  });
}

const NEW_FILE_MODE = 0o666;

function flagsFor(how: OpenHow): number {
  const access =
    how.read && how.write
      ? constants.O_RDWR
      : how.write
        ? constants.O_WRONLY
        : how.truncate
          ? constants.O_RDWR
          : constants.O_RDONLY;
  return (
    access |
    (how.create ? constants.O_CREAT : 0) |
    (how.create && how.exclusive ? constants.O_EXCL : 0) |
    (how.truncate ? constants.O_TRUNC : 0) |
    syncFlag(how.sync) |
    // Windows has neither of these two.
    (constants.O_NOFOLLOW ?? 0) |
    (constants.O_NONBLOCK ?? 0)
  );
}
