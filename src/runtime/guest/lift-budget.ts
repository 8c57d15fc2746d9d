/**
 * Bounds what a guest may make the host hold: what one call copies out of its memory (a list may name the same bytes
 * a thousand times), and the handles that it keeps. `component-glue.ts` puts the calls into jco's glue.
 */

/** What one call may pass, in bytes: more than any host function takes. */
export const LIFT_MAX_BYTES: number = 16 * 1024 * 1024;

/** Handles that a guest may hold at a time. It serves one request at a time, which needs about ten. */
export const HANDLES_MAX: number = 1_024;

/** About what one element of a list costs the host beside its bytes. */
const ELEMENT_BYTES = 256;

/** Text lies on the thread's heap, where room is scarcer, and may take two bytes a character. */
const TEXT_FACTOR = 4;

/** The account of a guest. */
export interface LiftBudget {
  /** A call begins. */
  begin(): void;
  /** Counts bytes; throws when there are too many, which traps the guest. */
  charge(bytes: number): void;
  /** An element is added to a list. */
  element(): void;
  /** A counted `buffer.slice`. */
  copy(buffer: ArrayBuffer, start: number, end: number): ArrayBuffer;
  /** The guest gets a handle; throws when it has too many. */
  opened(): void;
  /** The guest gives a handle back. */
  closed(): void;
}

/** Makes the account of one guest. */
export function createLiftBudget(): LiftBudget {
  let usedBytes = 0;
  let handles = 0;
  const budget: LiftBudget = {
    begin() {
      usedBytes = 0;
    },
    charge(bytes) {
      usedBytes += bytes;
      if (usedBytes > LIFT_MAX_BYTES)
        throw new Error(`passed more than ${LIFT_MAX_BYTES} bytes to the host in one call`);
    },
    element: () => budget.charge(ELEMENT_BYTES),
    copy(buffer, start, end) {
      budget.charge(end - start);
      return buffer.slice(start, end);
    },
    opened() {
      handles += 1;
      if (handles > HANDLES_MAX) throw new Error(`holds more than ${HANDLES_MAX} handles of host resources`);
    },
    closed() {
      handles -= 1;
    },
  };
  return budget;
}

/** A `TextDecoder` that counts what it decodes. */
export function countingTextDecoder(budget: LiftBudget): typeof TextDecoder {
  return class extends TextDecoder {
    override decode(...[input, options]: Parameters<TextDecoder["decode"]>): string {
      budget.charge((input?.byteLength ?? 0) * TEXT_FACTOR);
      return super.decode(input, options);
    }
  };
}
