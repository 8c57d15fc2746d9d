/** Runs core modules: preview 1 commands, and modules whose functions are called one by one. */
import type { GuestBoot, GuestProgram } from "../worker-protocol.ts";
import type { AgentChannel, Received } from "./agent-channel.ts";
import { fillRandom, guestClocks } from "./guest-clocks.ts";
import { endingFromError, GuestExit } from "./guest-exit.ts";
import { createPreview1 } from "./preview1.ts";

type CoreBoot = Pick<GuestBoot, "args" | "env" | "stdin"> & {
  readonly program: Exclude<GuestProgram, { kind: "http" }>;
};

/** Instantiates the module, says `ready`, and runs it or serves calls until it has ended. */
export function runCoreGuest(channel: AgentChannel, boot: CoreBoot): void {
  const { program } = boot;
  // A thread that waits for nothing goes away by itself, maybe before its last words have been heard.
  let serve: (message: Received) => void = () => {};
  channel.onIdle((message) => serve(message));
  try {
    const { exports } = instantiateCore(channel, boot);
    if (program.kind === "command") {
      channel.post({ kind: "ready" });
      exportedFunction(exports, "_start")();
      channel.post({ kind: "ended", ending: { kind: "exited", exitCode: 0 } });
      return;
    }
    if (typeof exports["_initialize"] === "function") exportedFunction(exports, "_initialize")();
    channel.post({ kind: "ready" });
    serve = (message) => {
      if (message.kind !== "invoke") return;
      try {
        const returned = exportedFunction(exports, message.name)(...message.values);
        channel.post({ kind: "returned", values: valuesFromReturn(returned) });
      } catch (error) {
        channel.post({ kind: "ended", ending: endingFromError(error) });
      }
    };
  } catch (error) {
    channel.post({ kind: "ended", ending: endingFromError(error) });
  }
}

function instantiateCore(channel: AgentChannel, { program, args, env, stdin }: CoreBoot): WebAssembly.Instance {
  const preview1 = createPreview1({
    args,
    env,
    stdin,
    write: (stream, bytes) => channel.writeOutput(stream, bytes),
    sleepMs: (durationMs) => channel.sleepMs(durationMs),
    clocks: guestClocks,
    fillRandom,
    exit(exitCode) {
      channel.post({ kind: "ended", ending: { kind: "exited", exitCode } });
      throw new GuestExit(exitCode);
    },
  });
  const instance = new WebAssembly.Instance(program.module, { wasi_snapshot_preview1: preview1.imports });
  const memory = instance.exports["memory"];
  if (memory instanceof WebAssembly.Memory) preview1.attachMemory(memory);
  return instance;
}

function exportedFunction(exports: WebAssembly.Exports, name: string): (...values: (number | bigint)[]) => unknown {
  const exported = exports[name];
  if (typeof exported !== "function") throw new TypeError(`the module exports no function "${name}"`);
  return (...values) => exported(...values);
}

/** One result comes as it is, several as an array, none as `undefined`. */
function valuesFromReturn(returned: unknown): (number | bigint)[] {
  const values: unknown[] = Array.isArray(returned) ? returned : [returned];
  return values.filter((value) => typeof value === "number" || typeof value === "bigint");
}
