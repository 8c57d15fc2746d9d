/** A granted folder of the host for tests, with a secret beside it that nobody may get at. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GrantedFolder, LocalRights } from "../../../src/providers/local-rights.ts";
import type { Descriptor, OpenDirectory, OpenFile, OpenHow } from "../../../src/runtime/files/descriptor.ts";
import { FileError } from "../../../src/runtime/files/file-error.ts";
import { createGuestFiles } from "../../../src/runtime/files/guest-files.ts";
import { hostTree, type HostTree } from "../../../src/runtime/files/host-directory.ts";

/** The ways of holding directories that this machine can test. */
export const TREES: readonly HostTree[] = hostTree === "descriptors" ? ["descriptors", "paths"] : ["paths"];

/** What the file outside of the folder holds. */
export const SECRET = "the secret";

/** A guest with granted folders. */
export type TestGuest = {
  /** `granted` is granted for reading and writing; beside it lies `secret.txt`. */
  readonly host: { readonly top: string; readonly granted: string };
  readonly root: OpenDirectory;
  readonly audits: string[];
  setFolders(folders: readonly GrantedFolder[]): void;
  /** The granted folders anew, by their guest paths. */
  folder(guestPath: string): OpenDirectory;
  readonly openCount: () => number;
  [Symbol.dispose](): void;
};

/** A folder as it is granted. */
export function granted(hostPath: string, guestPath: string, options: Partial<GrantedFolder> = {}): GrantedFolder {
  return { hostPath, guestPath, canRead: true, canWrite: true, deniedPaths: [], ...options };
}

/** Makes the folder and a guest that sees it as `/data`. */
export function openTestGuest(tree: HostTree, options: { readonly openHandlesMax?: number } = {}): TestGuest {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "guest-files-")));
  const host = { top, granted: join(top, "granted") };
  mkdirSync(host.granted);
  writeFileSync(join(top, "secret.txt"), SECRET);
  let rights: LocalRights = { folders: [granted(host.granted, "/data")], env: {} };
  const audits: string[] = [];
  const files = createGuestFiles({
    line: { rights: () => rights, audit: (permission, outcome) => void audits.push(`${outcome} ${permission}`) },
    openHandlesMax: options.openHandlesMax ?? 100,
    tree,
  });
  const folder = (guestPath: string): OpenDirectory => {
    const found = files.preopens().find((each) => each.guestPath === guestPath);
    if (found === undefined) throw new Error(`no folder ${guestPath}`);
    return found.directory;
  };
  return {
    host,
    root: folder("/data"),
    audits,
    setFolders: (folders) => void (rights = { ...rights, folders }),
    folder,
    openCount: () => files.openCount(),
    [Symbol.dispose]() {
      files.close();
      files.close();
      const secret = readFileSync(join(top, "secret.txt"), "utf8");
      rmSync(top, { recursive: true });
      if (secret !== SECRET) throw new Error("the secret was changed");
    },
  };
}

/** For reading what is there. */
export const READ: OpenHow = {
  follow: true,
  read: true,
  write: false,
  create: false,
  exclusive: false,
  truncate: false,
  directory: false,
  sync: "none",
};

/** For writing to what is there or is made. */
export const CREATE: OpenHow = { ...READ, write: true, create: true };

/** Opens a file. */
export function openFile(directory: OpenDirectory, path: string, how: Partial<OpenHow> = {}): OpenFile {
  return asFile(directory.openAt(path, { ...READ, ...how }));
}

/** Opens a directory. */
export function openFolder(directory: OpenDirectory, path: string, how: Partial<OpenHow> = {}): OpenDirectory {
  const opened = directory.openAt(path, { ...READ, directory: true, ...how });
  if (opened.kind !== "directory") throw new Error("not a directory");
  return opened;
}

function asFile(opened: Descriptor): OpenFile {
  if (opened.kind === "file") return opened;
  opened.close();
  throw new FileError("is-directory");
}

/** Writes a whole file. */
export function writeText(directory: OpenDirectory, path: string, text: string): void {
  const file = openFile(directory, path, { ...CREATE, truncate: true });
  try {
    file.write(Buffer.from(text), 0n);
  } finally {
    file.close();
  }
}

/** Reads a whole file. */
export function readText(directory: OpenDirectory, path: string, how: Partial<OpenHow> = {}): string {
  const file = openFile(directory, path, how);
  try {
    const bytes = Buffer.alloc(1_000);
    return bytes.toString("utf8", 0, file.read(bytes, 0n));
  } finally {
    file.close();
  }
}

/** The code of the `FileError` that it throws. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof FileError) return error.code;
    throw error;
  }
  return "done";
}
