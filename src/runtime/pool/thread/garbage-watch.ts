/**
 * Copies that are no more give their memory mappings back only when the engine collects them. It goes by bytes, and
 * thousands of small copies are few bytes; but a process that runs out of mappings is ended. So they are counted here, and
 * too many of them are collected at once.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** See the top of the file. */
export interface GarbageWatch {
  /** `guest` has been made, and holds so many mappings until it is collected. */
  made(guest: object, mappings: number): void;
  /** A guest that holds so many will not be used any more. */
  left(mappings: number): void;
}

/** Mappings of copies that are no more, in one thread; the budget of the process leaves room for as much in several. */
const GARBAGE_MAX = 2_000;

const TELLING_MS = 50;

/** Makes the watch of this thread. `collect` is the engine's collection of everything, at once. */
export function createGarbageWatch(collect: () => void = collectAll): GarbageWatch {
  let garbage = 0;
  let isCollecting = false;
  const collected = new FinalizationRegistry<number>((mappings) => {
    garbage -= mappings;
  });
  return {
    made: (guest, mappings) => collected.register(guest, mappings),
    left(mappings) {
      garbage += mappings;
      if (garbage <= GARBAGE_MAX || isCollecting) return;
      isCollecting = true;
      setImmediate(() => {
        collect();
        // What was collected is told in later turns; until then it would count once more.
        setTimeout(() => (isCollecting = false), TELLING_MS);
      });
    },
  };
}

let gc: (() => void) | undefined;

function collectAll(): void {
  gc ??= exposedGc();
  gc();
}

/** The engine shows it to contexts that are made while the flag is set. */
function exposedGc(): () => void {
  setFlagsFromString("--expose-gc");
  const exposed: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof exposed !== "function") throw new Error("this engine does not let itself be told to collect garbage");
  return () => exposed();
}
