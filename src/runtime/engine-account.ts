/**
 * What all guests of a process share inside the engine, and may not use up: V8 ends the process when its table of types
 * or its table of functions is full. Measured on Node 26: 2 million types, of which none ever leaves, and 16 million
 * functions of the modules that are alive. One account for the process, as there is one engine.
 */
import { createHash } from "node:crypto";
import { fault, Reason } from "../fault.ts";
import { engineShareFromBytes, typeCount } from "./core-module.ts";

/** What may be taken. */
export type EngineLimits = {
  /** Of one module. Large programs have a few thousand. */
  readonly typesMax: number;
  /** Of all modules that this process ever compiled; equal type sections count once. */
  readonly typesEverMax: number;
  /** Of one module, imports included. Large programs have a hundred thousand. */
  readonly functionsMax: number;
  /** Of all modules that are alive. */
  readonly functionsAliveMax: number;
};

/** Half of what the engine has, and far more than programs need. */
export const ENGINE_LIMITS: EngineLimits = {
  typesMax: 20_000,
  typesEverMax: 1_000_000,
  functionsMax: 300_000,
  functionsAliveMax: 8_000_000,
};

/** Keeps the account. */
export interface EngineAccount {
  /**
   * Charges what compiling `module` takes; throws `MODULE_KIND_UNSUPPORTED` when it is too much for one module, and
   * `NODE_AT_CAPACITY` when too much is taken already. The functions stay charged until `release` or, after `track`,
   * until the compiled module is collected.
   */
  charge(module: Uint8Array): EngineCharge;
}

/** What one module was charged. */
export interface EngineCharge {
  /** It was not compiled after all. */
  release(): void;
  /** It was compiled to `compiled`, and is given back when that is gone. */
  track(compiled: WebAssembly.Module): void;
}

/** Opens an account with nothing on it. */
export function createEngineAccount(limits: EngineLimits): EngineAccount {
  const typeSections = new Set<string>();
  let typesEver = 0;
  let functionsAlive = 0;
  const collected = new FinalizationRegistry<number>((functions) => {
    functionsAlive -= functions;
  });

  function chargeTypes(typeSection: Uint8Array): void {
    const hash = createHash("sha256").update(typeSection).digest("base64");
    if (typeSections.has(hash)) return;
    const types = typeCount(typeSection);
    if (types > limits.typesMax) throw tooLarge(types, "types", limits.typesMax);
    if (typesEver + types > limits.typesEverMax)
      throw full(
        `${typesEver} types were compiled here since the agent began (typesEverMax is ${limits.typesEverMax})`,
      );
    typeSections.add(hash);
    typesEver += types;
  }

  return {
    charge(module) {
      const { typeSection, functionCount } = engineShareFromBytes(module);
      if (functionCount > limits.functionsMax) throw tooLarge(functionCount, "functions", limits.functionsMax);
      if (functionsAlive + functionCount > limits.functionsAliveMax)
        throw full(`${functionsAlive} functions are compiled here (functionsAliveMax is ${limits.functionsAliveMax})`);
      chargeTypes(typeSection);
      functionsAlive += functionCount;
      return {
        release() {
          functionsAlive -= functionCount;
        },
        track: (compiled) => collected.register(compiled, functionCount),
      };
    },
  };
}

/** The account of this process. */
export const engineAccount: EngineAccount = createEngineAccount(ENGINE_LIMITS);

function tooLarge(count: number, what: string, max: number): Error {
  return fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: it has ${count} ${what} (at most ${max})`);
}

function full(state: string): Error {
  return fault(Reason.NODE_AT_CAPACITY, `Cannot compile module: ${state}`);
}
