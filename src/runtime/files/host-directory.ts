/** An open directory of the host: what everything in this folder reaches the host's files through. */
import { existsSync } from "node:fs";
import { openDescriptorDirectory } from "./descriptor-directory.ts";
import { openPathDirectory } from "./path-directory.ts";

/** See the top of the file. Every method may throw a `FileError`. */
export interface HostDirectory {
  /** A path by which one `node:fs` call reaches the entry `name`; ask anew for each call. `name` is one name, never `..`. */
  at(name: string): string;
  /** A path by which one `node:fs` call reaches the directory itself. */
  self(): string;
  /** Opens a directory in it; throws `not-directory` for anything else, a symlink included. */
  enter(name: string): HostDirectory;
  /** Where it is now: an absolute host path. */
  place(): string;
  /** May be called twice. */
  close(): void;
}

/** How directories are held: by descriptors, which nothing can be swapped under, or by paths that are checked at each use. */
export type HostTree = "descriptors" | "paths";

/** What this machine has: descriptors need Linux with `/proc`. */
export const hostTree: HostTree = process.platform === "linux" && existsSync("/proc/self/fd") ? "descriptors" : "paths";

/** Opens the directory at an absolute path in which no symlink may stand. */
export function openHostDirectory(tree: HostTree, hostPath: string): HostDirectory {
  return tree === "descriptors" ? openDescriptorDirectory(hostPath) : openPathDirectory(hostPath);
}
