/** The node's name for ever: kept in the data folder, made once from the host's name and chance. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entropy } from "../clock.ts";
import { fault, Reason } from "../fault.ts";

/** Whether `text` can name a node: 1 to 63 lower-case letters, digits and inner hyphens. */
export function isNodeId(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

/** A fresh name: the host's, made fit, and 8 random hex digits. Pure. */
export function nodeIdFromHostname(hostname: string, random: string): string {
  const host = hostname
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, "");
  return host === "" ? `node-${random}` : `${host}-${random}`;
}

/**
 * The id that was asked for, or else the one that the folder keeps, or else a fresh one, which is kept. Throws `INVALID_REQUEST` if the
 * one asked for is not valid or is not the one that the folder keeps: the journal in it belongs to that node.
 */
export async function settleNodeId(options: {
  readonly dataDir: string;
  readonly asked: string | undefined;
  readonly hostname: string;
  readonly entropy: Entropy;
}): Promise<string> {
  const file = join(options.dataDir, "node-id");
  const { asked } = options;
  if (asked !== undefined && !isNodeId(asked)) {
    throw fault(
      Reason.INVALID_REQUEST,
      `Cannot name node "${asked}": use 1 to 63 lower-case letters, digits and inner hyphens`,
      { subject: asked },
    );
  }
  const kept = await readKept(file);
  if (kept !== undefined) {
    if (asked === undefined || asked === kept) return kept;
    throw fault(
      Reason.INVALID_REQUEST,
      `Cannot name node "${asked}": data folder "${options.dataDir}" belongs to node "${kept}"`,
      { subject: asked },
    );
  }
  const nodeId = asked ?? nodeIdFromHostname(options.hostname, options.entropy.hex(4));
  await writeFile(`${file}.tmp`, `${nodeId}\n`);
  await rename(`${file}.tmp`, file);
  return nodeId;
}

async function readKept(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(file, "utf8")).trim();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  // An empty or torn file names nobody: a fresh id does no harm, since control planes see a new node.
  return isNodeId(text) ? text : undefined;
}
