/**
 * A set of keys in UTF-8 byte order, as runs of bounded length: adding or removing one key moves at most one run, and a page
 * starts by binary search. Sorting a plain array per page would let one guest with many keys hold up the agent.
 */

/** A sorted set of well-formed keys. */
export interface SortedKeys {
  /** Adds a key that is not in the set yet. */
  add(key: string): void;
  /** Removes a key that is in the set. */
  remove(key: string): void;
  /** Keys greater than `after` (all if `undefined`), at most `maxKeys`. */
  after(after: string | undefined, maxKeys: number): string[];
}

const RUN_MAX_KEYS = 512;

/** Makes an empty set. */
export function createSortedKeys(): SortedKeys {
  // Never an empty run, except that there is always at least one run.
  const runs: string[][] = [[]];

  /** The run that holds `key`, or would. */
  const runIndexOf = (key: string): number => {
    // The last run that begins at or before the key.
    const beyond = partitionPoint(runs.length, (index) => {
      const first = runs[index]?.[0];
      return first !== undefined && compareByUtf8(first, key) <= 0;
    });
    return Math.max(0, beyond - 1);
  };

  return {
    add(key) {
      const runIndex = runIndexOf(key);
      const run = runs[runIndex] ?? [];
      run.splice(placeOf(run, key), 0, key);
      if (run.length > RUN_MAX_KEYS) runs.splice(runIndex + 1, 0, run.splice(RUN_MAX_KEYS / 2));
    },
    remove(key) {
      const runIndex = runIndexOf(key);
      const run = runs[runIndex] ?? [];
      run.splice(placeOf(run, key), 1);
      if (run.length === 0 && runs.length > 1) runs.splice(runIndex, 1);
    },
    after(after, maxKeys) {
      const found: string[] = [];
      const first = after === undefined ? 0 : runIndexOf(after);
      for (let index = first; index < runs.length && found.length < maxKeys; index += 1) {
        const run = runs[index] ?? [];
        const start =
          after === undefined || index > first
            ? 0
            : partitionPoint(run.length, (at) => compareByUtf8(run[at] ?? "", after) <= 0);
        found.push(...run.slice(start, start + maxKeys - found.length));
      }
      return found;
    },
  };
}

/**
 * Compares well-formed strings as their UTF-8 bytes compare. JavaScript's own order differs where a surrogate pair
 * (U+10000 and up) meets U+E000 to U+FFFF.
 */
export function compareByUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Surrogates rank above every other code unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Where `key` is in `run`, or belongs. */
function placeOf(run: readonly string[], key: string): number {
  return partitionPoint(run.length, (index) => compareByUtf8(run[index] ?? "", key) < 0);
}

/** The first index below `length` for which `isBefore` does not hold; it must hold for a prefix. */
function partitionPoint(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
