import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../src/fault.ts";
import { createEngineAccount, ENGINE_LIMITS } from "../../src/runtime/engine-account.ts";
import { wasmFromWat } from "./wat.ts";

/** A module with `types` types, each another one for each `salt`, and `functions` functions. */
function moduleOf(types: number, functions: number, salt = 0): Uint8Array {
  const parameters = (index: number): string =>
    (index * 100 + salt).toString(2).replaceAll("0", "i32 ").replaceAll("1", "i64 ");
  const typeText = Array.from({ length: types }, (_, index) => `(type (func (param ${parameters(index)})))`).join("");
  return wasmFromWat(`(module ${typeText} ${"(func (type 0))".repeat(functions)})`);
}

const LIMITS = { typesMax: 10, typesEverMax: 25, functionsMax: 10, functionsAliveMax: 25 };

describe("the account of what guests share in the engine", () => {
  it("takes a module at its limits, and refuses one above them", () => {
    const account = createEngineAccount(LIMITS);
    account.charge(moduleOf(10, 10)).release();
    for (const module of [moduleOf(11, 10), moduleOf(10, 11)]) {
      expect(() => account.charge(module)).toThrow(
        expect.objectContaining({
          reason: Reason.MODULE_KIND_UNSUPPORTED,
          message: expect.stringMatching(/^Cannot host module: it has 11 (types|functions) \(at most 10\)$/),
        }),
      );
    }
  });

  it("counts equal types once and never gives types back, because the engine does not", () => {
    const account = createEngineAccount(LIMITS);
    for (let again = 0; again < 10; again++) account.charge(moduleOf(10, 1)).release();
    account.charge(moduleOf(10, 1, 1)).release();
    expect(() => account.charge(moduleOf(6, 1, 2))).toThrow(
      expect.objectContaining({ reason: Reason.NODE_AT_CAPACITY, message: expect.stringContaining("typesEverMax") }),
    );
    account.charge(moduleOf(5, 1, 3)).release();
  });

  it("gives functions back when a module was not compiled", () => {
    const account = createEngineAccount(LIMITS);
    const charges = [account.charge(moduleOf(1, 10)), account.charge(moduleOf(1, 10))];
    expect(() => account.charge(moduleOf(1, 6))).toThrow(
      expect.objectContaining({
        reason: Reason.NODE_AT_CAPACITY,
        message: expect.stringContaining("functionsAliveMax"),
      }),
    );
    account.charge(moduleOf(1, 5)).release();
    charges[0]?.release();
    account.charge(moduleOf(1, 6)).release();
  });

  it("gives functions back when the compiled module is gone", async () => {
    const account = createEngineAccount({ ...LIMITS, functionsAliveMax: 200, functionsMax: 200 });
    const module = moduleOf(1, 150);
    account.charge(module).track(new WebAssembly.Module(new Uint8Array(module)));
    // Nothing holds the compiled module; enough garbage has it collected.
    await vi.waitFor(
      () => {
        Array.from({ length: 100_000 }, (_, index) => ({ index }));
        account.charge(module).release();
      },
      { timeout: 20_000, interval: 10 },
    );
  });

  it("has room for many large programs within what the engine has", () => {
    expect(ENGINE_LIMITS.typesEverMax).toBeLessThan(2 ** 20);
    expect(ENGINE_LIMITS.functionsAliveMax).toBeLessThanOrEqual(2 ** 23);
  });
});
