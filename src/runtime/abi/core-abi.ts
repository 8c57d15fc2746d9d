/**
 * The import ABI by which bare core modules reach capabilities: functions of the import module `wasmatrix`, on
 * addresses and lengths in the module's own memory. `docs/core-abi.md` is its reference.
 */
import { fault, Reason } from "../../fault.ts";
import type { CoreModule } from "../core-module.ts";
import type { GuestLine } from "../host/guest-line.ts";
import { abiCall } from "./abi-call.ts";
import { AbiError } from "./abi-error.ts";
import { CORE_ABI_MODULE, CORE_ABI_SIGNATURES, CORE_ABI_SUSPENDING } from "./abi-signatures.ts";
import type { AbiFunction, AbiState } from "./abi-state.ts";
import { createGuestMemory } from "./guest-memory.ts";
import { HTTP_FUNCTIONS } from "./http-functions.ts";
import { KV_FUNCTIONS } from "./kv-functions.ts";
import { LOCAL_FUNCTIONS } from "./local-functions.ts";
import { MESSAGING_FUNCTIONS } from "./messaging-functions.ts";

/** A function as a module imports it; a promise comes only from those named in `suspending`. */
export type CoreAbiFunction = (...args: readonly unknown[]) => number | bigint | Promise<number>;

/** The ABI for one copy of a guest. */
export interface CoreAbi {
  /** What goes under `wasmatrix` in the import object; those in `suspending` still to be wrapped in `WebAssembly.Suspending`. */
  readonly imports: Readonly<Record<string, CoreAbiFunction>>;
  readonly suspending: readonly string[];
  /** Gives it the memory that the module exports; until then every function that needs one fails. */
  attachMemory(memory: WebAssembly.Memory): void;
}

const FUNCTIONS: Readonly<Record<string, AbiFunction>> = {
  ...KV_FUNCTIONS,
  ...MESSAGING_FUNCTIONS,
  ...HTTP_FUNCTIONS,
  ...LOCAL_FUNCTIONS,
};

/** Makes the ABI on what the agent offers the guest. */
export function createCoreAbi(line: GuestLine): CoreAbi {
  const memory = createGuestMemory();
  const state: AbiState = {
    line,
    memory,
    result: new Uint8Array(),
    responseHeaders: new Uint8Array(),
    lastError: "",
  };
  return {
    imports: Object.fromEntries(
      Object.entries(FUNCTIONS).map(([name, carryOut]) => [name, importedFunction(state, name, carryOut)]),
    ),
    suspending: CORE_ABI_SUSPENDING,
    attachMemory: (attached) => memory.attach(attached),
  };
}

/**
 * Checks what a module imports from `wasmatrix`, if anything; throws `MODULE_IMPORT_UNKNOWN` for a name that is not
 * there, `MODULE_KIND_UNSUPPORTED` if the module exports no memory under the name `memory`.
 */
export function assertCoreAbiFits({ imports, exports }: CoreModule): void {
  const ours = imports.filter(({ module }) => module === CORE_ABI_MODULE);
  const unknown = ours.find(({ name, kind }) => kind !== "function" || !Object.hasOwn(CORE_ABI_SIGNATURES, name));
  if (unknown !== undefined) {
    const name = `${CORE_ABI_MODULE}.${unknown.name}`;
    throw fault(
      Reason.MODULE_IMPORT_UNKNOWN,
      `Cannot host module: it imports ${unknown.kind} "${name}", which nothing here provides`,
      { subject: name },
    );
  }
  const hasMemory = exports.some(({ name, kind }) => name === "memory" && kind === "memory");
  if (ours.length > 0 && !hasMemory)
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      'Cannot host module: it imports from "wasmatrix", whose functions read and write a memory, and exports none as "memory"',
    );
}

function importedFunction(state: AbiState, name: string, carryOut: AbiFunction): CoreAbiFunction {
  const signature = CORE_ABI_SIGNATURES[name];
  if (signature === undefined) throw new Error(`${name} has no signature`);
  return (...given) => {
    try {
      const result = carryOut(state, abiCall(name, signature, given, state.memory));
      return result instanceof Promise ? result.catch((error: unknown) => failed(state, error)) : result;
    } catch (error) {
      return failed(state, error);
    }
  };
}

/** The code of an `AbiError`; anything else is thrown on, which is a trap in the guest. */
function failed(state: AbiState, error: unknown): number {
  if (!(error instanceof AbiError)) throw error;
  state.lastError = error.message;
  return error.code;
}
