/** Transpiles components, one at a time, each in a process of its own that is ended when it takes too long. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import type { TranspiledComponent } from "./component-glue.ts";
import type { TranspileAnswer, TranspileOrder } from "./transpile-process.ts";
import { malformed } from "./wasm-reader.ts";

/** What the compiler is and how its output is shaped; part of every cache entry's name. A test holds it to the installed jco-transpile. */
export const COMPILER_VERSION: string = "jco-transpile-0.15.0-glue-3";

/** Transpiles components. */
export interface ComponentCompiler {
  /** Throws `MODULE_MALFORMED`, and `START_TIMED_OUT` when it takes too long. */
  transpile(component: Uint8Array): Promise<TranspiledComponent>;
  /** Ends the process, if there is one; what waits rejects. May be called twice. */
  close(): Promise<void>;
}

const PROCESS_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./transpile-process.ts" : "./transpile-process.js", import.meta.url),
);

/** A 14 MB component takes 340 MB. A process that outgrows this ends alone; a thread would take the agent along. */
const HEAP_MAX_MB = 1024;

/** Makes a compiler; it holds no process until it is used. */
export function createComponentCompiler(clock: Clock, timeoutMs: number): ComponentCompiler {
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let endCurrent = (): void => {};

  async function run(component: Uint8Array): Promise<TranspiledComponent> {
    if (isClosed) throw fault(Reason.SHUTTING_DOWN, "Cannot compile module: the runtime is closed");
    const child = fork(PROCESS_FILE, [], {
      env: {},
      execArgv: [`--max-old-space-size=${HEAP_MAX_MB}`],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const outcome = Promise.withResolvers<TranspileAnswer>();
    const gone = Promise.withResolvers<void>();
    const cancel = clock.after(timeoutMs, () =>
      outcome.reject(fault(Reason.START_TIMED_OUT, `Cannot compile module: it takes longer than ${timeoutMs} ms`)),
    );
    child.once("message", outcome.resolve);
    child.once("error", (cause) => {
      outcome.reject(fault(Reason.INTERNAL, "Cannot compile module: the compiler cannot be started", { cause }));
      gone.resolve();
    });
    child.once("exit", () => {
      outcome.reject(malformed("the compiler ended without an answer, probably for lack of memory"));
      gone.resolve();
    });
    endCurrent = () => outcome.reject(fault(Reason.SHUTTING_DOWN, "Cannot compile module: the runtime is closing"));
    // Lost: a failure to send, which means that the process has ended; its exit says so.
    child.send({ component } satisfies TranspileOrder, () => undefined);
    try {
      const answer = await outcome.promise;
      if (answer.kind === "refused") throw malformed(`the compiler refuses it, ${answer.message}`);
      return answer.result;
    } finally {
      cancel();
      child.kill("SIGKILL");
      await gone.promise;
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
      endCurrent();
      await last;
    },
  };
}
