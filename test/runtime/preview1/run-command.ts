/** Runs a preview 1 command in this thread, as a pool thread would. */
import { GuestExit } from "../../../src/runtime/host/guest-exit.ts";
import type { GuestLine } from "../../../src/runtime/host/guest-line.ts";
import { createPreview1, PREVIEW1_MODULE } from "../../../src/runtime/preview1/preview1.ts";
import type { HostTree } from "../../../src/runtime/files/host-directory.ts";

/** Runs it to its end; rejects with what it traps on. */
export async function runCommand(
  module: WebAssembly.Module,
  line: GuestLine,
  options: { readonly openHandlesMax?: number; readonly tree?: HostTree } = {},
): Promise<number> {
  const preview1 = createPreview1({ line, openHandlesMax: 1_000, ...options });
  const imports: WebAssembly.ModuleImports = { ...preview1.imports };
  for (const name of preview1.suspending) {
    const carryOut = preview1.imports[name];
    if (carryOut !== undefined) imports[name] = new WebAssembly.Suspending(carryOut);
  }
  const { exports } = await WebAssembly.instantiate(module, { [PREVIEW1_MODULE]: imports });
  const { memory, _start: start } = exports;
  if (memory instanceof WebAssembly.Memory) preview1.attachMemory(memory);
  if (typeof start !== "function") throw new TypeError("the module exports no _start");
  try {
    await WebAssembly.promising(start)();
    return 0;
  } catch (error) {
    if (error instanceof GuestExit) return error.exitCode;
    throw error;
  } finally {
    preview1.dispose();
  }
}
