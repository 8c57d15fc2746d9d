/** From a module's bytes to compiled code under a memory limit; keeps what was compiled lately. */
import { fault, Reason } from "../fault.ts";
import type { Clock } from "../clock.ts";
import { coreModuleFromBytes, type FunctionType } from "./core-module.ts";
import { capMemories, initialMemoryPages, PAGE_BYTES, sharedMemoryPages } from "./memory-cap.ts";
import { shapeFromBytes } from "./module-shape.ts";
import { malformed } from "./wasm-reader.ts";
import type { GuestProgram } from "./worker-protocol.ts";

/** Compiled code, and what the agent's side must know of it. */
export type CompiledProgram = { readonly program: GuestProgram; readonly functions: ReadonlyMap<string, FunctionType> };

/** What to compile. */
export type ProgramOrder = {
  readonly digest: string;
  readonly readModule: () => Promise<Uint8Array>;
  readonly memoryMaxBytes: number;
};

/** Compiles modules, once for all guests that use one under the same limit. */
export interface ProgramStore {
  /** Throws what `Runtime.inspect` throws, `LIMIT_INVALID`, `MODULE_DIGEST_MISMATCH` and `START_TIMED_OUT`. */
  load(order: ProgramOrder): Promise<CompiledProgram>;
}

/** How the store works. */
export type ProgramStoreOptions = {
  readonly clock: Clock;
  /** Programs that stay in memory; the one used longest ago goes first. */
  readonly programsMax: number;
  readonly compileTimeoutMs: number;
};

/** Makes an empty store. */
export function createProgramStore({ clock, programsMax, compileTimeoutMs }: ProgramStoreOptions): ProgramStore {
  /** In the order of last use. */
  const programs = new Map<string, Promise<CompiledProgram>>();
  return {
    load(order) {
      const pagesMax = Math.floor(order.memoryMaxBytes / PAGE_BYTES);
      const key = `${order.digest} ${pagesMax}`;
      const known = programs.get(key);
      const loading = known ?? compileWithin(clock, compileTimeoutMs, compile(order, pagesMax));
      programs.delete(key);
      programs.set(key, loading);
      for (const oldest of programs.keys()) {
        if (programs.size <= programsMax) break;
        programs.delete(oldest);
      }
      // Lost here: nothing, the caller gets the same rejection. A failure must not be what the next start finds.
      loading.catch(() => {
        if (programs.get(key) === loading) programs.delete(key);
      });
      return loading;
    },
  };
}

async function compile({ digest, readModule }: ProgramOrder, pagesMax: number): Promise<CompiledProgram> {
  const bytes = await readModule();
  await assertDigest(bytes, digest);
  const { kind } = shapeFromBytes(bytes);
  if (kind === "http") throw new Error("unreachable");
  const pages = sharedMemoryPages(initialMemoryPages(bytes), pagesMax);
  const module = await compileCore(capMemories(bytes, pages));
  return { program: { kind, module }, functions: kind === "functions" ? callableFunctions(bytes) : new Map() };
}

/** Compiles off this thread; the engine's complaint becomes `MODULE_MALFORMED`. */
export async function compileCore(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError) throw malformed(`the engine refuses it, ${error.message.replace(/^WebAssembly\.compile\(\): /, "")}`, error);
    throw error;
  }
}

function callableFunctions(bytes: Uint8Array): ReadonlyMap<string, FunctionType> {
  const functions = new Map<string, FunctionType>();
  for (const { name, type } of coreModuleFromBytes(bytes).exports) {
    if (type !== undefined && name !== "_initialize") functions.set(name, type);
  }
  return functions;
}

async function assertDigest(bytes: Uint8Array, digest: string): Promise<void> {
  const hash = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  const actual = `sha256:${Buffer.from(hash).toString("hex")}`;
  if (actual === digest) return;
  throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot start module ${digest}: its bytes have digest ${actual}`, { subject: digest });
}

async function compileWithin<Result>(clock: Clock, timeoutMs: number, work: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(timeoutMs, () => late.reject(fault(Reason.START_TIMED_OUT, `Cannot compile module: it takes longer than ${timeoutMs} ms`)));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}
