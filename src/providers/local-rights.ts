/** What an instance may do that is carried out in its own thread: granted folders, and the environment that it sees. */

/** A folder of the host that an instance sees. */
export type GrantedFolder = {
  /** Absolute path under which the guest sees it. */
  readonly guestPath: string;
  /** Absolute path on the host. */
  readonly hostPath: string;
  readonly canRead: boolean;
  readonly canWrite: boolean;
};

/** All of it, with denials already taken off. Compared by identity: a change is a new object. */
export type LocalRights = {
  readonly folders: readonly GrantedFolder[];
  /** Variables that the guest sees: those of its start order, and those of the node that it was granted. */
  readonly env: Readonly<Record<string, string>>;
};
