/**
 * A runtime whose guests are a line of text: `service` runs until it is ended, `job MS CODE` exits by itself, `crash MS` traps,
 * `sick` never becomes ready, `noisy N` is refused N operations. It keeps the contract of `Runtime`; all of it dies with its process.
 */
import { fault, Reason } from "../../src/fault.ts";
import type { Ending, Guest, GuestStart, ModuleShape, Runtime } from "../../src/runtime/runtime.ts";
import type { SimProcess } from "./sim-process.ts";

/** A module whose guests run `program`: Wasm's first bytes, then the text. */
export function moduleFromProgram(program: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...MAGIC, ...new TextEncoder().encode(program)]);
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00] as const;

function programFromModule(module: Uint8Array): string {
  return new TextDecoder().decode(module.subarray(MAGIC.length));
}

/** Hears of guests that really run. Those of a process that dies end without a word. */
export type RunWatcher = {
  readonly onStarted: (start: GuestStart) => void;
  readonly onEnded: (start: GuestStart) => void;
};

/** Makes a runtime in a process. */
export function createSimRuntime(process: SimProcess, watcher: RunWatcher): Runtime {
  const live = new Set<Guest>();
  const shape = (text: string): ModuleShape => ({
    kind: text.startsWith("job") ? "command" : "functions",
    format: "core",
    memory: { initialBytes: 65_536, maxBytes: 65_536 },
    functions: [],
    imports: [],
    exports: [],
  });
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void process.clock.after(ms, resolve));

  return {
    kinds: ["http", "command", "functions", "messaging"],
    inspect: async (module) => shape(programFromModule(module)),
    async start(start) {
      const text = programFromModule(await start.readModule());
      const [what = "", first = "0", second = "0"] = text.split(" ");
      await sleep(5);
      if (what === "sick") throw fault(Reason.GUEST_TRAPPED, `Cannot start instance "${start.id}": it trapped`);
      const ended = Promise.withResolvers<Ending>();
      const end = (ending: Ending): Promise<Ending> => {
        if (live.delete(guest)) watcher.onEnded(start);
        ended.resolve(ending);
        return ended.promise;
      };
      const refuse = async (): Promise<never> => {
        throw fault(Reason.FUNCTION_NOT_FOUND, "Cannot call function: the simulated guest has none");
      };
      const guest: Guest = {
        kind: shape(text).kind,
        ended: ended.promise,
        fetch: refuse,
        invoke: refuse,
        deliver: refuse,
        setRights: () => Promise.resolve(),
        async drain(graceMs) {
          await sleep(Math.min(graceMs, 20));
          await end({ kind: "stopped" });
        },
        async kill() {
          await end({ kind: "stopped" });
        },
      };
      live.add(guest);
      watcher.onStarted(start);
      if (what === "job")
        process.clock.after(Number(first), () => void end({ kind: "exited", exitCode: Number(second) }));
      if (what === "crash")
        process.clock.after(Number(first), () => void end({ kind: "trapped", message: "unreachable" }));
      if (what === "noisy") void beRefused(start, Number(first), sleep);
      return guest;
    },
    async close() {
      for (const guest of live) await guest.kill();
    },
  };
}

/** Every refusal of a bucket that is not assigned becomes a fact, a second apart at the least. */
async function beRefused(start: GuestStart, times: number, sleep: (ms: number) => Promise<void>): Promise<void> {
  for (let time = 0; time < times; time++) {
    await start.host.kv({ kind: "open", bucket: `not-mine-${time}` }).catch(() => undefined);
    await sleep(time % 3 === 0 ? 1_100 : 50);
  }
}
