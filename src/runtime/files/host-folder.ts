/** An open directory below a granted folder, or the folder itself. */
import { lstatSync, lutimesSync, mkdirSync, readlinkSync, rmdirSync, statSync } from "node:fs";
import { symlinkSync, unlinkSync, utimesSync, type BigIntStats } from "node:fs";
import type { Descriptor, DirectoryEntry, FileStat, MetadataHash, NewTime } from "./descriptor.ts";
import type { OpenDirectory, OpenHow } from "./descriptor.ts";
import type { TimedFile } from "./exact-times.ts";
import { FileError, onHost } from "./file-error.ts";
import { fileStatFrom, metadataHashOf } from "./file-stat.ts";
import type { FilesContext } from "./files-context.ts";
import type { Access, FolderGrant } from "./folder-grant.ts";
import { assertLinkText, guestPathFromText } from "./guest-path.ts";
import type { HostDirectory } from "./host-directory.ts";
import { listDirectory } from "./list-directory.ts";
import { linkEntry, renameEntry, type Entry } from "./move-entry.ts";
import { openTarget } from "./open-target.ts";
import { placeOfTarget, stateOfTarget, walk, type LastName, type Target } from "./path-walk.ts";
import { syncDirectory } from "./sync-directory.ts";

/** What a directory is opened as. */
export type HostFolderOptions = {
  readonly context: FilesContext;
  readonly grant: FolderGrant;
  /** Called at most once, when the directory is first used; what it gives belongs to the folder. */
  readonly open: () => HostDirectory;
  /** Granted folders are not counted among what the guest has opened. */
  readonly isCounted: boolean;
};

/** See the top of the file. */
export class HostFolder implements OpenDirectory {
  readonly kind = "directory";
  readonly grant: FolderGrant;
  readonly #options: HostFolderOptions;
  #directory: HostDirectory | undefined;
  #isOpen = true;

  constructor(options: HostFolderOptions) {
    this.#options = options;
    this.grant = options.grant;
    options.context.opened(this, options.isCounted);
  }

  list(): readonly DirectoryEntry[] {
    return this.#reach(".", "entry", "read", ({ directory }) => listDirectory(directory));
  }

  inodeAt(name: string): bigint {
    const path = this.#host().at(name);
    return onHost(() => lstatSync(path, { bigint: true, throwIfNoEntry: false }))?.ino ?? 0n;
  }

