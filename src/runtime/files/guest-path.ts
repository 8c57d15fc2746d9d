/** What a guest's path text says, before anything on the host is looked at. Pure. */
import { FileError } from "./file-error.ts";

/** Longest path of a guest, as in Linux. */
export const PATH_MAX_BYTES = 4_096;

/** A path, taken apart. */
export type GuestPath = {
  /** Names and `..`, never empty or `.`. */
  readonly names: readonly string[];
  /** It ends with `/` or `/.` (or consists of `.` alone), so what it names must be a directory. */
  readonly isDirectory: boolean;
};

/**
 * Takes a relative path apart. Throws `no-entry` for an empty one, `not-permitted` for an absolute one, `invalid` for
 * one with a NUL, `illegal-byte-sequence` for one that is not Unicode, and `name-too-long`.
 */
export function guestPathFromText(text: string): GuestPath {
  if (text === "") throw new FileError("no-entry");
  assertPathText(text);
  if (text.startsWith("/")) throw new FileError("not-permitted");
  const parts = text.split("/");
  const last = parts.at(-1);
  return { names: parts.filter((part) => part !== "" && part !== "."), isDirectory: last === "" || last === "." };
}

/**
 * Checks what a symbolic link shall hold. A guest may not make one that is absolute: it could never follow it, and
 * others who look at the folder would.
 */
export function assertLinkText(text: string): void {
  if (text === "") throw new FileError("no-entry");
  assertPathText(text);
  if (text.startsWith("/")) throw new FileError("not-permitted");
}

function assertPathText(text: string): void {
  if (text.length > PATH_MAX_BYTES || Buffer.byteLength(text) >= PATH_MAX_BYTES) throw new FileError("name-too-long");
  if (text.includes("\0")) throw new FileError("invalid");
  // A lone surrogate would reach the host as U+FFFD, which is another name.
  if (!text.isWellFormed()) throw new FileError("illegal-byte-sequence");
}
