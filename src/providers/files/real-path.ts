/** Paths of this host with their symlinks resolved. */
import { realpathSync } from "node:fs";

/** Where `path` leads, or `undefined` if nothing is there, or nothing that this process may see. */
export function realPathOnHost(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    // Missing, forbidden, a loop of links: for a grant it is all the same, there is no folder to give.
    return undefined;
  }
}