  openAt(path: string, how: OpenHow): Descriptor {
    const isChange = how.write || how.create || how.truncate;
    const { context } = this.#options;
    context.assertRoom();
    // Opening without either right still tells whether it exists, which takes the right to read.
    if (how.read || !isChange) this.grant.assert("read");
    return this.#reach(path, how.follow ? "follow" : "nofollow", isChange ? "write" : "read", (target) => {
      if (how.read && isChange) {
        this.#assertPlace("read", target);
        this.grant.used("read");
      }
      const { grant } = this;
      return openTarget(target, how, {
        context,
        grant,
        folderFrom: (directory) => new HostFolder({ context, grant, open: () => directory, isCounted: true }),
      });
    });
  }

  statAt(path: string, follow: boolean): FileStat {
    return this.#reach(path, follow ? "follow" : "nofollow", "read", (target) =>
      fileStatFrom(statOf(target), this.#options.context.times),
    );
  }

  metadataHashAt(path: string, follow: boolean): MetadataHash {
    return this.#reach(path, follow ? "follow" : "nofollow", "read", (target) => metadataHashOf(statOf(target)));
  }

  setTimesAt(path: string, follow: boolean, accessed: NewTime, modified: NewTime): void {
    this.#reach(path, follow ? "follow" : "nofollow", "write", (target) => {
      const { directory, name } = target;
      const file: TimedFile = {
        // Asked anew each time, for the times change between.
        stat: () => statOf({ ...target, found: undefined }),
        apply: (accessedTo, modifiedTo) =>
          name === undefined
            ? utimesSync(directory.self(), accessedTo, modifiedTo)
            : lutimesSync(directory.at(name), accessedTo, modifiedTo),
      };
      onHost(() => this.#options.context.times.set(file, accessed, modified));
    });
  }

  createDirectoryAt(path: string): void {
    this.#reach(path, "entry", "write", ({ directory, name }) => {
      if (name === undefined) throw new FileError("exist");
      onHost(() => mkdirSync(directory.at(name)));
    });
  }

  removeDirectoryAt(path: string): void {
    this.#reach(path, "entry", "write", (target) => {
      const { directory, name } = target;
      if (name === undefined) throw new FileError("invalid");
      this.grant.assertMovable(() => placeOfTarget(target));
      onHost(() => rmdirSync(directory.at(name)));
    });
  }

  unlinkFileAt(path: string): void {
    this.#reach(path, "entry", "write", (target) => {
      const { directory, name } = target;
      // Said here because systems differ in what they say of a directory, and of a slash after a file.
      if (name === undefined || statOf(target).isDirectory()) throw new FileError("is-directory");
      if (target.isDirectory) throw new FileError("not-directory");
      onHost(() => unlinkSync(directory.at(name)));
    });
  }

  readlinkAt(path: string): string {
    return this.#reach(path, "entry", "read", ({ directory, name, isDirectory }) => {
      if (name === undefined || isDirectory) throw new FileError("invalid");
      const text = onHost(() => readlinkSync(directory.at(name)));
      // It says something of the host, and leads a guest nowhere.
      if (text.startsWith("/")) throw new FileError("not-permitted");
      return text;
    });
  }

  symlinkAt(target: string, path: string): void {
    assertLinkText(target);
    this.#reach(path, "entry", "write", ({ directory, name, isDirectory }) => {
      if (name === undefined) throw new FileError("exist");
      if (isDirectory) throw new FileError(absenceOf(directory, name));
      onHost(() => symlinkSync(target, directory.at(name)));
    });
  }

  linkAt(path: string, to: OpenDirectory, newPath: string): void {
    this.#betweenEntries(path, to, newPath, linkEntry);
  }

  renameAt(path: string, to: OpenDirectory, newPath: string): void {
    this.#betweenEntries(path, to, newPath, renameEntry);
  }

  stat(): FileStat {
    return this.statAt(".", false);
  }

  setTimes(accessed: NewTime, modified: NewTime): void {
    this.setTimesAt(".", false, accessed, modified);
  }

  metadataHash(): MetadataHash {
    return this.metadataHashAt(".", false);
  }

  sync(): void {
    const access = this.grant.permits("read", () => this.#host().place()) ? "read" : "write";
    this.#reach(".", "entry", access, ({ directory }) => syncDirectory(directory));
  }

  isSameObject(other: Descriptor): boolean {
    if (!(other instanceof HostFolder)) return false;
    const [mine, others] = [this, other].map((each) => onHost(() => statSync(each.#host().self(), { bigint: true })));
    return mine?.dev === others?.dev && mine?.ino === others?.ino;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#directory?.close();
    this.#options.context.closed(this);
  }

  #host(): HostDirectory {
    if (!this.#isOpen) throw new FileError("bad-descriptor");
    this.#directory ??= this.#options.open();
    return this.#directory;
  }

  /** Checks `access`, goes to where `path` leads, checks again there, and carries out `use`. */
  #reach<T>(path: string, last: LastName, access: Access, use: (target: Target) => T): T {
    if (!this.#isOpen) throw new FileError("bad-descriptor");
    const { grant } = this;
    grant.assert(access);
    const entered = grant.hasDeniedPlaces()
      ? (directory: HostDirectory) => grant.assertPlace(access, () => directory.place())
      : undefined;
    return walk(this.#host(), guestPathFromText(path), { last, entered }, (target) => {
      if (entered !== undefined) this.#assertPlace(access, target);
      grant.used(access);
      return use(target);
    });
  }

  #assertPlace(access: Access, target: Target): void {
    this.grant.assertPlace(access, () => placeOfTarget(target));
  }

  #betweenEntries(path: string, to: OpenDirectory, newPath: string, act: (from: Entry, to: Entry) => void): void {
    if (!(to instanceof HostFolder)) throw new FileError("bad-descriptor");
    this.#reach(path, "entry", "write", (from) => {
      to.#reach(newPath, "entry", "write", (target) => {
        act({ ...from, grant: this.grant }, { ...target, grant: to.grant });
      });
    });
  }
}

/** The state of what is there, a symlink itself; throws `no-entry`. */
function statOf(target: Target): BigIntStats {
  const stat = stateOfTarget(target);
  if (stat === undefined) throw new FileError("no-entry");
  return stat;
}

/** What is wrong with making something other than a directory at a name that has a slash after it. */
function absenceOf(directory: HostDirectory, name: string): "no-entry" | "exist" | "not-directory" {
  const stat = onHost(() => lstatSync(directory.at(name), { throwIfNoEntry: false }));
  if (stat === undefined) return "no-entry";
  return stat.isDirectory() ? "exist" : "not-directory";
}
