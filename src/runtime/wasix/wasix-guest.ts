/** Hosts WASIX programs through @wasmer/sdk: each in a thread of its own with a client of its own, ended by ending the thread. */
import { Worker } from "node:worker_threads";
import type { Clock } from "../../clock.ts";
import { fault, Reason } from "../../fault.ts";
import type { LocalRights } from "../../providers/local-rights.ts";
import { coreModuleFromBytes } from "../core-module.ts";
import { faultFromStart } from "../guest-ending.ts";
import { afterLong } from "../long-timer.ts";
import { createOutputMeter, linesIn } from "../pool/output-meter.ts";
import type { Ending, Guest, GuestStart } from "../runtime.ts";
import { cappedWasixProgram } from "./cap-wasix-memory.ts";
import { sdkEntry } from "./sdk-entry.ts";
import { assertWasixFits } from "./wasix-imports.ts";
import type { FromWasix, ToWasix, WasixOrder } from "./wasix-protocol.ts";

/** Threads of one program, those that the SDK needs for itself included (two or three). Each takes about 10 MB. */
export const WASIX_THREADS_MAX: number = 16;

/** What the SDK's own memory may grow to, beside `memoryMaxBytes`: its heap, the program's files, what waits in pipes. */
export const WASIX_SDK_MEMORY_MAX_BYTES: number = 256 * 1024 * 1024;

/** What the host is made with. */
export type WasixDeps = {
  readonly clock: Clock;
  /** Finds the SDK; for tests. */
  readonly sdkEntry?: () => string;
};

const IS_SOURCE = import.meta.url.endsWith(".ts");
const THREAD_FILE = new URL(IS_SOURCE ? "./thread/wasix-thread.ts" : "./thread/wasix-thread.js", import.meta.url);
const CONFINEMENT_FILE = new URL(IS_SOURCE ? "./thread/confine-sdk.ts" : "./thread/confine-sdk.js", import.meta.url);

/**
 * Starts a program and resolves when it runs. Rejects with a `Fault` and leaves nothing behind: what `assertWasixFits`
 * and `cappedWasixProgram` throw, `MODULE_KIND_UNSUPPORTED` if the SDK is not installed, `LIMIT_INVALID` if CPU time is
 * limited, `START_TIMED_OUT`, `GUEST_TRAPPED`.
 */
export async function startWasixGuest(start: GuestStart, module: Uint8Array, deps: WasixDeps): Promise<Guest> {
  assertWasixFits(coreModuleFromBytes(module));
  if (start.limits.cpuTimeMaxMs !== undefined)
    throw fault(
      Reason.LIMIT_INVALID,
      `Cannot start instance "${start.id}": cpuTimeMaxMs is set, and the CPU time of a WASIX program cannot be measured`,
      { subject: "cpuTimeMaxMs" },
    );
  if (start.rights.folders.length > 0)
    start.host.log("warn", "wasix", "Granted folders are not shown to WASIX programs: their files live in memory");
  const program = cappedWasixProgram(module, start.limits.memoryMaxBytes);
  const guest = new WasixGuest(start, deps, {
    sdkUrl: (deps.sdkEntry ?? sdkEntry)(),
    program,
    // The SDK puts the name of its own before them.
    args: start.args.slice(1),
    env: { ...start.rights.env },
    stdin: start.stdin,
    threadsMax: WASIX_THREADS_MAX,
    sdkMemoryMaxBytes: WASIX_SDK_MEMORY_MAX_BYTES,
    hasSockets: start.rights.sockets === true,
  });
  const ending = await guest.running;
  if (ending !== undefined) throw faultFromStart(start.id, ending, start.limits);
  return guest;
}

class WasixGuest implements Guest {
  readonly kind = "command";
  readonly #start: GuestStart;
  readonly #deps: WasixDeps;
  readonly #thread: Worker;
  readonly #ended: PromiseWithResolvers<Ending> = Promise.withResolvers();
  readonly #running: PromiseWithResolvers<Ending | undefined> = Promise.withResolvers();
  readonly #socketsSet: PromiseWithResolvers<void>[] = [];
  readonly #timers: (() => void)[] = [];
  readonly #meter;
  /** The last that the SDK said on its own standard error: why it failed. */
  #complaint = "";
  #isEnded = false;

