/** Which Node can run this program. Uses nothing that an older Node lacks. */

/** The oldest major version; the same as in package.json's `engines`. */
const OLDEST_NODE_MAJOR = 24;

/** What to tell a user whose Node is too old; undefined if `version` (`process.versions.node`) will do. */
export function nodeTooOld(version: string): string | undefined {
  if (Number.parseInt(version, 10) >= OLDEST_NODE_MAJOR) return undefined;
  return `error: Cannot run under Node ${version}: wasmatrix needs Node ${String(OLDEST_NODE_MAJOR)} or newer`;
}
