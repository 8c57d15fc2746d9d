/**
 * Goes the way that a guest's path describes, one name after the other, below one directory. Symlinks are read and
 * taken apart here, never followed by the host, and `..` goes back to where the walk came from, so there is no way out.
 */
import { lstatSync, readlinkSync, statSync, type BigIntStats } from "node:fs";
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
  /** What stood there when the walk looked whether it was a symlink; `undefined` if it did not look. */
  readonly found: Found | undefined;
};

/** The state of an entry that is no symlink, or that there is none. */
type Found = { readonly kind: "entry"; readonly stat: BigIntStats } | { readonly kind: "nothing" };

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

/** The state of what a target is, a symlink itself; `undefined` if there is nothing. */
export function stateOfTarget({ directory, name, found }: Target): BigIntStats | undefined {
  if (found !== undefined) return found.kind === "entry" ? found.stat : undefined;
  return onHost(() =>
    name === undefined
      ? statSync(directory.self(), { bigint: true })
      : lstatSync(directory.at(name), { bigint: true, throwIfNoEntry: false }),
  );
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
      return { directory: current, name, isDirectory, found: undefined };
    }
    const found = isLast ? lookAt(current, name) : enterOrLink(current, name, way, options);
    if (found === "entered") continue;
    if (found.kind !== "link") return { directory: current, name, isDirectory, found };
    const link = found.text;
    if (symlinksLeft-- === 0) throw new FileError("loop");
    if (link.startsWith("/")) throw new FileError("not-permitted");
    const parts = link.split("/");
    if (isLast && (parts.at(-1) === "" || parts.at(-1) === ".")) isDirectory = true;
    ahead.push(...parts.filter((part) => part !== "" && part !== ".").toReversed());
  }
  return { directory: way.at(-1) ?? base, name: undefined, isDirectory: true, found: undefined };
}

/** Goes into a directory, or gives the symlink that is there. */
function enterOrLink(
  current: HostDirectory,
  name: string,
  way: HostDirectory[],
  options: WalkOptions,
): "entered" | Link {
  try {
    const next = current.enter(name);
    way.push(next);
    options.entered?.(next);
    return "entered";
  } catch (error) {
    if (!(error instanceof FileError && error.code === "not-directory")) throw error;
    const found = lookAt(current, name);
    if (found.kind !== "link") throw error;
    return found;
  }
}

type Link = { readonly kind: "link"; readonly text: string };

function lookAt(directory: HostDirectory, name: string): Found | Link {
  const path = directory.at(name);
  const stat = onHost(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  if (stat === undefined) return { kind: "nothing" };
  return stat.isSymbolicLink() ? { kind: "link", text: onHost(() => readlinkSync(path)) } : { kind: "entry", stat };
}
