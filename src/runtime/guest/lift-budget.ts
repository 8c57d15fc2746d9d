/**
 * Bounds what a guest may make the host hold: what one call copies out of its memory (a list may name the same bytes
 * a thousand times), and the handles that it keeps. `component-glue.ts` puts the calls into jco's glue.
 */
import { getHeapStatistics } from "node:v8";

/** What one call may pass, in bytes: more than any host function takes. */
export const LIFT_MAX_BYTES: number = 16 * 1024 * 1024;

/**
 * Handles that a guest may hold at a time. A request needs about ten; a guest with a garbage collector of its own
 * (a JavaScript engine) gives them back only when that runs, after thousands of requests.
 */
export const HANDLES_MAX: number = 100_000;

/** Share of the heap's limit from which on a guest gets no more handles: what it holds is about to take the heap. */
const HEAP_SHARE_MAX = 0.6;

/** The heap is looked at once for so many handles. */
const HANDLES_PER_LOOK = 64;

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

/** Makes the account of one guest. `heapShare` says how much of the limit of its thread's heap is used, 0 to 1. */
export function createLiftBudget(heapShare: () => number = ownHeapShare): LiftBudget {
  let usedBytes = 0;
  let handlesEver = 0;
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
      handlesEver += 1;
      if (handles > HANDLES_MAX) throw new Error(`holds more than ${HANDLES_MAX} handles of host resources`);
      if (handlesEver % HANDLES_PER_LOOK === 0 && heapShare() > HEAP_SHARE_MAX)
        throw new Error("holds host resources that take too much memory");
    },
    closed() {
      handles -= 1;
    },
  };
  return budget;
}

function ownHeapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
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
