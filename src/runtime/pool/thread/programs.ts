/** The programs of a pool thread, and what is made from them. */
import type { ThreadProgram } from "../thread-program.ts";
import { openComponentGuest } from "./component-guest.ts";
import { openCoreGuest } from "./core-guest.ts";
import { createGarbageWatch } from "./garbage-watch.ts";
import type { LiveGuest, LiveGuestDeps } from "./live-guest.ts";

/** A program, and the memory mappings that each copy takes. */
export type HeldProgram = { readonly program: ThreadProgram; readonly mappings: number };

/** Keeps what copies are made from. */
export interface Programs {
  add(number: number, held: HeldProgram): void;
  forget(number: number): void;
  /** Makes a copy; guest code may run at once. Rejects with what it threw or trapped on, and with `MODULE_IMPORT_UNKNOWN` before any guest code has run. */
  instantiate(number: number, deps: LiveGuestDeps): Promise<LiveGuest>;
}

/** Knows no program yet. */
export function createPrograms(): Programs {
  const programs = new Map<number, HeldProgram>();
  const garbage = createGarbageWatch();
  return {
    add: (number, { program, mappings }) => void programs.set(number, { program, mappings }),
    forget: (number) => void programs.delete(number),
    async instantiate(number, deps) {
      const held = programs.get(number);
      if (held === undefined) throw new Error(`program ${number} is not here`);
      const { program, mappings } = held;
      const guest =
        program.kind === "core" ? await openCoreGuest(program.module, deps) : openComponentGuest(program, deps);
      garbage.made(guest, mappings);
      return {
        call: (order, exchange) => guest.call(order, exchange),
        dispose() {
          guest.dispose();
          garbage.left(mappings);
        },
      };
    },
  };
}
