/**
 * Goes the way that a guest's path describes, one name after the other, below one directory. Symlinks are read and
 * taken apart here, never followed by the host, and `..` goes back to where the walk came from, so there is no way out.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { FileError, onHost } from "./file-error.ts";
import type { GuestPath } from "./guest-path.ts";
import type { HostDirectory } from "./host-directory.ts";

/** Symlinks that one path may lead over, as in Linux. */
export const SYMLINKS_MAX = 40;

/** What to do with a symlink at the end: follow it; follow it only if a slash comes after it; never follow it. */
export type LastName = "follow" | "nofollow" | "entry";

/** Where a path leads. */
export type Target = {
  /** Valid until the walk's callback returns. */
  readonly directory: HostDirectory;
  /** The entry in it, which need not exist; `undefined` for the directory itself. */
  readonly name: string | undefined;
  /** The path ends so that what it names must be a directory. */
  readonly isDirectory: boolean;
};

/** What a walk needs to know besides its path. */
export type WalkOptions = {
  readonly last: LastName;
  /** Called for each directory that the walk goes into; throws to end it. */
  readonly entered?: ((directory: HostDirectory) => void) | undefined;
};

/**
 * Calls `use` with where `path` leads from `base`, and returns what it returns. Throws `not-permitted` for a way
 * out of `base` (by `..` or an absolute symlink), `loop`, and what the host says of the directories on the way.
 */
export function walk<T>(base: HostDirectory, path: GuestPath, options: WalkOptions, use: (target: Target) => T): T {
  const way: HostDirectory[] = [];
  try {
    return use(targetOf(base, way, path, options));
  } finally {
    for (const directory of way) directory.close();
  }
}

/** Where a target is on the host, or would be. */
export function placeOfTarget({ directory, name }: Pick<Target, "directory" | "name">): string {
  const place = directory.place();
  if (name === undefined) return place;
  return place.endsWith("/") ? place + name : `${place}/${name}`;
}

function targetOf(base: HostDirectory, way: HostDirectory[], path: GuestPath, options: WalkOptions): Target {
  const ahead = path.names.toReversed();
  let { isDirectory } = path;
  let symlinksLeft = SYMLINKS_MAX;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    const current = way.at(-1) ?? base;
    if (name === "..") {
      if (way.length === 0) throw new FileError("not-permitted");
      way.pop()?.close();
      continue;
    }
    const isLast = ahead.length === 0;
    if (isLast && !(options.last === "follow" || (options.last === "nofollow" && isDirectory))) {
      return { directory: current, name, isDirectory };
    }
    const link = isLast ? linkAt(current, name) : enterOrLink(current, name, way, options);
    if (link === undefined && isLast) return { directory: current, name, isDirectory };
    if (link === undefined) continue;
    if (symlinksLeft-- === 0) throw new FileError("loop");
    if (link.startsWith("/")) throw new FileError("not-permitted");
    const parts = link.split("/");
    if (isLast && (parts.at(-1) === "" || parts.at(-1) === ".")) isDirectory = true;
    ahead.push(...parts.filter((part) => part !== "" && part !== ".").toReversed());
  }
  return { directory: way.at(-1) ?? base, name: undefined, isDirectory: true };
}

/** Goes into a directory and gives `undefined`, or gives what the symlink there says. */
function enterOrLink(
  current: HostDirectory,
  name: string,
  way: HostDirectory[],
  options: WalkOptions,
): string | undefined {
  try {
    const next = current.enter(name);
    way.push(next);
    options.entered?.(next);
    return undefined;
  } catch (error) {
    if (!(error instanceof FileError && error.code === "not-directory")) throw error;
    const link = linkAt(current, name);
    if (link === undefined) throw error;
    return link;
  }
}

/** What a symlink says; `undefined` for anything else, and for nothing. */
function linkAt(directory: HostDirectory, name: string): string | undefined {
  const path = directory.at(name);
  if (!onHost(() => lstatSync(path, { throwIfNoEntry: false }))?.isSymbolicLink()) return undefined;
  return onHost(() => readlinkSync(path));
}
