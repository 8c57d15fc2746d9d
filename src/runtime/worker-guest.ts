/** A guest as the agent sees it: a thread, a queue of calls in front of it, and the one ending that it comes to. */
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import type { Clock } from "../clock.ts";
import { fault, isFault, Reason } from "../fault.ts";
import type { FunctionType } from "./core-module.ts";
import { createFetchCall } from "./fetch-call.ts";
import type { GuestCall } from "./guest-call.ts";
import {
  callerTooSlow,
  canceled,
  endingFromWorkerError,
  faultFromEnding,
  faultFromStart,
  notRunning,
} from "./guest-ending.ts";
import type { GuestThreads } from "./guest-threads.ts";
import { createInvokeCall } from "./invoke-call.ts";
import { afterLong } from "./long-timer.ts";
import type { Ending, Guest, GuestKind, GuestStart } from "./runtime.ts";
import {
  transferable,
  windowCost,
  type FromGuest,
  type GuestBoot,
  type GuestProgram,
  type ToGuest,
} from "./worker-protocol.ts";

/** What `startWorkerGuest` needs beside the start order. */
export type WorkerGuestDeps = {
  readonly program: GuestProgram;
  /** Types of the functions that `invoke` may call; empty unless the kind is `functions`. */
  readonly functions: ReadonlyMap<string, FunctionType>;
  readonly clock: Clock;
  readonly threads: GuestThreads;
};

/** After its caller has been sent away, a guest that was waiting for the caller gets this long to return. */
const LET_GO_MS = 1_000;

/** A call, and how to stop listening to its caller's signal. */
type QueuedCall = { readonly call: GuestCall; readonly unlisten: () => void };

/** A guest that boots, and the promise that it can take calls; that rejects, after the thread is gone, if it ends before. */
export type BootingGuest = { readonly guest: Guest; readonly ready: Promise<void> };

