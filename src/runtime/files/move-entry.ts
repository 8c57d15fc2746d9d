/** Hard links and renames: the two operations by which something gets another path, and could get other rights with it. */
import { linkSync, lstatSync, renameSync } from "node:fs";
import { FileError, onHost } from "./file-error.ts";
import type { Access, FolderGrant } from "./folder-grant.ts";
import { placeOfTarget, type Target } from "./path-walk.ts";

/** One end of a link or a rename. */
export type Entry = Target & { readonly grant: FolderGrant };

const ACCESSES: readonly Access[] = ["read", "write"];

/** Gives a file (or a symlink) a second name. */
export function linkEntry(from: Entry, to: Entry): void {
  const { name: newName } = to;
  if (newName === undefined) throw new FileError("exist");
  const { name } = from;
  const stat = name === undefined ? undefined : onHost(() => lstatSync(from.directory.at(name)));
  if (name === undefined || stat === undefined || stat.isDirectory()) throw new FileError("not-permitted");
  if (from.isDirectory) throw new FileError("not-directory");
  if (to.isDirectory) {
    throw new FileError(existsAt(to, newName) ? "exist" : "no-entry");
  }
  assertNothingGained(from, to);
  onHost(() => linkSync(from.directory.at(name), to.directory.at(newName)));
}

/** Moves a file, directory or symlink; what is at the new path is replaced if the host permits it. */
export function renameEntry(from: Entry, to: Entry): void {
  const { name } = from;
  const { name: newName } = to;
  if (name === undefined || newName === undefined) throw new FileError("busy");
  const stat = onHost(() => lstatSync(from.directory.at(name)));
  if ((from.isDirectory || to.isDirectory) && !stat.isDirectory()) throw new FileError("not-directory");
  assertNothingGained(from, to);
  from.grant.assertMovable(() => placeOfTarget(from));
  to.grant.assertMovable(() => placeOfTarget(to));
  onHost(() => renameSync(from.directory.at(name), to.directory.at(newName)));
}

/** Otherwise a file of a folder that is only to be read could be written by way of a link in another folder. */
function assertNothingGained(from: Entry, to: Entry): void {
  for (const access of ACCESSES) {
    if (!to.grant.permits(access, () => placeOfTarget(to))) continue;
    from.grant.assert(access);
    from.grant.assertPlace(access, () => placeOfTarget(from));
  }
}

function existsAt({ directory }: Entry, name: string): boolean {
  return onHost(() => lstatSync(directory.at(name), { throwIfNoEntry: false })) !== undefined;
}
