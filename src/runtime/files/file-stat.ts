/** What `node:fs` says of a file, in this folder's terms. */
import { hash } from "node:crypto";
import type { BigIntStats, Dirent } from "node:fs";
import type { FileStat, FileType, MetadataHash } from "./descriptor.ts";
import type { ExactTimes } from "./exact-times.ts";

/** Translates, with times as the guest itself may have set them. */
export function fileStatFrom(stat: BigIntStats, times: ExactTimes): FileStat {
  return {
    type: fileTypeOf(stat),
    device: stat.dev,
    inode: stat.ino,
    linkCount: stat.nlink,
    size: stat.size,
    ...times.of(stat),
    changedNs: stat.ctimeNs,
  };
}

/** The type of an entry or of a file. */
export function fileTypeOf(what: BigIntStats | Dirent): FileType {
  if (what.isFile()) return "regular-file";
  if (what.isDirectory()) return "directory";
  if (what.isSymbolicLink()) return "symbolic-link";
  if (what.isCharacterDevice()) return "character-device";
  if (what.isBlockDevice()) return "block-device";
  if (what.isFIFO()) return "fifo";
  if (what.isSocket()) return "socket";
  return "unknown";
}

/** Made of device and inode alone, because guests' libraries make their inode numbers of it. */
export function metadataHashOf(stat: BigIntStats): MetadataHash {
  const digest = hash("sha256", `${stat.dev}:${stat.ino}`, "buffer");
  return { lower: digest.readBigUInt64LE(0), upper: digest.readBigUInt64LE(8) };
}
