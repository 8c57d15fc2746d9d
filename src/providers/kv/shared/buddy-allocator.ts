/**
 * Places in a stretch of memory, by the buddy method: blocks are powers of two, and two free halves become one again. So whatever a guest
 * writes and deletes, what is free again can be used for any size. It only counts; the memory is elsewhere. Pure state.
 */

/** See the top of the file. */
export interface BuddyAllocator {
  /** Offset of a free block of at least `bytes`, or `undefined` if there is none. Lower ones come first, more or less. */
  take(bytes: number): number | undefined;
  /** Gives back the block at `offset`, which was taken for `bytes`. */
  give(offset: number, bytes: number): void;
}

/** Size of the smallest block. */
export const BLOCK_MIN_BYTES = 64;

/** Makes an allocator of `2 ** n` bytes, all free; `totalBytes` is rounded down to that. */
export function createBuddyAllocator(totalBytes: number): BuddyAllocator {
  const top = Math.floor(Math.log2(totalBytes / BLOCK_MIN_BYTES));
  const free: Set<number>[] = Array.from({ length: top + 1 }, () => new Set<number>());
  free[top]?.add(0);

  return {
    take(bytes) {
      const order = orderOf(bytes);
      let from = order;
      while (from <= top && free[from]?.size === 0) from += 1;
      const [offset] = free[from] ?? [];
      if (offset === undefined) return undefined;
      free[from]?.delete(offset);
      // The upper halves stay free.
      for (let split = from - 1; split >= order; split -= 1) free[split]?.add(offset + sizeOf(split));
      return offset;
    },
    give(offset, bytes) {
      let order = orderOf(bytes);
      let at = offset;
      for (; order < top; order += 1) {
        const size = sizeOf(order);
        const buddy = at % (2 * size) === 0 ? at + size : at - size;
        if (free[order]?.delete(buddy) !== true) break;
        at = Math.min(at, buddy);
      }
      free[order]?.add(at);
    },
  };
}

/** The size of the block that is taken for `bytes`. */
export function blockBytes(bytes: number): number {
  return sizeOf(orderOf(bytes));
}

function orderOf(bytes: number): number {
  return Math.max(0, Math.ceil(Math.log2(bytes / BLOCK_MIN_BYTES)));
}

function sizeOf(order: number): number {
  return BLOCK_MIN_BYTES * 2 ** order;
}
