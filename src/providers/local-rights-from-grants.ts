/** What the grants of an instance come to in its own thread. Pure, given how paths of the host resolve. */
import { fault, Reason, type Fault } from "../fault.ts";
import { isAtOrBelow } from "./files/host-path.ts";
import type { DeniedPath, GrantedFolder, LocalRights } from "./local-rights.ts";
import { permissionIfValid, type Grant } from "./permissions.ts";

/** What a node lets anybody have at all, and what the start order brings along. */
export type LocalShares = {
  /** Absolute folders; what is granted must be one of them or lie below one. */
  readonly sharedFolders: readonly string[];
  /** Variables of the node, by name; `undefined` for one that is shared but not set. Names that begin with `WASMATRIX_` are never shared. */
  readonly sharedEnv: Readonly<Record<string, string | undefined>>;
  /** Variables of the start order: the guest sees them unless they are denied, in place of the node's of the same name. */
  readonly ownEnv: Readonly<Record<string, string>>;
  /** Resolves symlinks; `undefined` where nothing is. Usually `realPathOnHost`. */
  readonly realPathOf: (path: string) => string | undefined;
  /** Absolute folders that nobody is ever given, though they may lie below a shared one: what the node itself lives on. */
  readonly neverShared?: readonly string[];
};

/**
 * The rights that `grants` stand for. Throws `NOT_SHARED` for a folder or variable that the node does not share or have, and
 * `PERMISSION_INVALID` for two folders that the guest would see as one. Call it when something is granted, so that the
 * caller hears of it then; what it returned for the same grants earlier may be out of date if links on the host were changed.
 *
 * A folder inside another granted folder also has what the outer one permits. Where a symlink leads decides, not how the path
 * is spelled: a granted link must lead into a shared folder, a denied one denies what it leads to and itself.
 */
export function localRightsFromGrants(grants: readonly Grant[], shares: LocalShares): LocalRights {
  return {
    folders: foldersFrom(grants, shares),
    env: envFrom(grants, shares),
    ...(mayOpenSockets(grants) ? { sockets: true } : {}),
  };
}

/** See `LocalRights.sockets`. */
function mayOpenSockets(grants: readonly Grant[]): boolean {
  const http = grants.filter((grant) => grant.type === "http");
  return (
    http.some((grant) => grant.permissions.includes("http:request")) &&
    http.every((grant) => grant.deniedPermissions.length === 0)
  );
}

type Access = "read" | "write";
type FolderGrant = {
  readonly text: string;
  readonly access: Access;
  readonly hostPath: string;
  readonly guestPath: string;
};
type FolderDenial = { readonly access: Access; readonly hostPath: string };

function foldersFrom(grants: readonly Grant[], shares: LocalShares): readonly GrantedFolder[] {
  const files = grants.filter((grant) => grant.type === "files");
  const shared = shares.sharedFolders.map((folder) => shares.realPathOf(folder) ?? folder);
  const granted = files.flatMap((grant) => grant.permissions).flatMap((text) => folderGrants(text, shared, shares));
  const never = neverShared(shares);
  for (const { text, hostPath } of granted) {
    if (!never.some((folder) => isAtOrBelow(folder.hostPath, hostPath))) continue;
    throw fault(Reason.NOT_SHARED, `Cannot grant "${text}": it is a folder of the node itself, which is never shared`, {
      subject: text,
    });
  }
  const denied = [
    ...files.flatMap((grant) => grant.deniedPermissions).flatMap((text) => folderDenials(text, shares)),
    ...never,
  ];

  const byGuestPath = new Map<string, FolderGrant>();
  for (const grant of granted) {
    const other = byGuestPath.get(grant.guestPath);
    if (other !== undefined && other.hostPath !== grant.hostPath) {
      throw fault(
        Reason.PERMISSION_INVALID,
        `Cannot grant "${grant.text}": the guest sees another folder there already, by "${other.text}"`,
        { subject: grant.text },
      );
    }
    byGuestPath.set(grant.guestPath, other ?? grant);
  }
  return [...byGuestPath.values()].flatMap((grant) => grantedFolder(grant, granted, denied));
}

/** Denied to everybody, whatever is granted: what lies there would make a guest master of the node. */
function neverShared({ neverShared: paths = [], realPathOf }: LocalShares): readonly FolderDenial[] {
  return paths.flatMap((path) =>
    (["read", "write"] as const).map((access) => ({ access, hostPath: realPathOf(path) ?? path })),
  );
}

