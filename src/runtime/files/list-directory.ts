/** Lists a directory. */
import { lstatSync, opendirSync } from "node:fs";
import { DIRECTORY_ENTRIES_MAX, type DirectoryEntry } from "./descriptor.ts";
import { FileError, onHost } from "./file-error.ts";
import { fileTypeOf } from "./file-stat.ts";
import type { HostDirectory } from "./host-directory.ts";

/** All entries at once, so that a guest that lists while it creates and removes sees a listing that holds together. */
export function listDirectory(directory: HostDirectory): readonly DirectoryEntry[] {
  return onHost(() => {
    const listing = opendirSync(directory.self(), { bufferSize: 256 });
    try {
      const entries: DirectoryEntry[] = [];
      for (let entry = listing.readSync(); entry !== null; entry = listing.readSync()) {
        if (!isReachable(directory, entry.name)) continue;
        if (entries.length === DIRECTORY_ENTRIES_MAX) throw new FileError("overflow");
        entries.push({ name: entry.name, type: fileTypeOf(entry) });
      }
      return entries;
    } finally {
      listing.closeSync();
    }
  });
}

/**
 * Whether the host's name is Unicode, as a guest's names are. Others come with U+FFFD in place of what is not, so that
 * nothing is found under them.
 */
function isReachable(directory: HostDirectory, name: string): boolean {
  return !name.includes("\uFFFD") || lstatSync(directory.at(name), { throwIfNoEntry: false }) !== undefined;
}
