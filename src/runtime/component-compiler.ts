/** Transpiles components, one at a time, each in a thread of its own that is ended when it takes too long. */
import { Worker } from "node:worker_threads";
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import type { TranspiledComponent } from "./component-glue.ts";
import type { TranspileAnswer, TranspileOrder } from "./transpile-worker.ts";
import { malformed } from "./wasm-reader.ts";

/** What the compiler is and how its output is shaped; part of every cache entry's name. A test holds it to the installed jco-transpile. */
export const COMPILER_VERSION: string = "jco-transpile-0.15.0-glue-2";

/** Transpiles components. */
export interface ComponentCompiler {
  /** Throws `MODULE_MALFORMED`, and `START_TIMED_OUT` when it takes too long. */
  transpile(component: Uint8Array): Promise<TranspiledComponent>;
  /** Ends the thread, if there is one; what waits rejects. May be called twice. */
  close(): Promise<void>;
}

const WORKER_FILE = new URL(
  import.meta.url.endsWith(".ts") ? "./transpile-worker.ts" : "./transpile-worker.js",
  import.meta.url,
);

/** A 14 MB component takes 340 MB; one that takes much more ends its thread, not the agent. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 1024, stackSizeMb: 8 } as const;

/** Makes a compiler; it holds no thread until it is used. */
export function createComponentCompiler(clock: Clock, timeoutMs: number): ComponentCompiler {
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let endCurrent: () => Promise<void> = async () => {};

  async function run(component: Uint8Array): Promise<TranspiledComponent> {
    if (isClosed) throw fault(Reason.SHUTTING_DOWN, "Cannot compile module: the runtime is closed");
    const worker = new Worker(WORKER_FILE, {
      workerData: { component } satisfies TranspileOrder,
      env: {},
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
      name: "transpile",
      resourceLimits: RESOURCE_LIMITS,
    });
    const outcome = Promise.withResolvers<TranspileAnswer>();
    const cancel = clock.after(timeoutMs, () =>
      outcome.reject(fault(Reason.START_TIMED_OUT, `Cannot compile module: it takes longer than ${timeoutMs} ms`)),
    );
    worker.once("message", outcome.resolve);
    worker.once("error", (cause) =>
      outcome.reject(fault(Reason.INTERNAL, "Cannot compile module: the compiler failed", { cause })),
    );
    worker.once("exit", () => outcome.reject(fault(Reason.INTERNAL, "Cannot compile module: the compiler went away")));
    endCurrent = async () => {
      outcome.reject(fault(Reason.SHUTTING_DOWN, "Cannot compile module: the runtime is closing"));
      await worker.terminate();
    };
    worker.stdout.resume();
    worker.stderr.resume();
    try {
      const answer = await outcome.promise;
      if (answer.kind === "refused") throw malformed(`the compiler refuses it, ${answer.message}`);
      return answer.result;
    } finally {
      cancel();
      await worker.terminate();
    }
  }

  return {
    transpile(component) {
      const result = last.then(() => run(component));
      // Lost: how the one before ended; its own caller has it.
      last = result.catch(() => undefined);
      return result;
    },
    async close() {
      isClosed = true;
      await endCurrent();
      await last;
    },
  };
}
