/** What an instance may do that is carried out in its own thread: granted folders, and the environment that it sees. */

/**
 * A folder of the host that an instance sees. Two folders may lie one in the other; each then says by itself all
 * that may be done below it.
 */
export type GrantedFolder = {
  /** Absolute path under which the guest sees it; no two folders of an instance have the same. */
  readonly guestPath: string;
  /** Absolute path on the host, symlinks resolved, without a slash at the end. Must be opened as a folder and without following symlinks anew. */
  readonly hostPath: string;
  /** Listing, reading, asking for the state of what is there. At least one of the two is true. */
  readonly canRead: boolean;
  /** Creating, changing, renaming, removing. */
  readonly canWrite: boolean;
  /** Places strictly below `hostPath` where less may be done. */
  readonly deniedPaths: readonly DeniedPath[];
  /** The permissions by which it may be read and written, as they were assigned; for counting, through `folderPermission`. */
  readonly grantedBy?: { readonly read: string | undefined; readonly write: string | undefined };
};

/**
 * A place that was taken off a granted folder: what is denied is denied there and for everything below, by whatever path
 * (symlink, hard link, rename) the guest comes. A folder that has such a place below it may not be renamed or removed
 * either, for the place would then be found under another path.
 */
export type DeniedPath = {
  /** As in `GrantedFolder`, except that nothing need exist there. */
  readonly hostPath: string;
  /** At least one of the two is true. */
  readonly isReadDenied: boolean;
  readonly isWriteDenied: boolean;
};

/** All of it, with denials already taken off. Compared by identity: a change is a new object. */
export type LocalRights = {
  readonly folders: readonly GrantedFolder[];
  /** Variables that the guest sees: those of its start order, and those of the node that it was granted. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * Whether a WASIX program may open connections to public addresses: as `http:request` permits requests to all of them,
   * unless any http permission is denied, for raw connections cannot be told by domain.
   */
  readonly sockets?: boolean;
};

/** The permission that lets a guest into `folder`, or would: the name under which `GuestLine.audit` counts it. */
export function folderPermission(
  folder: Pick<GrantedFolder, "hostPath" | "guestPath" | "grantedBy">,
  access: "read" | "write",
): string {
  const seen = folder.guestPath === folder.hostPath ? "" : `::${folder.guestPath}`;
  return folder.grantedBy?.[access] ?? `fs:${access}:${folder.hostPath}${seen}`;
}
