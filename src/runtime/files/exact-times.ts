/**
 * Sets times to the nanosecond, as guests expect. `node:fs` carries times as floating-point seconds, which near the
 * present are about 240 ns apart. So the disk gets the nearest time below, and the exact one is remembered here and given
 * back for as long as the disk still says what was set.
 */
import type { BigIntStats } from "node:fs";
import type { NewTime } from "./descriptor.ts";

/** Files whose exact times are remembered; the oldest is forgotten first and is then given to about 240 ns. */
export const EXACT_TIMES_MAX_FILES = 1_024;

type Exact = { readonly setNs: bigint; readonly storedNs: bigint };
type Entry = { accessed: Exact | undefined; modified: Exact | undefined };

/** A file whose times can be set. */
export type TimedFile = {
  readonly stat: () => BigIntStats;
  /** Calls one of the `utimes` functions of `node:fs` with two times that it takes. */
  readonly apply: (accessed: Date | string, modified: Date | string) => void;
};

/** See the top of the file. */
export interface ExactTimes {
  /** Sets times; `file` says of what. */
  set(file: TimedFile, accessed: NewTime, modified: NewTime): void;
  /** Times as they were set, or as the disk has them. */
  of(stat: BigIntStats): { readonly accessedNs: bigint; readonly modifiedNs: bigint };
}

/** Makes the memory of one guest. */
export function createExactTimes(): ExactTimes {
  const entries = new Map<string, Entry>();
  const exactOr = (exact: Exact | undefined, storedNs: bigint): bigint =>
    exact?.storedNs === storedNs ? exact.setNs : storedNs;

  return {
    set({ stat, apply }, accessed, modified) {
      const before = accessed.kind === "keep" || modified.kind === "keep" ? stat() : undefined;
      apply(hostTime(accessed, before?.atimeNs), hostTime(modified, before?.mtimeNs));
      if (accessed.kind !== "at" && modified.kind !== "at") return;
      const after = stat();
      const key = keyOf(after);
      const entry = entries.get(key) ?? { accessed: undefined, modified: undefined };
      if (accessed.kind === "at") entry.accessed = { setNs: accessed.timeNs, storedNs: after.atimeNs };
      if (modified.kind === "at") entry.modified = { setNs: modified.timeNs, storedNs: after.mtimeNs };
      entries.delete(key);
      entries.set(key, entry);
      const oldest = entries.size > EXACT_TIMES_MAX_FILES ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
    },
    of(stat) {
      const entry = entries.size === 0 ? undefined : entries.get(keyOf(stat));
      return {
        accessedNs: exactOr(entry?.accessed, stat.atimeNs),
        modifiedNs: exactOr(entry?.modified, stat.mtimeNs),
      };
    },
  };
}

const keyOf = (stat: BigIntStats): string => `${stat.dev}:${stat.ino}`;

/** libuv leaves a time alone if it is not a number, and takes infinity for now, from version 1.51 on. */
const [major = 0, minor = 0] = process.versions.uv.split(".").map(Number);
const knowsKeepAndNow = major > 1 || (major === 1 && minor >= 51);

function hostTime(time: NewTime, keptNs: bigint | undefined): Date | string {
  switch (time.kind) {
    case "keep":
      return knowsKeepAndNow ? new Date(Number.NaN) : secondsText(keptNs ?? 0n);
    case "now":
      return knowsKeepAndNow ? "Infinity" : secondsText(BigInt(Date.now()) * 1_000_000n);
    case "at":
      return secondsText(time.timeNs);
  }
}

/** As a string, because numbers below 0 (before 1970) mean "now" to `node:fs`. */
function secondsText(timeNs: bigint): string {
  const digits = (timeNs < 0n ? -timeNs : timeNs).toString().padStart(10, "0");
  return `${timeNs < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
