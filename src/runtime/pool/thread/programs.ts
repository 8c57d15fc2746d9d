/** The programs of a pool thread, each prepared once for all its copies. */
import type { ThreadProgram } from "../thread-program.ts";
import { openComponentGuest } from "./component-guest.ts";
import { openCoreGuest } from "./core-guest.ts";
import type { LiveGuest, LiveGuestDeps } from "./live-guest.ts";

/** Keeps what copies are made from. */
export interface Programs {
  add(number: number, program: ThreadProgram): void;
  forget(number: number): void;
  /** Makes a copy; guest code may run at once. Rejects with what it threw or trapped on, and with `ImportMissing`. */
  instantiate(number: number, deps: LiveGuestDeps): Promise<LiveGuest>;
}

/** Knows no program yet. */
export function createPrograms(): Programs {
  const programs = new Map<number, ThreadProgram>();
  return {
    add: (number, program) => void programs.set(number, program),
    forget: (number) => void programs.delete(number),
    async instantiate(number, deps) {
      const program = programs.get(number);
      if (program === undefined) throw new Error(`program ${number} is not here`);
      return program.kind === "core" ? openCoreGuest(program.module, deps) : openComponentGuest(program, deps);
    },
  };
}
