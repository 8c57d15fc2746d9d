/**
 * Counts memory mappings, of which a process has only so many (65,530 on Linux unless told otherwise): at the limit the
 * engine ends the process instead of failing. A linear memory takes three with its guard regions, and reserves 8 GB of the
 * addresses; a call that waits takes two for its stack.
 */

const MAPPINGS_OF_MEMORY = 3;
const MAPPINGS_OF_COPY = 2;

/** Leaves a quarter for all else in the process, and for what threads have not given back yet. */
export const MAPPINGS_MAX: number = 48_000;

/** Counts what live copies take. */
export interface MappingBudget {
  /** Whether a copy with so many memories fits. */
  hasRoom(memoryCount: number): boolean;
  take(memoryCount: number): void;
  giveBack(memoryCount: number): void;
}

/** Makes an empty budget. */
export function createMappingBudget(max: number = MAPPINGS_MAX): MappingBudget {
  let taken = 0;
  return {
    hasRoom: (memoryCount) => taken + mappingsOf(memoryCount) <= max,
    take(memoryCount) {
      taken += mappingsOf(memoryCount);
    },
    giveBack(memoryCount) {
      taken -= mappingsOf(memoryCount);
    },
  };
}

/** Mappings that a copy may take. */
export function mappingsOf(memoryCount: number): number {
  return MAPPINGS_OF_COPY + MAPPINGS_OF_MEMORY * memoryCount;
}
