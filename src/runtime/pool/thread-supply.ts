/** Worker threads, none of them used twice, and one more that has booted already and waits. */
import { Worker } from "node:worker_threads";
import type { ThreadWorker } from "./pool-thread.ts";
import { openThreadBoard, type ThreadBoard } from "./thread-board.ts";

/** A thread that serves the board. It is the taker's, who terminates it. */
export type SuppliedThread = { readonly worker: ThreadWorker; readonly board: ThreadBoard };

/** Gives out threads. */
export interface ThreadSupply {
  take(): SuppliedThread;
  /** Boots a spare thread unless one waits already. Call it when nobody waits for the processor. */
  prepare(): void;
  /** Ends the spare thread. May be called twice. */
  close(): Promise<void>;
}

const YOUNG_HEAP_MAX_MB = 16;
const STACK_MB = 4;

const WORKER_FILE = new URL(
  import.meta.url.endsWith(".ts") ? "./thread/thread-entry.ts" : "./thread/thread-entry.js",
  import.meta.url,
);

/**
 * Makes the supply; it holds no thread before the first `prepare`. `heapMaxMb` is what each thread's JavaScript heap may
 * take, without the linear memories of its guests, which are capped by rewriting their modules.
 */
export function createThreadSupply(heapMaxMb: number): ThreadSupply {
  let spare: BootedThread | undefined;
  let isClosed = false;

  const drop = (broken: BootedThread): void => {
    if (spare === broken) spare = undefined;
  };

  return {
    take() {
      const { worker, board } = spare ?? bootThread(heapMaxMb);
      spare = undefined;
      worker.removeAllListeners();
      return { worker: threadWorker(worker), board };
    },
    prepare() {
      if (spare !== undefined || isClosed) return;
      const thread = bootThread(heapMaxMb);
      spare = thread;
      // Lost: only the head start. The next taker boots a thread of its own, and meets the cause there if it persists.
      thread.worker.once("error", () => drop(thread));
      thread.worker.once("exit", () => drop(thread));
    },
    async close() {
      isClosed = true;
      const last = spare;
      spare = undefined;
      await last?.worker.terminate();
    },
  };
}

type BootedThread = { readonly worker: Worker; readonly board: ThreadBoard };

function threadWorker(worker: Worker): ThreadWorker {
  return {
    onMessage: (hear) => void worker.on("message", hear),
    onDeath(learn) {
      worker.on("error", learn);
      worker.on("exit", (code) => learn(new Error(`the thread went away with code ${code}`)));
    },
    postMessage: (message, moved) => worker.postMessage(message, moved),
    cpuUsage: () => worker.cpuUsage(),
    terminate: async () => void (await worker.terminate()),
  };
}

function bootThread(heapMaxMb: number): BootedThread {
  const board = openThreadBoard();
  const worker = new Worker(WORKER_FILE, {
    workerData: board.shared,
    env: {},
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    name: "guests",
    resourceLimits: {
      maxOldGenerationSizeMb: heapMaxMb,
      maxYoungGenerationSizeMb: YOUNG_HEAP_MAX_MB,
      stackSizeMb: STACK_MB,
    },
  });
  // Nothing in the thread writes to these; were something to do so, it must not fill a buffer without end.
  worker.stdout.resume();
  worker.stderr.resume();
  return { worker, board };
}
