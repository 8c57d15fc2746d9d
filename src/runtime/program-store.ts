/** From a module's bytes to compiled code under a memory limit; keeps what was compiled lately. */
import type { Clock } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import type { ComponentCache } from "./component-cache.ts";
import type { ComponentCompiler } from "./component-compiler.ts";
import type { PlannedComponent } from "./component/plan-from-bytes.ts";
import { assertCompilable } from "./code-cost.ts";
import { coreModuleFromBytes } from "./core-module.ts";
import { engineAccount } from "./engine-account.ts";
import { capGrowth, initialSizes, PAGE_BYTES, sharedMemoryPages, sharedTableEntries } from "./growth-cap.ts";
import { prepareComponentInvoke, prepareCoreInvoke, type PrepareInvoke } from "./invoke-arguments.ts";
import { shapeFromBytes, shapeFromPlan } from "./module-shape.ts";
import type { LoadedProgram } from "./pool/loaded-program.ts";
import type { GuestKind, ModuleShape } from "./runtime.ts";
import { layerFromHeader, malformed } from "./wasm-reader.ts";

/** A module that is ready to be started, and what the agent's side must know of it. */
export type CompiledProgram =
  | {
      readonly host: "pool";
      readonly kind: GuestKind;
      readonly program: LoadedProgram;
      readonly prepareInvoke: PrepareInvoke;
    }
  /** Its host compiles it, in a thread of its own. */
  | { readonly host: "wasix"; readonly module: Uint8Array };

/** What to compile. */
export type ProgramOrder = {
  readonly digest: string;
  readonly readModule: () => Promise<Uint8Array>;
  readonly memoryMaxBytes: number;
};

/** Compiles modules, once for all guests that use one under the same limit. */
export interface ProgramStore {
  /** What a module is. A component's plan is kept, so that a start that follows need not make it again. Throws what `Runtime.inspect` throws. */
  inspect(bytes: Uint8Array): Promise<ModuleShape>;
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
    if (layerFromHeader(bytes) === "component") return compileComponent(await plan(digest, bytes), pagesMax);
    const { kind, format } = shapeFromBytes(bytes);
    if (format === "wasix") {
      await assertCompilable(bytes);
      return { host: "wasix", module: bytes };
    }
    const [module] = await compileCapped([{ bytes, uses: 1 }], pagesMax);
    if (module === undefined) throw malformed("it has no code");
    return {
      host: "pool",
      kind,
      program: {
        threadProgram: { kind: "core", module },
        memoryCount: initialSizes(bytes).memoryPages.length,
      },
      prepareInvoke: prepareCoreInvoke(coreModuleFromBytes(bytes)),
    };
  }

  async function plan(digest: string, bytes: Uint8Array): Promise<PlannedComponent> {
    const planned = await compiler.plan(bytes);
    // Lost: a full or read-only disk. The component runs all the same; the next start plans it again.
    await cache.put(digest, planned).catch(() => undefined);
    return planned;
  }

  function forgetBeyondMax(): void {
    for (const oldest of programs.keys()) {
      if (programs.size <= programsMax) return;
      programs.delete(oldest);
    }
  }

  return {
    async inspect(bytes) {
      if (layerFromHeader(bytes) === "module") {
        const shape = shapeFromBytes(bytes);
        await compileCore(new Uint8Array(bytes));
        return shape;
      }
      const digest = await digestOf(bytes);
      const planned = (await cache.get(digest)) ?? (await plan(digest, bytes));
      return shapeFromPlan(planned.plan, planned.modules);
    },
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
  await assertCompilable(bytes);
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

async function compileComponent({ plan, modules }: PlannedComponent, pagesMax: number): Promise<CompiledProgram> {
  // Again, because an entry of the cache may be older than what this runtime takes.
  const { kind } = shapeFromPlan(plan, modules);
  const parts = modules.map((bytes, index) => ({ bytes, uses: plan.moduleUses[index] ?? 1 }));
  const compiled = await compileCapped(parts, pagesMax);
  const memories = parts.map(({ bytes, uses }) => initialSizes(bytes).memoryPages.length * uses);
  return {
    host: "pool",
    kind,
    program: {
      threadProgram: { kind: "component", plan, modules: compiled },
      memoryCount: memories.reduce((sum, count) => sum + count, 0),
    },
    prepareInvoke: prepareComponentInvoke(plan),
  };
}

/** A core module of a guest, and how many instances the guest makes of it. */
type ModulePart = { readonly bytes: Uint8Array; readonly uses: number };

/** Compiles the core modules of one guest; their memories share `pagesMax`, their tables what tables may take. */
async function compileCapped(parts: readonly ModulePart[], pagesMax: number): Promise<WebAssembly.Module[]> {
  const sizes = parts.map(({ bytes }) => initialSizes(bytes));
  const all = parts.flatMap(({ uses }, index) => Array.from({ length: uses }, () => sizes[index]));
  const memoryPages = sharedMemoryPages(
    all.flatMap((size) => size?.memoryPages ?? []),
    pagesMax,
  );
  const tableEntries = sharedTableEntries(all.flatMap((size) => size?.tableEntries ?? []));
  const capped = parts.map(({ bytes, uses }, index) => {
    // All instances of a module begin alike, and so get the same share; the first stands for all.
    const shareOf = (shares: bigint[], count: number): bigint[] => shares.splice(0, count * uses).slice(0, count);
    return capGrowth(bytes, {
      memoryPages: shareOf(memoryPages, sizes[index]?.memoryPages.length ?? 0),
      tableEntries: shareOf(tableEntries, sizes[index]?.tableEntries.length ?? 0),
    });
  });
  return Promise.all(capped.map(compileCore));
}

async function assertDigest(bytes: Uint8Array, digest: string): Promise<void> {
  const actual = await digestOf(bytes);
  if (actual === digest) return;
  throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot start module ${digest}: its bytes have digest ${actual}`, {
    subject: digest,
  });
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return `sha256:${Buffer.from(hash).toString("hex")}`;
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
