/** Threads for guests: one each, never used twice, and one more that has booted already and waits for its guest. */
import { Worker } from "node:worker_threads";

/** Gives out threads. */
export interface GuestThreads {
  /** A thread that waits for a `GuestBoot` as its first message. It is the caller's, who terminates it. */
  take(): Worker;
  /** Boots a spare thread unless one waits already. Call it when nobody waits for the processor. */
  prepare(): void;
  /** Ends the spare thread. May be called twice. */
  close(): Promise<void>;
}

/** A JavaScript heap for the glue around the guest; linear memory is capped by rewriting the module. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 } as const;

const WORKER_FILE = new URL(
  import.meta.url.endsWith(".ts") ? "./guest/guest-worker.ts" : "./guest/guest-worker.js",
  import.meta.url,
);

/** Makes the supply; it holds no thread before the first `prepare`. */
export function createGuestThreads(): GuestThreads {
  let spare: Worker | undefined;
  let isClosed = false;

  const drop = (broken: Worker): void => {
    if (spare === broken) spare = undefined;
  };

  return {
    take() {
      const thread = spare ?? bootThread();
      spare = undefined;
      thread.removeAllListeners();
      return thread;
    },
    prepare() {
      if (spare !== undefined || isClosed) return;
      const thread = bootThread();
      spare = thread;
      // Lost: only the head start. The next guest boots a thread of its own, and meets the cause there if it persists.
      thread.once("error", () => drop(thread));
      thread.once("exit", () => drop(thread));
    },
    async close() {
      isClosed = true;
      const last = spare;
      spare = undefined;
      await last?.terminate();
    },
  };
}

function bootThread(): Worker {
  const thread = new Worker(WORKER_FILE, {
    env: {},
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    name: "guest",
    resourceLimits: RESOURCE_LIMITS,
  });
  // Nothing in the thread writes to these; were something to do so, it must not fill a buffer without end.
  thread.stdout.resume();
  thread.stderr.resume();
  return thread;
}
