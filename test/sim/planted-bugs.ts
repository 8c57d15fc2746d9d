/** Bugs that the simulator must find: the measure of what it can see. Only its own tests plant them. */

/** A change of the production code that breaks one of its promises. */
export type PlantedBug = {
  readonly name: string;
  /** From the repository's root. */
  readonly file: string;
  /** Text that is there exactly once. */
  readonly find: string;
  readonly replace: string;
  /** It is found within so many seeds from 1 on. */
  readonly withinSeeds: number;
};

/** All of them. */
export const PLANTED_BUGS: readonly PlantedBug[] = [];
