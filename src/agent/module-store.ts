/** Modules on disk, one file each, named by digest: `<dir>/<64 hex digits>.wasm`. */
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Entropy } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import type { Log } from "../log.ts";

/** Where modules are kept, and how many. */
export type ModuleStoreOptions = {
  /** Created if missing. */
  readonly dir: string;
  /** Longest module in bytes. Default 64 MiB. */
  readonly moduleMaxBytes?: number;
  /** All modules together, in bytes. Default 4 GiB. Modules that instances need are never dropped for it. */
  readonly totalMaxBytes?: number;
  /** Whether a live instance needs the module. */
  readonly isNeeded: (digest: string) => boolean;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
};

/** See the top of the file. */
export interface ModuleStore {
  /** Digests, most recently used first. */
  digests(): readonly string[];
  /** Marks a module as used now; false if it is not held. */
  touch(digest: string): Promise<boolean>;
  /** The bytes, verified; throws `MODULE_NOT_FOUND`. A file that no longer has its digest is removed and counts as missing. */
  read(digest: string): Promise<Uint8Array>;
  /**
   * Takes a module in pieces and keeps it once its digest is verified; durable when it returns. Throws
   * `MODULE_DIGEST_MISMATCH`, `MODULE_TOO_LARGE`, or `INTERNAL` if it cannot be written; then nothing is kept.
   */
  put(digest: string, chunks: AsyncIterable<Uint8Array>): Promise<{ readonly sizeBytes: number }>;
}

/** Longest module that is kept unless the options say otherwise. */
export const MODULE_MAX_BYTES: number = 64 * 1024 * 1024;

/** Opens the folder: leftovers of torn writes are removed, modules are listed by their last use. */
export async function openModuleStore(options: ModuleStoreOptions): Promise<ModuleStore> {
  const { dir, clock, log } = options;
  const moduleMaxBytes = options.moduleMaxBytes ?? MODULE_MAX_BYTES;
  const totalMaxBytes = options.totalMaxBytes ?? 4 * 1024 * 1024 * 1024;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  /** Held modules with their lengths, least recently used first. */
  const held = new Map<string, number>(await readHeld(dir));

  const fileOf = (digest: string): string => join(dir, `${digest.slice("sha256:".length)}.wasm`);

  const markUsed = async (digest: string): Promise<void> => {
    const sizeBytes = held.get(digest);
    if (sizeBytes === undefined) return;
    held.delete(digest);
    held.set(digest, sizeBytes);
    const now = new Date(clock.nowMs());
    // Only the order of eviction after the next boot is lost.
    await utimes(fileOf(digest), now, now).catch(() => undefined);
  };

  const drop = async (digest: string): Promise<void> => {
    held.delete(digest);
    await rm(fileOf(digest), { force: true });
  };

  const makeRoom = async (kept: string): Promise<void> => {
    let total = [...held.values()].reduce((sum, bytes) => sum + bytes, 0);
    for (const [digest, sizeBytes] of held) {
      if (total <= totalMaxBytes) return;
      if (digest === kept || options.isNeeded(digest)) continue;
      await drop(digest);
      total -= sizeBytes;
      log.info("module dropped", { digest, sizeBytes });
    }
  };

  return {
    digests: () => [...held.keys()].toReversed(),
    async touch(digest) {
      await markUsed(digest);
      return held.has(digest);
    },
    async read(digest) {
      const missing = (cause?: unknown): Error =>
        fault(Reason.MODULE_NOT_FOUND, `Cannot read module ${digest}: this node does not hold it`, {
          subject: digest,
          cause,
        });
      if (!held.has(digest)) throw missing();
      let bytes: Uint8Array;
      try {
        bytes = await readFile(fileOf(digest));
      } catch (error) {
        held.delete(digest);
        throw missing(error);
      }
      if (digestOf(bytes) !== digest) {
        log.error("module file was damaged and is removed", { digest });
        await drop(digest);
        throw missing();
      }
      await markUsed(digest);
      return bytes;
    },
    async put(digest, chunks) {
      const sizeBytes = await writeVerified({
        digest,
        chunks,
        file: fileOf(digest),
        moduleMaxBytes,
        nonce: options.entropy.hex(8),
      });
      held.set(digest, sizeBytes);
      await markUsed(digest);
      await makeRoom(digest);
      return { sizeBytes };
    },
  };
}

/** The digest of a module: `sha256:` and 64 hex digits. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Writes beside the final name, syncs, checks and renames, so that a name always stands for a whole, right module. */
async function writeVerified(input: {
  readonly digest: string;
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly file: string;
  readonly moduleMaxBytes: number;
  readonly nonce: string;
}): Promise<number> {
  const { digest, moduleMaxBytes } = input;
  const temporary = `${input.file}.${input.nonce}.tmp`;
  const hash = createHash("sha256");
  let sizeBytes = 0;
  try {
    const handle = await open(temporary, "wx");
    try {
      for await (const chunk of input.chunks) {
        sizeBytes += chunk.length;
        if (sizeBytes > moduleMaxBytes) {
          throw fault(Reason.MODULE_TOO_LARGE, `Cannot keep module ${digest}: it exceeds ${moduleMaxBytes} bytes`, {
            subject: digest,
          });
        }
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const actual = `sha256:${hash.digest("hex")}`;
    if (actual !== digest) {
      throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot keep module ${digest}: the bytes have digest ${actual}`, {
        subject: digest,
      });
    }
    await rename(temporary, input.file);
    return sizeBytes;
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z]+$/.test(error.code)) {
      throw fault(Reason.INTERNAL, `Cannot keep module ${digest}: the disk refused it (${error.code})`, {
        subject: digest,
        cause: error,
      });
    }
    throw error;
  }
}

async function readHeld(dir: string): Promise<readonly (readonly [string, number])[]> {
  const found: { digest: string; sizeBytes: number; usedMs: number }[] = [];
  for (const name of await readdir(dir)) {
    if (name.endsWith(".tmp")) await rm(join(dir, name), { force: true });
    const hex = /^([0-9a-f]{64})\.wasm$/.exec(name)?.[1];
    if (hex === undefined) continue;
    const { size, mtimeMs } = await stat(join(dir, name));
    found.push({ digest: `sha256:${hex}`, sizeBytes: size, usedMs: mtimeMs });
  }
  return found
    .toSorted((left, right) => left.usedMs - right.usedMs)
    .map(({ digest, sizeBytes }) => [digest, sizeBytes] as const);
}
