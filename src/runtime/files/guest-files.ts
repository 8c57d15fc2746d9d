/** The files of one copy of a guest: its granted folders, and whatever it opens below them. */
import type { GuestLine } from "../host/guest-line.ts";
import type { OpenDirectory } from "./descriptor.ts";
import { createFilesContext } from "./files-context.ts";
import { createFolderGrant } from "./folder-grant.ts";
import { hostTree, openHostDirectory, type HostTree } from "./host-directory.ts";
import { HostFolder } from "./host-folder.ts";

/** What a guest's files stand on. */
export type GuestFilesDeps = {
  readonly line: Pick<GuestLine, "rights" | "audit">;
  /** Files and directories that may be open at a time, granted folders not counted; one more throws `HandleLimit`. */
  readonly openHandlesMax: number;
  /** How the host's directories are held; the machine's own way if left out. */
  readonly tree?: HostTree;
};

/** A granted folder, as a guest finds it. */
export type Preopen = { readonly guestPath: string; readonly directory: OpenDirectory };

/** See the top of the file. */
export interface GuestFiles {
  /** The folders that are granted now, each as a new directory, which whoever asked closes. Nothing is opened on the host before one is used. */
  preopens(): readonly Preopen[];
  /** What is open now, granted folders not counted. */
  openCount(): number;
  /** Closes whatever is still open. May be called twice. */
  close(): void;
}

/** Makes the files of one copy. */
export function createGuestFiles({ line, openHandlesMax, tree = hostTree }: GuestFilesDeps): GuestFiles {
  const context = createFilesContext(tree, openHandlesMax);
  return {
    preopens() {
      return line.rights().folders.map((folder) => ({
        guestPath: folder.guestPath,
        directory: new HostFolder({
          context,
          grant: createFolderGrant(line, folder),
          open: () => openHostDirectory(tree, folder.hostPath),
          isCounted: false,
        }),
      }));
    },
    openCount: () => context.openCount(),
    close: () => context.closeAll(),
  };
}
