/** Runs real components on a line in memory: the binder, the host interfaces and nothing between them. */
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";
import { instantiateComponent, type ComponentInstance } from "../../../src/runtime/component/instantiate-component.ts";
import { planFromBytes } from "../../../src/runtime/component/plan-from-bytes.ts";
import { createHost } from "../../../src/runtime/host/create-host.ts";
import { getManyShapeOf } from "../../../src/runtime/host/get-many-shape.ts";
import { guestEntryOf } from "../../../src/runtime/host/hosted-interfaces.ts";
import { serveHttp } from "../../../src/runtime/host/http-outparam.ts";
import { runCommand } from "../../../src/runtime/host/run-command.ts";
import { memoryLine, type MemoryLine } from "./memory-line.ts";
import { MemorySink, MemorySource } from "./memory-bytes.ts";
import type { HttpHeaders } from "../../../src/providers/http/http.ts";

/** A component that runs. */
export type ComponentGuest = {
  readonly line: MemoryLine;
  readonly instance: ComponentInstance;
  /** Calls an exported function by its name without version. */
  call(name: string, ...args: readonly unknown[]): unknown;
  dispose(): void;
};

/** Starts a component of a file beside the tests. */
export async function startComponent(file: string, line: MemoryLine = memoryLine()): Promise<ComponentGuest> {
  return startBytes(await readFile(new URL(file, import.meta.url)), line);
}

/** A preview 1 command of a file beside the tests as a component, by the adapter that jco brings. */
export async function adaptedCommand(file: string): Promise<Uint8Array> {
  // The adapter lies in jco's lib/, which is not among its exports.
  const lib = join(dirname(fileURLToPath(import.meta.resolve("@bytecodealliance/jco"))), "..", "lib");
  const adapter = await readFile(join(lib, "wasi_snapshot_preview1.command.wasm"));
  const core = await readFile(new URL(file, import.meta.url));
  return componentNew(core, [["wasi_snapshot_preview1", adapter]]);
}

function startBytes(bytes: Uint8Array, line: MemoryLine): ComponentGuest {
  const { plan, modules } = planFromBytes(bytes);
  const host = createHost(line, { imports: plan.imports.map(({ name }) => name), draft2GetMany: getManyShapeOf(plan) });
  const instance = instantiateComponent({
    plan,
    modules: modules.map((module) => new WebAssembly.Module(module)),
    interfaces: host.interfaces,
    limits: { openHandlesMax: 1_000, liftMaxBytes: 16 * 1024 * 1024 },
  });
  return {
    line,
    instance,
    call(name, ...args) {
      const found = instance.functions.get(name);
      if (found === undefined)
        throw new Error(`no function ${name} among ${[...instance.functions.keys()].join(", ")}`);
      return found.call(...args);
    },
    dispose() {
      instance.dispose();
      host.close();
    },
  };
}

/** Runs a command to its exit code; traps reject. */
export async function runComponent(bytes: Uint8Array, line: MemoryLine): Promise<number> {
  const guest = startBytes(bytes, line);
  try {
    return await runCommand(() => guest.call("wasi:cli/run#run"));
  } finally {
    guest.dispose();
  }
}

/** What came of a request. */
export type Answer = {
  status: number | undefined;
  headers: HttpHeaders;
  error: string | undefined;
  readonly sink: MemorySink;
};

/** Sends one request into a guest, and waits until its handler has returned. */
export async function ask(
  guest: ComponentGuest,
  pathWithQuery: string,
  body: MemorySource = new MemorySource().end(),
  sink: MemorySink = new MemorySink(),
): Promise<Answer> {
  const answer: Answer = { status: undefined, headers: [], error: undefined, sink };
  const entry = guestEntryOf([...guest.instance.functions.keys()].map((name) => name.split("#")[0] ?? ""));
  if (entry?.entry !== "http") throw new Error("the component handles no requests");
  await serveHttp(
    {
      method: "POST",
      scheme: "http",
      authority: "guest.localhost",
      pathWithQuery,
      headers: [["x-first", "1"]],
      body,
      respond({ status, headers }) {
        answer.status = status;
        answer.headers = headers;
        return sink;
      },
      respondError(message) {
        answer.error = message;
      },
    },
    (request, outparam) => guest.call(`${entry.interface}#handle`, request, outparam),
  );
  return answer;
}
