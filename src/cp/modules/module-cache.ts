/** Keeps recently used modules, bounded by the sum of their bytes. */
import type { HeldModule } from "./module-collector.ts";

/** Modules by digest. What it drops can be pulled from a node that holds it, or be uploaded again. */
export interface ModuleCache {
  /** Marks the module as used. */
  get(digest: string): HeldModule | undefined;
  /** Drops those used longest ago until it fits; a module larger than the whole cache is not kept. */
  put(module: HeldModule): void;
  /** Sum of the bytes held. */
  readonly sizeBytes: number;
}

/** Makes an empty cache of at most `maxBytes`. */
export function createModuleCache(maxBytes: number): ModuleCache {
  // A map keeps the order of insertion; use puts a module at the end.
  const modules = new Map<string, HeldModule>();
  let sizeBytes = 0;
  const remove = (digest: string): HeldModule | undefined => {
    const module = modules.get(digest);
    if (!module) return undefined;
    modules.delete(digest);
    sizeBytes -= module.bytes.length;
    return module;
  };
  const append = (module: HeldModule): void => {
    modules.set(module.digest, module);
    sizeBytes += module.bytes.length;
  };
  return {
    get(digest) {
      const module = remove(digest);
      if (module) append(module);
      return module;
    },
    put(module) {
      if (module.bytes.length > maxBytes) return;
      remove(module.digest);
      append(module);
      for (const oldest of modules.keys()) {
        if (sizeBytes <= maxBytes) break;
        remove(oldest);
      }
    },
    get sizeBytes() {
      return sizeBytes;
    },
  };
}