  constructor(start: GuestStart, deps: WasixDeps, order: WasixOrder) {
    this.#start = start;
    this.#deps = deps;
    this.#meter = createOutputMeter(start.limits);
    this.#thread = new Worker(THREAD_FILE, {
      workerData: order,
      env: {},
      execArgv: [
        ...process.execArgv.filter((flag) => !flag.startsWith("--inspect")),
        "--import",
        CONFINEMENT_FILE.href,
      ],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    });
    this.#thread.stdout.resume();
    this.#thread.stderr.on("data", (piece: Buffer) => this.#complain(piece.toString()));
    this.#thread.on("message", (message: FromWasix) => this.#take(message));
    this.#thread.on("error", (error: unknown) =>
      this.#end({ kind: "host-failed", message: error instanceof Error ? error.message : String(error) }),
    );
    this.#thread.on("exit", () => this.#end({ kind: "host-failed", message: this.#reason("its thread ended") }));
    this.#limit("startTimeoutMs", start.limits.startTimeoutMs);
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  /** Settles when the program runs, or with its ending if it never does. */
  get running(): Promise<Ending | undefined> {
    return this.#running.promise;
  }

  fetch(): Promise<never> {
    return Promise.reject(this.#unsupported("HTTP requests"));
  }

  invoke(): Promise<never> {
    return Promise.reject(this.#unsupported("function calls"));
  }

  deliver(): Promise<never> {
    return Promise.reject(this.#unsupported("messages"));
  }

  async setRights(rights: LocalRights): Promise<void> {
    // The environment was copied when it began; only what may be opened can change.
    if (this.#isEnded) return;
    const set = Promise.withResolvers<void>();
    this.#socketsSet.push(set);
    this.#post({ kind: "setSockets", hasSockets: rights.sockets === true });
    await Promise.race([set.promise, this.ended]);
  }

  async drain(graceMs: number): Promise<void> {
    this.#timers.push(afterLong(this.#deps.clock, graceMs, () => this.#end({ kind: "stopped" })));
    await this.ended;
  }

  async kill(): Promise<void> {
    this.#end({ kind: "stopped" });
    await this.ended;
  }

  #take(message: FromWasix): void {
    const { host, limits } = this.#start;
    switch (message.kind) {
      case "running":
        this.#cancelTimers();
        if (limits.commandTimeoutMs !== undefined) this.#limit("commandTimeoutMs", limits.commandTimeoutMs);
        return this.#running.resolve(undefined);
      case "output": {
        if (this.#isEnded) return;
        const { bytes, stream } = message;
        host.output(stream, bytes);
        const exceeded = this.#meter.add(bytes.length, linesIn(bytes), this.#deps.clock.steadyMs());
        if (exceeded !== undefined)
          return this.#end({
            kind: "limit",
            limit: exceeded,
            message: `wrote more than ${exceeded} (${limits[exceeded]}) allows`,
          });
        return this.#post({ kind: "outputTaken" });
      }
      case "socketsSet":
        return this.#socketsSet.shift()?.resolve();
      case "connection":
        return host.audit("http:request", message.isAllowed ? "used" : "denied", 1);
      case "exited":
        // Also what a program gets that could not begin: the SDK gives it 45, and no reason.
        return this.#end({ kind: "exited", exitCode: message.exitCode });
      case "failed":
        return this.#end({ kind: "trapped", message: message.message });
    }
  }

  /** Keeps the first line of what the SDK complains of: a panic, or a thread that failed. */
  #complain(text: string): void {
    if (this.#complaint !== "" || !/panicked|failed|error/i.test(text)) return;
    this.#complaint =
      text
        .split("\n")
        .find((line) => /error|`Err`|failed/i.test(line))
        ?.slice(0, 500) ?? text.slice(0, 500);
  }

  #reason(otherwise: string): string {
    return this.#complaint === "" ? otherwise : this.#complaint;
  }

  #limit(limit: "startTimeoutMs" | "commandTimeoutMs", ms: number): void {
    const message = `ran longer than ${limit} (${ms}) allows`;
    this.#timers.push(afterLong(this.#deps.clock, ms, () => this.#end({ kind: "limit", limit, message })));
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers.splice(0)) cancel();
  }

  #post(message: ToWasix): void {
    this.#thread.postMessage(message);
  }

  #unsupported(what: string): Error {
    return fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot call instance "${this.#start.id}": it is a command, which takes no ${what}`,
      { subject: this.#start.id },
    );
  }

  /** Ends the thread, and with it those of the program; the ending is known when they are gone. */
  #end(ending: Ending): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancelTimers();
    void this.#finish(ending);
  }

  async #finish(ending: Ending): Promise<void> {
    await this.#thread.terminate();
    this.#running.resolve(ending);
    this.#ended.resolve(ending);
  }
}
