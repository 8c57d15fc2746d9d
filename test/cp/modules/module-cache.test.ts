import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createModuleCache } from "../../../src/cp/modules/module-cache.ts";
import type { HeldModule } from "../../../src/cp/modules/module-collector.ts";

const moduleOf = (digest: string, sizeBytes: number): HeldModule => ({ digest, bytes: new Uint8Array(sizeBytes) });

describe("the module cache", () => {
  it("never holds more than its limit, and always what was put in last if that fits", () => {
    const puts = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.integer({ min: 0, max: 12 })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(puts, (all) => {
        const cache = createModuleCache(10);
        for (const [digest, sizeBytes] of all) {
          const module = moduleOf(digest, sizeBytes);
          cache.put(module);
          expect(cache.sizeBytes).toBeLessThanOrEqual(10);
          if (sizeBytes <= 10) expect(cache.get(digest)).toBe(module);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("drops the module that was used longest ago", () => {
    const cache = createModuleCache(10);
    for (const digest of ["a", "b"]) cache.put(moduleOf(digest, 5));
    cache.get("a");
    cache.put(moduleOf("c", 5));
    expect([cache.get("a") !== undefined, cache.get("b") !== undefined, cache.get("c") !== undefined]).toEqual([
      true,
      false,
      true,
    ]);
  });

  it("does not keep a module larger than itself, and keeps one of just its size", () => {
    const cache = createModuleCache(10);
    cache.put(moduleOf("large", 11));
    expect(cache.get("large")).toBeUndefined();
    cache.put(moduleOf("fitting", 10));
    expect(cache.get("fitting")).toBeDefined();
  });
});
