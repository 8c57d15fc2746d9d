/** What of its host a node lets instances be assigned: chosen by whoever runs the agent, and nothing by default. */
import { statSync } from "node:fs";
import { fault, Reason } from "../fault.ts";
import { absolutePathProblem, withoutTrailingSlash } from "../providers/files/host-path.ts";
import { realPathOnHost } from "../providers/files/real-path.ts";
import type { NodeShares } from "./guest-rights.ts";

/** As many as the contract lets an agent say of itself. */
const FOLDERS_MAX = 64;
const VARIABLES_MAX = 256;

/** Settings of ours, credentials among them, begin so. */
const OWN_PREFIX = "WASMATRIX_";

/**
 * Checks what is to be shared. Throws `INVALID_REQUEST` for a folder that is not absolute or not there, a variable that is our own, or more
 * than 64 folders or 256 variables.
 */
export function nodeShares(options: {
  /** Absolute. */
  readonly folders: readonly string[];
  readonly envNames: readonly string[];
  /** Absolute; never shared, also if they lie below a shared folder: the agent's data folder. */
  readonly neverShared?: readonly string[];
  /** The environment that the variables are taken from. */
  readonly env: Readonly<Record<string, string | undefined>>;
}): NodeShares {
  const folders = [...new Set(options.folders.map(withoutTrailingSlash))];
  const names = [...new Set(options.envNames)];
  if (folders.length > FOLDERS_MAX) throw tooMany("folders", FOLDERS_MAX, folders.length);
  if (names.length > VARIABLES_MAX) throw tooMany("variables", VARIABLES_MAX, names.length);
  for (const folder of folders) assertFolder(folder);
  for (const name of names) assertName(name);
  return {
    sharedFolders: folders,
    sharedEnv: Object.fromEntries(names.map((name) => [name, options.env[name]])),
    realPathOf: realPathOnHost,
    neverShared: options.neverShared ?? [],
  };
}

function assertFolder(folder: string): void {
  const problem = absolutePathProblem(folder) ?? (isFolder(folder) ? undefined : "is not a folder on this machine");
  if (problem === undefined) return;
  throw fault(Reason.INVALID_REQUEST, `Cannot share folder "${folder}": it ${problem}`, { subject: folder });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function assertName(name: string): void {
  const problem = name.toUpperCase().startsWith(OWN_PREFIX)
    ? `those that begin with ${OWN_PREFIX} are settings of Wasmatrix itself`
    : /^[^=*\s\p{Cc}]{1,255}$/u.test(name)
      ? undefined
      : "a name has 1 to 255 characters, without =, *, white space and control characters";
  if (problem === undefined) return;
  throw fault(Reason.INVALID_REQUEST, `Cannot share variable "${name}": ${problem}`, { subject: name });
}

function tooMany(what: string, most: number, got: number): Error {
  return fault(Reason.INVALID_REQUEST, `Cannot share ${what}: at most ${most} can be shared (got ${got})`);
}
