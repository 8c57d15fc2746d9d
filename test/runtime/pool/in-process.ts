/** A pool whose one thread is the test's own, behind a message channel: what runs in it can be looked at. */
import { MessageChannel } from "node:worker_threads";
import { afterEach } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { coreModuleFromBytes } from "../../../src/runtime/core-module.ts";
import { prepareComponentInvoke, prepareCoreInvoke } from "../../../src/runtime/invoke-arguments.ts";
import { shapeFromBytes } from "../../../src/runtime/module-shape.ts";
import { createDeadlines } from "../../../src/runtime/pool/deadlines.ts";
import type { ThreadWorker } from "../../../src/runtime/pool/pool-thread.ts";
import { startPooledGuest, type PooledGuestDeps } from "../../../src/runtime/pool/pooled-guest.ts";
import { createPool } from "../../../src/runtime/pool/pool.ts";
import { openThreadBoard } from "../../../src/runtime/pool/thread-board.ts";
import type { ThreadSupply } from "../../../src/runtime/pool/thread-supply.ts";
import { serveThread } from "../../../src/runtime/pool/thread/serve-thread.ts";
import { layerFromHeader } from "../../../src/runtime/wasm-reader.ts";
import type { Guest } from "../../../src/runtime/runtime.ts";
import { guestStart, type StartOptions } from "../guest-starts.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

/** Starts guests in the test's own thread; none of them may compute for ever. */
export function inProcess(): (module: Uint8Array, options?: StartOptions) => Promise<Guest> {
  const counts = { threadsMax: 1, soloThreadsMax: 1, dedicatedThreadsMax: 100 };
  const pool = createPool({ clock: systemClock, supply: ownThreads(), counts });
  const deadlines = createDeadlines(systemClock);
  open.push(pool);
  return async (module, options) => {
    const deps: PooledGuestDeps = { ...loaded(module), pool, clock: systemClock, deadlines };
    const { guest, ready } = startPooledGuest(guestStart(module, options), deps);
    await ready;
    return guest;
  };
}

function ownThreads(): ThreadSupply {
  return {
    take() {
      const board = openThreadBoard();
      const { port1, port2 } = new MessageChannel();
      serveThread(port2, board.shared);
      const worker: ThreadWorker = {
        onMessage: (hear) => void port1.on("message", hear),
        onDeath: () => undefined,
        postMessage: (message, moved) => port1.postMessage(message, moved),
        cpuUsage: async () => process.threadCpuUsage(),
        async terminate() {
          port1.close();
        },
      };
      return { worker, board };
    },
    prepare: () => undefined,
    close: async () => undefined,
  };
}

function loaded(bytes: Uint8Array): Pick<PooledGuestDeps, "kind" | "program" | "prepareInvoke"> {
  const { kind } = shapeFromBytes(bytes);
  if (layerFromHeader(bytes) === "module") {
    const module = new WebAssembly.Module(new Uint8Array(bytes));
    const program = { threadProgram: { kind: "core", module }, memoryCount: 1 } as const;
    return { kind, program, prepareInvoke: prepareCoreInvoke(coreModuleFromBytes(bytes)) };
  }
  const { plan, modules } = planFromBytes(bytes);
  const compiled = modules.map((each) => new WebAssembly.Module(each));
  const program = { threadProgram: { kind: "component", plan, modules: compiled }, memoryCount: 1 } as const;
  return { kind, program, prepareInvoke: prepareComponentInvoke(plan) };
}
