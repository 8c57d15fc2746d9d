/** Items in an order, in pieces, so that an insertion moves a few hundred items and not all of them. */

/** See the top of the file. No two items may compare as equal. */
export interface SortedList<T> {
  readonly size: number;
  /** Does nothing if it is there already. */
  add(item: T): void;
  /** Does nothing if it is not there. */
  delete(item: T): void;
  /** The items for which `isBefore` does not hold, ascending; it must hold for a beginning of the list. Not to be changed meanwhile. */
  from(isBefore: (item: T) => boolean): Generator<T>;
}

/** A piece is cut in two when it grows beyond this. */
const PIECE_MAX = 512;
/** Additions that wait are sorted in one go if they are more than this share of the list. */
const MANY_SHARE = 0.1;

/** Makes an empty list. Additions wait until the next reading, so that building a large list costs one sort. */
export function createSortedList<T>(compare: (a: T, b: T) => number): SortedList<T> {
  let pieces: T[][] = [];
  let size = 0;
  let waiting: T[] = [];

  const pieceOf = (isBefore: (item: T) => boolean): number =>
    lowest(pieces.length, (index) => {
      const last = pieces[index]?.at(-1);
      return last === undefined || isBefore(last);
    });
  const insert = (item: T): void => {
    const isBefore = (each: T): boolean => compare(each, item) < 0;
    const at = Math.min(pieceOf(isBefore), pieces.length - 1);
    const piece = pieces[at] ?? [];
    if (pieces.length === 0) pieces.push(piece);
    const index = indexIn(piece, isBefore);
    const present = piece[index];
    if (present !== undefined && compare(present, item) === 0) return;
    piece.splice(index, 0, item);
    size += 1;
    if (piece.length > PIECE_MAX)
      pieces.splice(Math.max(at, 0), 1, piece.slice(0, PIECE_MAX / 2), piece.slice(PIECE_MAX / 2));
  };
  const takeIn = (): void => {
    if (waiting.length === 0) return;
    if (waiting.length > PIECE_MAX && waiting.length > size * MANY_SHARE) {
      const all = [...pieces.flat(), ...waiting].sort(compare);
      const each = all.filter((item, index) => index === 0 || compare(all[index - 1] ?? item, item) !== 0);
      size = each.length;
      pieces = Array.from({ length: Math.ceil(each.length / (PIECE_MAX / 2)) }, (_, index) =>
        each.slice((index * PIECE_MAX) / 2, ((index + 1) * PIECE_MAX) / 2),
      );
    } else {
      for (const item of waiting) insert(item);
    }
    waiting = [];
  };

  return {
    get size() {
      takeIn();
      return size;
    },
    add: (item) => void waiting.push(item),
    delete(item) {
      takeIn();
      const isBefore = (each: T): boolean => compare(each, item) < 0;
      const at = pieceOf(isBefore);
      const piece = pieces[at];
      if (piece === undefined) return;
      const index = indexIn(piece, isBefore);
      const present = piece[index];
      if (present === undefined || compare(present, item) !== 0) return;
      piece.splice(index, 1);
      size -= 1;
      if (piece.length === 0) pieces.splice(at, 1);
    },
    *from(isBefore) {
      takeIn();
      for (let at = pieceOf(isBefore); at < pieces.length; at++) {
        const piece = pieces[at] ?? [];
        for (let index = indexIn(piece, isBefore); index < piece.length; index++) {
          const item = piece[index];
          if (item !== undefined) yield item;
        }
      }
    },
  };
}

function indexIn<T>(piece: readonly T[], isBefore: (item: T) => boolean): number {
  return lowest(piece.length, (index) => {
    const item = piece[index];
    return item !== undefined && isBefore(item);
  });
}

/** The lowest index below `end` for which `isBefore` does not hold, or `end`. */
function lowest(end: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
