/** The runtime that hosts each guest in a worker thread of its own. */
import { systemClock, type Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { openComponentCache } from "./component-cache.ts";
import { COMPILER_VERSION, createComponentCompiler } from "./component-compiler.ts";
import { createGuestThreads } from "./guest-threads.ts";
import { shapeFromBytes } from "./module-shape.ts";
import { compileCore, createProgramStore, type CompiledProgram } from "./program-store.ts";
import type { Guest, GuestStart, Runtime } from "./runtime.ts";
import { createWorkerGuest } from "./worker-guest.ts";

/** How the runtime works. */
export type RuntimeOptions = {
  /** Folder for compiled components; made if it is missing. Everything in it can be deleted at any time. */
  readonly cacheDir: string;
  /** The system's unless given. */
  readonly clock?: Clock;
  /** Guests at a time; one more throws `NODE_AT_CAPACITY`. Default 1,000: a guest's thread takes about 10 MB, and a process holds some 16,000 memories. */
  readonly guestsMax?: number;
  /** Compiled programs kept in memory. Default 64. */
  readonly programsMax?: number;
  /** Time to compile one module; more throws `START_TIMED_OUT`. Default 60,000. */
  readonly compileTimeoutMs?: number;
};

/** Makes a runtime. It holds no thread before the first guest starts, and from then on one that waits for the next. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { clock = systemClock, guestsMax = 1_000, programsMax = 64, compileTimeoutMs = 60_000 } = options;
  const compiler = createComponentCompiler(clock, compileTimeoutMs);
  const cache = openComponentCache(options.cacheDir, COMPILER_VERSION);
  const store = createProgramStore({ clock, cache, compiler, programsMax, compileTimeoutMs });
  const threads = createGuestThreads();
  const guests = new Set<Guest>();
  let loadingCount = 0;
  let isClosed = false;

  async function startGuest(start: GuestStart): Promise<Guest> {
    const { program, functions } = await load(start);
    assertOpen(start.id);
    const { guest, ready } = createWorkerGuest(start, { program, functions, clock, threads });
    guests.add(guest);
    void guest.ended.then(() => guests.delete(guest));
    await ready;
    threads.prepare();
    return guest;
  }

  async function load({ digest, readModule, limits }: GuestStart): Promise<CompiledProgram> {
    loadingCount += 1;
    try {
      return await store.load({ digest, readModule, memoryMaxBytes: limits.memoryMaxBytes });
    } finally {
      loadingCount -= 1;
    }
  }

  function assertOpen(id: string): void {
    if (isClosed)
      throw fault(Reason.SHUTTING_DOWN, `Cannot start instance "${id}": the runtime is closed`, { subject: id });
  }

  return {
    kinds: ["http", "command", "functions"],
    async inspect(module) {
      const shape = shapeFromBytes(module);
      if (shape.kind !== "http") await compileCore(new Uint8Array(module));
      return shape;
    },
    async start(start) {
      assertOpen(start.id);
      if (guests.size + loadingCount >= guestsMax) {
        throw fault(
          Reason.NODE_AT_CAPACITY,
          `Cannot start instance "${start.id}": ${guestsMax} guests run here already (guestsMax)`,
          { subject: start.id },
        );
      }
      return startGuest(start);
    },
    async close() {
      isClosed = true;
      await Promise.all([compiler.close(), threads.close(), ...[...guests].map((guest) => guest.kill())]);
    },
  };
}
