/** Writes a directory's entries to the disk. */
import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { FileError, onHost } from "./file-error.ts";
import type { HostDirectory } from "./host-directory.ts";

/** Returns when renames, creations and removals in the directory are on the disk; on Windows, which cannot, at once. */
export function syncDirectory(directory: HostDirectory): void {
  if (process.platform === "win32") return;
  const descriptor = onHost(() => openSync(directory.self(), constants.O_RDONLY | constants.O_DIRECTORY));
  try {
    onHost(() => fsyncSync(descriptor));
  } catch (error) {
    // Some file systems have nothing to write for a directory, and say so.
    if (!(error instanceof FileError && error.code === "invalid")) throw error;
  } finally {
    closeSync(descriptor);
  }
}
