/** Whether a guest may do something below one of its folders, asked anew for every operation. */
import { sep } from "node:path";
import type { DeniedPath, GrantedFolder } from "../../providers/local-rights.ts";
import { folderPermission } from "../../providers/local-rights.ts";
import type { GuestLine } from "../host/guest-line.ts";
import { FileError } from "./file-error.ts";

/** The two rights that a folder can be granted with. */
export type Access = "read" | "write";

/** What a guest holds in a folder; lives as long as what was opened in it, longer maybe than the grant. */
export interface FolderGrant {
  readonly hostPath: string;
  readonly guestPath: string;
  /** Throws `not-permitted` unless the folder is granted for `access` now; the refusal is counted. */
  assert(access: Access): void;
  /** Throws `not-permitted` if `place` lies where `access` was denied; the refusal is counted. */
  assertPlace(access: Access, place: () => string): void;
  /** Throws `not-permitted` if `place`, or anything below it, was denied anything: it must stay where it is. */
  assertMovable(place: () => string): void;
  /** Whether both of `assert` and `assertPlace` would let it pass; counts nothing. */
  permits(access: Access, place: () => string): boolean;
  /** Whether any place in the folder is denied; if not, places need not be looked at. */
  hasDeniedPlaces(): boolean;
  /** Counts an operation that was let pass. */
  used(access: Access): void;
}

/** Makes the grant of one folder. */
export function createFolderGrant(line: Pick<GuestLine, "rights" | "audit">, first: GrantedFolder): FolderGrant {
  const { hostPath, guestPath } = first;
  let rights = line.rights();
  let folder = sameFolder(rights.folders);

  function sameFolder(folders: readonly GrantedFolder[]): GrantedFolder | undefined {
    return folders.find((each) => each.hostPath === hostPath && each.guestPath === guestPath);
  }

  function current(): GrantedFolder | undefined {
    const now = line.rights();
    if (now !== rights) {
      rights = now;
      folder = sameFolder(now.folders);
    }
    return folder;
  }

  function refuse(access: Access): never {
    line.audit(folderPermission(folder ?? first, access), "denied");
    throw new FileError("not-permitted");
  }

  const denied = (): readonly DeniedPath[] => current()?.deniedPaths ?? [];
  const isDeniedAt = (access: Access, place: () => string): boolean => {
    const paths = denied();
    if (paths.length === 0) return false;
    const here = place();
    return paths.some(
      (path) => (access === "read" ? path.isReadDenied : path.isWriteDenied) && isAtOrBelow(here, path.hostPath),
    );
  };
  const isGranted = (access: Access): boolean =>
    (access === "read" ? current()?.canRead : current()?.canWrite) ?? false;

  return {
    hostPath,
    guestPath,
    assert(access) {
      if (!isGranted(access)) refuse(access);
    },
    assertPlace(access, place) {
      if (isDeniedAt(access, place)) refuse(access);
    },
    assertMovable(place) {
      const paths = denied();
      if (paths.length === 0) return;
      const here = place();
      if (paths.some((path) => isAtOrBelow(path.hostPath, here))) refuse("write");
    },
    permits: (access, place) => isGranted(access) && !isDeniedAt(access, place),
    hasDeniedPlaces: () => denied().length > 0,
    used(access) {
      line.audit(folderPermission(folder ?? first, access), "used");
    },
  };
}

/** What Linux puts after the path of something that was opened and then removed. */
const REMOVED = " (deleted)";

function isAtOrBelow(place: string, above: string): boolean {
  const top = folded(above);
  const under = top.endsWith(sep) ? top : top + sep;
  return [place, place.endsWith(REMOVED) ? place.slice(0, -REMOVED.length) : place].some((each) => {
    const here = folded(each);
    return here === top || here.startsWith(under);
  });
}

/** Elsewhere than on Linux, one file answers to several spellings of its name; denying too many of them is safe. */
function folded(path: string): string {
  return process.platform === "linux" ? path : path.normalize("NFC").toLowerCase();
}