function grantedFolder(
  { guestPath, hostPath }: FolderGrant,
  granted: readonly FolderGrant[],
  denied: readonly FolderDenial[],
): readonly GrantedFolder[] {
  const permissionFor = (access: Access): string | undefined => {
    if (denied.some((denial) => denial.access === access && isAtOrBelow(denial.hostPath, hostPath))) return undefined;
    const covering = granted.filter((other) => other.access === access && isAtOrBelow(other.hostPath, hostPath));
    // Its own permission is the one to count, if it has one.
    return (covering.find((other) => other.guestPath === guestPath) ?? covering[0])?.text;
  };
  const grantedBy = { read: permissionFor("read"), write: permissionFor("write") };
  const [canRead, canWrite] = [grantedBy.read !== undefined, grantedBy.write !== undefined];
  if (!canRead && !canWrite) return [];
  const deniedPaths = deniedBelow(hostPath, denied);
  return [{ guestPath, hostPath, canRead, canWrite, deniedPaths, grantedBy }];
}

function deniedBelow(hostPath: string, denied: readonly FolderDenial[]): readonly DeniedPath[] {
  const below = denied.filter((denial) => denial.hostPath !== hostPath && isAtOrBelow(hostPath, denial.hostPath));
  const paths = [...new Set(below.map((denial) => denial.hostPath))].toSorted();
  const isDenied = (path: string, access: Access): boolean =>
    below.some((denial) => denial.access === access && denial.hostPath === path);
  return paths.map((path) => ({
    hostPath: path,
    isReadDenied: isDenied(path, "read"),
    isWriteDenied: isDenied(path, "write"),
  }));
}

function folderGrants(text: string, sharedFolders: readonly string[], shares: LocalShares): readonly FolderGrant[] {
  const permission = permissionIfValid(text);
  if (permission?.kind !== "folder") return [];
  const { access, hostPath: asked, guestPath = asked } = permission;
  const hostPath = shares.realPathOf(asked);
  // Whether a path exists is told only of what is shared.
  if (hostPath === undefined && sharedFolders.some((folder) => isAtOrBelow(folder, asked))) {
    throw notShared(text, `there is no ${asked} on this node`);
  }
  if (hostPath === undefined || !sharedFolders.some((folder) => isAtOrBelow(folder, hostPath))) {
    const shown = shares.sharedFolders.length === 0 ? "it shares none" : `it shares ${shares.sharedFolders.join(", ")}`;
    throw notShared(text, `this node shares no folder that contains it (${shown})`);
  }
  return [{ text, access, hostPath, guestPath }];
}

function folderDenials(text: string, { realPathOf }: LocalShares): readonly FolderDenial[] {
  const permission = permissionIfValid(text);
  // What is not understood denies all.
  if (permission?.kind !== "folder") return ACCESSES.map((access) => ({ access, hostPath: "/" }));
  const { access, hostPath } = permission;
  return [...new Set([resolvedParent(hostPath, realPathOf), realPathOf(hostPath) ?? hostPath])].map((path) => ({
    access,
    hostPath: path,
  }));
}

/** The path with the links of its folders resolved, its own last part left as it is; what does not exist stays as written. */
function resolvedParent(path: string, realPathOf: LocalShares["realPathOf"]): string {
  const slash = path.lastIndexOf("/");
  const [parent, name] = [path.slice(0, slash) || "/", path.slice(slash + 1)];
  if (name === "") return "/";
  const real = realPathOf(parent) ?? (parent === "/" ? "/" : resolvedParent(parent, realPathOf));
  return real === "/" ? `/${name}` : `${real}/${name}`;
}

function envFrom(grants: readonly Grant[], { sharedEnv, ownEnv }: LocalShares): Readonly<Record<string, string>> {
  const environment = grants.filter((grant) => grant.type === "environment");
  const shared = new Map(Object.entries(sharedEnv).filter(([name]) => !name.startsWith(OWN_PREFIX)));
  const seen = new Map<string, string>();
  for (const text of environment.flatMap((grant) => grant.permissions)) {
    const permission = permissionIfValid(text);
    if (permission?.kind !== "env") continue;
    const { name } = permission;
    if (name !== "*" && !shared.has(name) && !Object.hasOwn(ownEnv, name)) {
      const shown = shared.size === 0 ? "it shares none" : `it shares ${[...shared.keys()].toSorted().join(", ")}`;
      throw notShared(text, `this node does not share that variable (${shown})`);
    }
    for (const one of name === "*" ? shared.keys() : [name]) {
      const value = shared.get(one);
      if (value !== undefined) seen.set(one, value);
    }
  }
  for (const [name, value] of Object.entries(ownEnv)) seen.set(name, value);
  for (const text of environment.flatMap((grant) => grant.deniedPermissions)) {
    const permission = permissionIfValid(text);
    // What is not understood denies all.
    if (permission?.kind !== "env" || permission.name === "*") seen.clear();
    else seen.delete(permission.name);
  }
  return Object.fromEntries(seen);
}

function notShared(text: string, problem: string): Fault {
  return fault(Reason.NOT_SHARED, `Cannot grant "${text}": ${problem}`, { subject: text });
}

/** The agent's own settings, credentials among them. */
const OWN_PREFIX = "WASMATRIX_";
const ACCESSES: readonly Access[] = ["read", "write"];
