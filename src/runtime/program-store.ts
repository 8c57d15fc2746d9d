/** From a module's bytes to compiled code under a memory limit; keeps what was compiled lately. */
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { componentFromBytes } from "./component.ts";
import type { CachedComponent, ComponentCache } from "./component-cache.ts";
import type { ComponentCompiler } from "./component-compiler.ts";
import { coreModuleFromBytes, type FunctionType } from "./core-module.ts";
import { engineAccount } from "./engine-account.ts";
import { capGrowth, initialSizes, PAGE_BYTES, sharedMemoryPages, sharedTableEntries } from "./growth-cap.ts";
import { shapeFromBytes, shapeFromComponent } from "./module-shape.ts";
import { handlerExport } from "./wasi-interfaces.ts";
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

/** What the store needs, and how it works. */
export type ProgramStoreDeps = {
  readonly clock: Clock;
  readonly cache: ComponentCache;
  readonly compiler: ComponentCompiler;
  /** Programs that stay in memory; the one used longest ago goes first. */
  readonly programsMax: number;
  readonly compileTimeoutMs: number;
};

/** Makes an empty store. */
export function createProgramStore({
  clock,
  cache,
  compiler,
  programsMax,
  compileTimeoutMs,
}: ProgramStoreDeps): ProgramStore {
  /** In the order of last use. */
  const programs = new Map<string, Promise<CompiledProgram>>();

  async function compile({ digest, readModule }: ProgramOrder, pagesMax: number): Promise<CompiledProgram> {
    const cached = await cache.get(digest);
    if (cached !== undefined) return compileComponent(cached, pagesMax);
    const bytes = await readModule();
    await assertDigest(bytes, digest);
    const { kind } = shapeFromBytes(bytes);
    if (kind === "http") return compileComponent(await transpile(digest, bytes), pagesMax);
    const [module] = await compileCapped([bytes], pagesMax);
    if (module === undefined) throw malformed("it has no code");
    return { program: { kind, module }, functions: kind === "functions" ? callableFunctions(bytes) : new Map() };
  }

  async function transpile(digest: string, bytes: Uint8Array): Promise<CachedComponent> {
    const component = { outside: componentFromBytes(bytes), transpiled: await compiler.transpile(bytes) };
    // Lost: a full or read-only disk. The component runs all the same; the next start transpiles again.
    await cache.put(digest, component).catch(() => undefined);
    return component;
  }

  function forgetBeyondMax(): void {
    for (const oldest of programs.keys()) {
      if (programs.size <= programsMax) return;
      programs.delete(oldest);
    }
  }

  return {
    load(order) {
      const pagesMax = Math.floor(order.memoryMaxBytes / PAGE_BYTES);
      const key = `${order.digest} ${pagesMax}`;
      const loading = programs.get(key) ?? within(clock, compileTimeoutMs, compile(order, pagesMax));
      programs.delete(key);
      programs.set(key, loading);
      forgetBeyondMax();
      // Lost here: nothing, the caller gets the same rejection. A failure must not be what the next start finds.
      loading.catch(() => {
        if (programs.get(key) === loading) programs.delete(key);
      });
      return loading;
    },
  };
}

/** Compiles core code off this thread, without any cap; the engine's complaint becomes `MODULE_MALFORMED`. Throws what `EngineAccount.charge` throws. */
export async function compileCore(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  const charge = engineAccount.charge(bytes);
  try {
    const compiled = await WebAssembly.compile(bytes);
    charge.track(compiled);
    return compiled;
  } catch (error) {
    charge.release();
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw malformed(`the engine refuses it, ${error.message.replace(/^WebAssembly\.compile\(\): /, "")}`, error);
  }
}

async function compileComponent({ outside, transpiled }: CachedComponent, pagesMax: number): Promise<CompiledProgram> {
  // Again, because an entry of the cache may be older than what this runtime takes.
  shapeFromComponent(outside);
  const names = [...transpiled.modules.keys()];
  const compiled = await compileCapped([...transpiled.modules.values()], pagesMax);
  const modules = new Map(compiled.map((module, index) => [names[index] ?? "", module] as const));
  return {
    program: { kind: "http", glue: transpiled.glue, modules, handlerExport: handlerExport(outside.exports) ?? "" },
    functions: new Map(),
  };
}

/** Compiles the core modules of one guest; their memories share `pagesMax`, their tables what tables may take. */
async function compileCapped(modules: readonly Uint8Array[], pagesMax: number): Promise<WebAssembly.Module[]> {
  const sizes = modules.map(initialSizes);
  const memoryPages = sharedMemoryPages(
    sizes.flatMap((size) => size.memoryPages),
    pagesMax,
  );
  const tableEntries = sharedTableEntries(sizes.flatMap((size) => size.tableEntries));
  const capped = modules.map((module, index) =>
    capGrowth(module, {
      memoryPages: memoryPages.splice(0, sizes[index]?.memoryPages.length),
      tableEntries: tableEntries.splice(0, sizes[index]?.tableEntries.length),
    }),
  );
  return Promise.all(capped.map(compileCore));
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
  throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot start module ${digest}: its bytes have digest ${actual}`, {
    subject: digest,
  });
}

async function within<Result>(clock: Clock, timeoutMs: number, work: Promise<Result>): Promise<Result> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(timeoutMs, () =>
    late.reject(fault(Reason.START_TIMED_OUT, `Cannot compile module: it takes longer than ${timeoutMs} ms`)),
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}
