/** The runtime that hosts guests in worker threads. */
import { availableParallelism } from "node:os";
import { systemClock, type Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { openComponentCache } from "./component-cache.ts";
import { COMPILER_VERSION, createComponentCompiler } from "./component-compiler.ts";
import { createDeadlines } from "./pool/deadlines.ts";
import { createPool } from "./pool/pool.ts";
import { startPooledGuest } from "./pool/pooled-guest.ts";
import { createThreadSupply } from "./pool/thread-supply.ts";
import { createProgramStore, type CompiledProgram } from "./program-store.ts";
import type { Guest, GuestStart, Runtime } from "./runtime.ts";
import { startWasixGuest } from "./wasix/wasix-guest.ts";

/** How the runtime works. */
export type RuntimeOptions = {
  /** Folder for planned components; made if it is missing. Everything in it can be deleted at any time. */
  readonly cacheDir: string;
  /** The system's unless given. */
  readonly clock?: Clock;
  /** Guests at a time; one more throws `NODE_AT_CAPACITY`. Default 10,000: a process has room for some 16,000 memories. */
  readonly guestsMax?: number;
  /** Threads that guests share. Default: as many as cores, at least 2. */
  readonly poolThreadsMax?: number;
  /** Threads beside those for guests that keep others waiting. Default: as many as `poolThreadsMax`, at least 4. */
  readonly soloThreadsMax?: number;
  /** Guests with threads of their own (commands, and `isolation: dedicated`) at a time; one more throws `NODE_AT_CAPACITY`. Default 1,000: each takes about 10 MB. */
  readonly dedicatedThreadsMax?: number;
  /** JavaScript heap of each thread, in MiB; the guests' linear memories are not in it. Default 512. */
  readonly threadHeapMaxMb?: number;
  /** Compiled programs kept in memory. Default 64. */
  readonly programsMax?: number;
  /** Time to compile one module; more throws `START_TIMED_OUT`. Default 60,000. */
  readonly compileTimeoutMs?: number;
};

const POOL_THREADS_MIN = 2;
const SOLO_THREADS_MIN = 4;

/** Makes a runtime. It holds no thread before the first guest starts, and from then on one that waits to be needed. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const { clock = systemClock, guestsMax = 10_000, programsMax = 64, compileTimeoutMs = 60_000 } = options;
  const threadsMax = options.poolThreadsMax ?? Math.max(POOL_THREADS_MIN, availableParallelism());
  const compiler = createComponentCompiler(clock, compileTimeoutMs);
  const cache = openComponentCache(options.cacheDir, COMPILER_VERSION);
  const store = createProgramStore({ clock, cache, compiler, programsMax, compileTimeoutMs });
  const supply = createThreadSupply(options.threadHeapMaxMb ?? 512);
  const deadlines = createDeadlines(clock);
  const pool = createPool({
    clock,
    supply,
    counts: {
      threadsMax,
      soloThreadsMax: options.soloThreadsMax ?? Math.max(SOLO_THREADS_MIN, threadsMax),
      dedicatedThreadsMax: options.dedicatedThreadsMax ?? 1_000,
    },
  });
  const guests = new Set<Guest>();
  const wasixStarts = new Set<Promise<Guest>>();
  let loadingCount = 0;
  let isClosed = false;

  async function startGuest(start: GuestStart): Promise<Guest> {
    const compiled = await load(start);
    assertOpen(start.id);
    if (compiled.host === "wasix") return startWasix(start, compiled.module);
    const { kind, program, prepareInvoke } = compiled;
    const { guest, ready } = startPooledGuest(start, { kind, program, prepareInvoke, pool, clock, deadlines });
    note(guest);
    await ready;
    return guest;
  }

  async function startWasix(start: GuestStart, module: Uint8Array): Promise<Guest> {
    loadingCount += 1;
    const starting = startWasixGuest(start, module, { clock });
    wasixStarts.add(starting);
    try {
      const guest = await starting;
      note(guest);
      return guest;
    } finally {
      loadingCount -= 1;
      wasixStarts.delete(starting);
    }
  }

  function note(guest: Guest): void {
    guests.add(guest);
    void guest.ended.then(() => guests.delete(guest));
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
    kinds: ["http", "command", "messaging", "functions"],
    inspect: (module) => store.inspect(module),
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
      await Promise.all([
        compiler.close(),
        supply.close(),
        ...[...guests].map((guest) => guest.kill()),
        // Lost: why a start failed that nobody waits for any more; its caller has it.
        ...[...wasixStarts].map((starting) => starting.then((guest) => guest.kill()).catch(() => undefined)),
      ]);
      await pool.close();
      deadlines.close();
    },
  };
}