/** Gives the guest a thread. */
export function createWorkerGuest(start: GuestStart, deps: WorkerGuestDeps): BootingGuest {
  const { clock, program } = deps;
  const { limits } = start;
  const line = new MessageChannel();
  const wake = new SharedArrayBuffer(4);
  const wakeCounter = new Int32Array(wake);
  const boot: GuestBoot = {
    port: line.port2,
    wake,
    program,
    args: start.args,
    env: start.rights.env,
    stdin: new Uint8Array(start.stdin),
  };
  const worker = deps.threads.take();
  worker.postMessage(boot, [line.port2]);
  const queue: QueuedCall[] = [];
  const ended = Promise.withResolvers<Ending>();
  const ready = Promise.withResolvers<void>();
  let current: QueuedCall | undefined;
  let ending: Ending | undefined;
  let isDraining = false;
  /** Output taken that the guest has not been told of, as `windowCost` counts. */
  let outputTaken = 0;
  /** Resolves when a guest that drains has no call left, or has ended. */
  const idle = Promise.withResolvers<void>();
  let cancelTimer = afterLong(clock, limits.startTimeoutMs, () => exceed("startTimeoutMs"));

  function send(message: ToGuest): void {
    if (ending !== undefined) return;
    line.port1.postMessage(message, transferable(message));
    Atomics.add(wakeCounter, 0, 1);
    Atomics.notify(wakeCounter, 0);
  }

  /** The first reason counts; everything that waits for the guest learns of it now, `ended` when the thread is gone. */
  function end(first: Ending): void {
    if (ending !== undefined) return;
    ending = first;
    cancelTimer();
    ready.reject(faultFromStart(start.id, first, limits));
    current?.call.abandon(faultFromEnding(start.id, first));
    current?.unlisten();
    for (const { call, unlisten } of queue.splice(0)) {
      call.abandon(notRunning(start.id, "it ended before the call began"));
      unlisten();
    }
    line.port1.close();
    void worker.terminate().finally(() => {
      ended.resolve(first);
      idle.resolve();
    });
  }

  function exceed(limit: "callTimeoutMs" | "commandTimeoutMs" | "startTimeoutMs"): void {
    end({ kind: "limit", limit, message: `ran longer than ${limit} allows (${limits[limit] ?? 0} ms)` });
  }

  function begin(next: QueuedCall): void {
    const { call } = next;
    current = next;
    send(call.opening);
    cancelTimer = afterLong(clock, limits.callTimeoutMs, () => {
      if (!call.isHeldByCaller) return exceed("callTimeoutMs");
      // A slow or vanished caller holds the guest, which is not its fault: the caller goes, the guest may stay.
      call.abandon(callerTooSlow(start.id, limits));
      call.letGo();
      cancelTimer = afterLong(clock, LET_GO_MS, () => exceed("callTimeoutMs"));
    });
  }

  function finishCall(): void {
    cancelTimer();
    current?.unlisten();
    current = undefined;
    const next = queue.shift();
    if (next !== undefined) begin(next);
    else if (isDraining) idle.resolve();
  }

  function accept(message: FromGuest): void {
    switch (message.kind) {
      case "ready":
        cancelTimer();
        if (program.kind === "command" && limits.commandTimeoutMs !== undefined) {
          cancelTimer = afterLong(clock, limits.commandTimeoutMs, () => exceed("commandTimeoutMs"));
        }
        return ready.resolve();
      case "ended":
        return end(message.ending);
      case "refused":
        ready.reject(
          fault(Reason.MODULE_IMPORT_UNKNOWN, `Cannot start instance "${start.id}": ${message.message}`, {
            subject: message.importName,
          }),
        );
        return end({ kind: "host-failed", message: message.message });
      case "output":
        start.host.output(message.stream, message.bytes);
        return takeOutput(windowCost(message.bytes.length));
      case "kv":
        return void answerKv(message.call);
      default:
        if (current?.call.accept(message) === true) finishCall();
    }
  }

  /** Told once a turn: a guest that floods its output gets no second window within the same turn of the event loop. */
  function takeOutput(bytes: number): void {
    if (outputTaken === 0) setImmediate(tellOutputTaken);
    outputTaken += bytes;
  }

  function tellOutputTaken(): void {
    send({ kind: "outputTaken", bytes: outputTaken });
    outputTaken = 0;
  }

  async function answerKv(call: Parameters<GuestStart["host"]["kv"]>[0]): Promise<void> {
    const answer = await start.host.kv(call).then(
      (given): ToGuest => ({ kind: "kvAnswer", answer: given }),
      // Lost: the cause. The guest is told what it may know; the host that rejected keeps its own records.
      (error: unknown): ToGuest => ({
        kind: "kvFailed",
        isDenied: isFault(error, Reason.CAPABILITY_DENIED),
        message: isFault(error) ? error.message : "the key-value host failed",
      }),
    );
    send(answer);
  }

  function enqueue(call: GuestCall, signal: AbortSignal | undefined): void {
    if (ending !== undefined) throw notRunning(start.id, "it has ended");
    if (isDraining) throw notRunning(start.id, "it is stopping");
    if (signal?.aborted === true) throw canceled(start.id);
    if (current !== undefined && queue.length >= limits.queuedCallsMax) {
      throw fault(
        Reason.CALL_QUEUE_FULL,
        `Cannot call instance "${start.id}": ${queue.length} calls wait already (queuedCallsMax is ${limits.queuedCallsMax})`,
        {
          subject: start.id,
        },
      );
    }
    const abort = (): void => {
      const index = queue.findIndex((queued) => queued.call === call);
      if (index >= 0) queue.splice(index, 1);
      call.abandon(canceled(start.id));
    };
    signal?.addEventListener("abort", abort, { once: true });
    const queued = { call, unlisten: () => signal?.removeEventListener("abort", abort) };
    if (current === undefined) begin(queued);
    else queue.push(queued);
  }

  function assertKind(kind: GuestKind, wanted: string): void {
    if (program.kind === kind) return;
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot call instance "${start.id}": its module is of kind ${program.kind}, ${wanted} needs kind ${kind}`,
      {
        subject: start.id,
      },
    );
  }

  line.port1.on("message", (message: FromGuest) => {
    if (ending === undefined) accept(message);
  });
  worker.on("error", (error) => end(endingFromWorkerError(error)));
  worker.on("exit", (exitCode) => {
    // Its last words may still be on the line.
    for (let last = receiveMessageOnPort(line.port1); last !== undefined; last = receiveMessageOnPort(line.port1)) {
      if (ending === undefined) accept(last.message);
    }
    end({ kind: "host-failed", message: `the guest's thread went away with code ${exitCode}` });
  });

  const guest: Guest = {
    kind: program.kind,
    ended: ended.promise,
    async fetch(request, signal) {
      assertKind("http", "an HTTP request");
      const { call, response } = createFetchCall(request, { id: start.id, limits, send });
      enqueue(call, signal);
      return response;
    },
    async invoke(name, args, signal) {
      assertKind("functions", "calling a function");
      const type = deps.functions.get(name);
      if (type === undefined) {
        const names = [...deps.functions.keys()].slice(0, 20).join(", ");
        throw fault(
          Reason.FUNCTION_NOT_FOUND,
          `Cannot call function "${name}": instance "${start.id}" exports ${names}`,
          { subject: name },
        );
      }
      const { call, results } = createInvokeCall(name, type, args);
      enqueue(call, signal);
      return results;
    },
    async drain(graceMs) {
      isDraining = true;
      const isBusy = program.kind === "command" || current !== undefined;
      if (ending === undefined && isBusy) {
        const cancel = afterLong(clock, graceMs, idle.resolve);
        await idle.promise;
        cancel();
      }
      end({ kind: "stopped" });
      await ended.promise;
    },
    async kill() {
      end({ kind: "stopped" });
      await ended.promise;
    },
  };
  // A guest that ends before it is ready is gone when its starter learns of it.
  const settled = ready.promise.catch(async (error: unknown) => {
    await ended.promise;
    throw error;
  });
  return { guest, ready: settled };
}
