/** Planned components on disk. An entry that is damaged counts as missing; deleting the folder is always safe. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ComponentPlan } from "./component/component-plan.ts";
import type { PlannedComponent } from "./component/plan-from-bytes.ts";

/** Keeps planned components by the digest of the component. */
export interface ComponentCache {
  /** The entry, or `undefined` if there is none that can be trusted. */
  get(digest: string): Promise<PlannedComponent | undefined>;
  /** Writes an entry; a reader sees all of it or nothing. */
  put(digest: string, component: PlannedComponent): Promise<void>;
}

/** An entry: the SHA-256 of all that follows, the length of the index, the index as JSON, then the core modules. */
type EntryIndex = {
  /** Of the component: an entry under the name of another is not taken for it. */
  readonly digest: string;
  readonly plan: ComponentPlan;
  readonly moduleBytes: readonly number[];
};

const SUFFIX = ".component";
const HASH_BYTES = 32;
const LENGTH_BYTES = 4;

/** What a cache may take on disk unless it is told otherwise: thousands of small components, dozens of large ones. */
const CACHE_MAX_BYTES = 1024 * 1024 * 1024;

/**
 * Opens the cache in `folder`, which is made when the first entry is written. `version` names what made the entries.
 * Beyond `maxBytes` the entries used longest ago go; one that is larger by itself is not kept.
 */
export function openComponentCache(
  folder: string,
  version: string,
  maxBytes: number = CACHE_MAX_BYTES,
): ComponentCache {
  const entries = join(folder, version);
  const path = (digest: string): string => join(entries, `${digest.replace("sha256:", "")}${SUFFIX}`);
  let writes = 0;
  return {
    async get(digest) {
      try {
        const component = componentFromEntry(digest, await readFile(path(digest)));
        const now = new Date();
        await utimes(path(digest), now, now);
        return component;
      } catch {
        // Lost: why the entry cannot be read. It is made anew, and that replaces it.
        return undefined;
      }
    },
    async put(digest, component) {
      const target = path(digest);
      writes += 1;
      const draft = `${target}.${process.pid}-${writes}`;
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      try {
        await writeFile(draft, entryFromComponent(digest, component));
        await rename(draft, target);
      } finally {
        await rm(draft, { force: true });
      }
      await trim(entries, basename(target), maxBytes);
    },
  };
}

/** Removes what was used longest ago; `newest` is what has just been written. */
async function trim(entries: string, newest: string, maxBytes: number): Promise<void> {
  const names = (await readdir(entries)).filter((name) => name.endsWith(SUFFIX));
  const files = await Promise.all(names.map(async (name) => ({ name, ...(await sizeAndUse(join(entries, name))) })));
  const usedMs = (file: { name: string; usedMs: number }): number =>
    file.name === newest ? Number.POSITIVE_INFINITY : file.usedMs;
  files.sort((left, right) => usedMs(right) - usedMs(left));
  let total = 0;
  for (const { name, bytes } of files) {
    total += bytes;
    if (total > maxBytes) await rm(join(entries, name), { force: true });
  }
}

async function sizeAndUse(path: string): Promise<{ bytes: number; usedMs: number }> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { bytes: size, usedMs: mtimeMs };
  } catch {
    // Lost: a file that another process has just removed. It takes no room.
    return { bytes: 0, usedMs: 0 };
  }
}

function entryFromComponent(digest: string, { plan, modules }: PlannedComponent): Buffer {
  const index: EntryIndex = { digest, plan, moduleBytes: modules.map(({ length }) => length) };
  const indexBytes = Buffer.from(JSON.stringify(index));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(indexBytes.length);
  const content = Buffer.concat([length, indexBytes, ...modules]);
  return Buffer.concat([createHash("sha256").update(content).digest(), content]);
}

/** Throws if the entry is not what was written. */
function componentFromEntry(digest: string, entry: Buffer): PlannedComponent {
  const content = entry.subarray(HASH_BYTES);
  if (!createHash("sha256").update(content).digest().equals(entry.subarray(0, HASH_BYTES)))
    throw new Error("the hash differs");
  let offset = LENGTH_BYTES + content.readUInt32LE(0);
  const index: EntryIndex = JSON.parse(content.subarray(LENGTH_BYTES, offset).toString());
  if (index.digest !== digest) throw new Error("it is of another component");
  const modules = index.moduleBytes.map((bytes) => {
    const module = new Uint8Array(content.subarray(offset, offset + bytes));
    offset += bytes;
    return module;
  });
  return { plan: index.plan, modules };
}
