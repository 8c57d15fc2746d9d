/** Plans components, one at a time, in a process of its own that is ended when one takes too long or none came for a while. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import { fault, Reason, type Fault } from "../fault.ts";
import { PLAN_VERSION } from "./component/component-plan.ts";
import type { PlannedComponent } from "./component/plan-from-bytes.ts";
import type { PlanAnswer, PlanOrder } from "./plan-process.ts";
import { malformed } from "./wasm-reader.ts";

/** How entries of the cache are made and laid out; part of the name of their folder. */
export const COMPILER_VERSION: string = `plan-${PLAN_VERSION}-entry-2`;

/** Plans components. */
export interface ComponentCompiler {
  /** Throws what `planFromBytes` throws, and `START_TIMED_OUT` when it takes too long. */
  plan(component: Uint8Array): Promise<PlannedComponent>;
  /** Ends the process, if there is one; what waits rejects. May be called twice. */
  close(): Promise<void>;
}

const PROCESS_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "./plan-process.ts" : "./plan-process.js", import.meta.url),
);

/** A process that outgrows this ends alone; a thread would take the agent along. */
const HEAP_MAX_MB = 1024;

/** Starting a process takes longer than planning a component, and components often come several at a time. */
const IDLE_MAX_MS = 10_000;

/** Makes a compiler; it holds no process until it is used. */
export function createComponentCompiler(clock: Clock, timeoutMs: number): ComponentCompiler {
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let current: ChildProcess | undefined;
  let refuse: ((why: Fault) => void) | undefined;
  let cancelIdle = (): void => {};

  function boot(): ChildProcess {
    const child = fork(PROCESS_FILE, [], {
      env: {},
      execArgv: [`--max-old-space-size=${HEAP_MAX_MB}`],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    // It waits for work; the agent need not wait for it.
    child.unref();
    child.channel?.unref();
    return child;
  }

  function discard(): void {
    cancelIdle();
    current?.removeAllListeners();
    // Lost: a process that cannot be told to end because it has ended already.
    current?.on("error", () => undefined);
    current?.kill("SIGKILL");
    current = undefined;
  }

  async function run(component: Uint8Array): Promise<PlannedComponent> {
    if (isClosed) throw fault(Reason.SHUTTING_DOWN, "Cannot compile module: the runtime is closed");
    cancelIdle();
    current ??= boot();
    const child = current;
    const outcome = Promise.withResolvers<PlanAnswer>();
    refuse = outcome.reject;
    const cancel = clock.after(timeoutMs, () =>
      outcome.reject(fault(Reason.START_TIMED_OUT, `Cannot compile module: it takes longer than ${timeoutMs} ms`)),
    );
    child.once("message", outcome.resolve);
    child.once("error", (cause) =>
      outcome.reject(fault(Reason.INTERNAL, "Cannot compile module: the compiler cannot be started", { cause })),
    );
    child.once("exit", () =>
      outcome.reject(malformed("the compiler ended without an answer, probably for lack of memory")),
    );
    child.channel?.ref();
    // Lost: a failure to send, which means that the process has ended; its exit says so.
    child.send({ component } satisfies PlanOrder, () => undefined);
    try {
      const answer = await outcome.promise;
      child.removeAllListeners();
      child.channel?.unref();
      cancelIdle = clock.after(IDLE_MAX_MS, discard);
      if (answer.kind === "planned") return answer.planned;
      throw fault(answer.reason, answer.message, { subject: answer.subject });
    } catch (error) {
      // A process whose work was refused is as good as new; any other may be in the middle of it.
      if (child.listenerCount("exit") > 0) discard();
      throw error;
    } finally {
      cancel();
      refuse = undefined;
    }
  }

  return {
    plan(component) {
      const result = last.then(() => run(component));
      // Lost: how the one before ended; its own caller has it.
      last = result.catch(() => undefined);
      return result;
    },
    async close() {
      isClosed = true;
      refuse?.(fault(Reason.SHUTTING_DOWN, "Cannot compile module: the runtime is closing"));
      await last;
      discard();
    },
  };
}
