/**
 * Bounds what one call of a guest may copy out of its memory. A list may name the same bytes a thousand times, so a
 * guest with little memory could otherwise fill the agent's with one call. `component-glue.ts` puts the calls in.
 */

/** Bytes that one call may pass: more than any host function takes. */
export const LIFT_MAX_BYTES: number = 64 * 1024 * 1024;

/** About what one element of a list costs the host beside its bytes. */
const ELEMENT_BYTES = 128;

/** The account of the call that is going on. */
export interface LiftBudget {
  /** A call begins. */
  begin(): void;
  /** Counts bytes; throws when there are too many, which traps the guest. */
  charge(bytes: number): void;
  /** An element is added to a list. */
  element(): void;
  /** A counted `buffer.slice`. */
  copy(buffer: ArrayBuffer, start: number, end: number): ArrayBuffer;
}

/** Makes the account of one guest. */
export function createLiftBudget(): LiftBudget {
  let usedBytes = 0;
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
  };
  return budget;
}

/** A `TextDecoder` that counts what it decodes. */
export function countingTextDecoder(budget: LiftBudget): typeof TextDecoder {
  return class extends TextDecoder {
    override decode(...[input, options]: Parameters<TextDecoder["decode"]>): string {
      budget.charge(input?.byteLength ?? 0);
      return super.decode(input, options);
    }
  };
}
