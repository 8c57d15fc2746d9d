/**
 * Directories by path, where there are no paths through descriptors (macOS, Windows). Before each use the path is
 * resolved again and must still lead to the same directory. Between that check and the use, another process, or
 * another guest with the same folder, could put a symlink in the way; `DESIGN.md` says what that means.
 */
import { lstatSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { FileError, onHost } from "./file-error.ts";
import type { HostDirectory } from "./host-directory.ts";

/** Opens the directory at an absolute path in which no symlink stands. */
export function openPathDirectory(hostPath: string): HostDirectory {
  const identity = identityOf(hostPath);
  if (identity === undefined) throw new FileError("not-directory");
  let isOpen = true;

  function checked(): string {
    if (!isOpen) throw new FileError("bad-descriptor");
    if (onHost(() => realpathSync.native(hostPath)) !== hostPath || identityOf(hostPath) !== identity) {
      throw new FileError("no-entry");
    }
    return hostPath;
  }

  return {
    at: (name) => join(checked(), checkedName(name)),
    self: checked,
    enter: (name) => openPathDirectory(join(checked(), checkedName(name))),
    place: () => hostPath,
    close() {
      isOpen = false;
    },
  };
}

/** Device and inode, or `undefined` for what is no directory. */
function identityOf(path: string): string | undefined {
  const stat = onHost(() => lstatSync(path, { bigint: true }));
  return stat.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined;
}

/** Refuses what the host would not take as one name: separators, drives and streams of Windows. */
function checkedName(name: string): string {
  if (sep === "\\" && /[\\:]/.test(name)) throw new FileError("invalid");
  return name;
}
