/** How `wasi:filesystem/types` writes what the files below it say. Pure. */
import type { FileStat, NewTime, OpenHow, WriteSync } from "../files/descriptor.ts";
import { FileError, type FileErrorCode } from "../files/file-error.ts";
import { datetimeFromNs, type Datetime } from "./wasi-clocks.ts";
import { err, ok, type WitResult } from "./wit-result.ts";

/** Enum `error-code`. */
export type FileCode = Exclude<FileErrorCode, "too-many-open">;

/** Outcome of a file operation. */
export type Filed<T> = WitResult<T, FileCode>;

/** Variant `new-timestamp`. */
export type NewTimestamp =
  | { readonly tag: "no-change"; readonly val: undefined }
  | { readonly tag: "now"; readonly val: undefined }
  | { readonly tag: "timestamp"; readonly val: Datetime };

const NS_PER_S = 1_000_000_000n;

/** Does something with files; a `FileError` becomes `err`, anything else passes. */
export function filed<T>(operate: () => T): Filed<T> {
  try {
    return ok(operate());
  } catch (error) {
    if (error instanceof FileError) return err(fileCodeFrom(error.code));
    throw error;
  }
}

/** The interface has no word for the host's own limit of open files. */
export function fileCodeFrom(code: FileErrorCode): FileCode {
  return code === "too-many-open" ? "insufficient-memory" : code;
}

/** Record `descriptor-stat`. */
export function descriptorStatFrom(stat: FileStat): Record<string, unknown> {
  return {
    type: stat.type,
    "link-count": stat.linkCount,
    size: stat.size,
    "data-access-timestamp": datetimeFromNs(stat.accessedNs),
    "data-modification-timestamp": datetimeFromNs(stat.modifiedNs),
    "status-change-timestamp": datetimeFromNs(stat.changedNs),
  };
}

/** What to set a time to. Throws `invalid` for one that has more nanoseconds than a second. */
export function newTimeFrom(time: NewTimestamp): NewTime {
  if (time.tag === "no-change") return { kind: "keep" };
  if (time.tag === "now") return { kind: "now" };
  const { seconds, nanoseconds } = time.val;
  if (BigInt(nanoseconds) >= NS_PER_S) throw new FileError("invalid");
  const timeNs = seconds * NS_PER_S + BigInt(nanoseconds);
  // What the host takes for a time is signed.
  if (timeNs >= 2n ** 63n) throw new FileError("overflow");
  return { kind: "at", timeNs };
}

/** Puts the three flag arguments of `open-at` together. */
export function openHowFrom(
  pathFlags: readonly string[],
  openFlags: readonly string[],
  flags: readonly string[],
): OpenHow {
  return {
    follow: pathFlags.includes("symlink-follow"),
    read: flags.includes("read"),
    write: flags.includes("write"),
    create: openFlags.includes("create"),
    exclusive: openFlags.includes("exclusive"),
    truncate: openFlags.includes("truncate"),
    directory: openFlags.includes("directory"),
    sync: syncFrom(flags),
  };
}

/** Flags that say how a file is written. */
export function flagsFromSync(sync: WriteSync): readonly string[] {
  if (sync === "none") return [];
  return [sync === "all" ? "file-integrity-sync" : "data-integrity-sync"];
}

function syncFrom(flags: readonly string[]): WriteSync {
  if (flags.includes("file-integrity-sync")) return "all";
  return flags.includes("data-integrity-sync") ? "data" : "none";
}
