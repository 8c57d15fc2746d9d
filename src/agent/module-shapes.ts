/** What the node's modules are, found out once for each. */
import type { ModuleShape, Runtime } from "../runtime/runtime.ts";
import type { ModuleStore } from "./module-store.ts";

/** The modules that a supervisor starts guests from. */
export interface ModuleShapes {
  /** What a module is; throws `MODULE_NOT_FOUND` or what `Runtime.inspect` throws. */
  shape(digest: string): Promise<ModuleShape>;
  /** Its bytes; throws `MODULE_NOT_FOUND`. */
  read(digest: string): Promise<Uint8Array>;
}

/** Looks into modules of `store` with `runtime`, and remembers the last `shapesMax` shapes (default 1,024). */
export function createModuleShapes(deps: {
  readonly store: Pick<ModuleStore, "read" | "touch">;
  readonly runtime: Pick<Runtime, "inspect">;
  readonly shapesMax?: number;
}): ModuleShapes {
  const shapesMax = deps.shapesMax ?? 1_024;
  const known = new Map<string, ModuleShape>();
  return {
    async shape(digest) {
      const remembered = known.get(digest);
      // The compiled form may be cached, but a restart after the cache is gone needs the module itself.
      if (remembered !== undefined && (await deps.store.touch(digest))) return remembered;
      const shape = await deps.runtime.inspect(await deps.store.read(digest));
      known.delete(digest);
      known.set(digest, shape);
      const oldest = known.keys().next();
      if (known.size > shapesMax && !oldest.done) known.delete(oldest.value);
      return shape;
    },
    read: (digest) => deps.store.read(digest),
  };
}
