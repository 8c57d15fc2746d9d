/** Counts what a guest makes the host hold outside the guest's own memory: headers, bodies that wait for their request, cursors. */

/** What one guest may make the host hold; many requests at a time need a fraction of it. */
export const HELD_MAX_BYTES: number = 8 * 1024 * 1024;

/** The account of one guest. */
export interface HeldBytes {
  /** Bytes that may still be taken. */
  readonly left: number;
  /** Takes `bytes` if they are left; says whether it has. */
  take(bytes: number): boolean;
  /** Gives back what was taken. */
  give(bytes: number): void;
}

/** Makes an empty account. */
export function createHeldBytes(maxBytes: number = HELD_MAX_BYTES): HeldBytes {
  return new Account(maxBytes);
}

/** A class, because each copy of a guest has one: an object with a getter of its own costs the engine a hidden class. */
class Account implements HeldBytes {
  left: number;

  constructor(maxBytes: number) {
    this.left = maxBytes;
  }

  take(bytes: number): boolean {
    if (bytes > this.left) return false;
    this.left -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.left += bytes;
  }
}
