/** A compiled program in the agent's thread. */
import type { ThreadProgram } from "./thread-program.ts";

/** See the top of the file. One object for all guests of a module under one memory limit. */
export type LoadedProgram = {
  readonly threadProgram: ThreadProgram;
  /** Linear memories that each copy has. */
  readonly memoryCount: number;
};
