/** Numbers that stand for a provider's cursors, which are text. */

/** Cursors that a guest may keep at a time; older ones are forgotten. */
const CURSORS_MAX = 256;

/** Gives numbers to cursors. */
export interface CursorTable {
  add(cursor: string): bigint;
  /** `undefined` for a number that was never given, or long ago. */
  get(number: bigint): string | undefined;
}

/** Makes an empty table. */
export function createCursorTable(): CursorTable {
  const byNumber = new Map<bigint, string>();
  let last = 0n;
  return {
    add(cursor) {
      last += 1n;
      byNumber.set(last, cursor);
      byNumber.delete(last - BigInt(CURSORS_MAX));
      return last;
    },
    get: (number) => byNumber.get(number),
  };
}
