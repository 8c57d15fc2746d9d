/** Instantiates core modules: preview 1 commands, and modules whose functions are called one by one. */
import { createCoreAbi } from "../../abi/core-abi.ts";
import { CORE_ABI_MODULE } from "../../abi/abi-signatures.ts";
import { jsonFromWasm } from "../../json-values.ts";
import { createPreview1, PREVIEW1_MODULE } from "../../preview1/preview1.ts";
import type { HostFunction } from "../../component/component-value.ts";
import { promisingExport, suspendingImport, type CoreFunction, type PromisingFunction } from "../../component/jspi.ts";
import { uncatchableError } from "../../uncatchable.ts";
import type { CallOrder, CallOutcome } from "../protocol.ts";
import type { LiveGuest, LiveGuestDeps, Suspend } from "./live-guest.ts";

/** Functions that a module imports under one name, and the memory that they need. */
type CoreInterface = {
  readonly imports: Readonly<Record<string, HostFunction>>;
  readonly suspending: readonly string[];
  attachMemory(memory: WebAssembly.Memory): void;
  dispose?(): void;
};

/** Instantiates, and calls `_initialize` if there is one. Rejects with what the guest threw or trapped on. */
export async function openCoreGuest(module: WebAssembly.Module, deps: LiveGuestDeps): Promise<LiveGuest> {
  const { line, order, suspend } = deps;
  const wanted = new Set(WebAssembly.Module.imports(module).map((item) => item.module));
  const interfaces = new Map<string, CoreInterface>();
  if (wanted.has(PREVIEW1_MODULE))
    interfaces.set(PREVIEW1_MODULE, createPreview1({ line, openHandlesMax: order.openHandlesMax }));
  if (wanted.has(CORE_ABI_MODULE)) interfaces.set(CORE_ABI_MODULE, createCoreAbi(line));
  const imports = Object.fromEntries([...interfaces].map(([name, each]) => [name, suspended(each, suspend)]));
  const { exports } = new WebAssembly.Instance(module, imports);
  const { memory } = exports;
  if (memory instanceof WebAssembly.Memory) for (const each of interfaces.values()) each.attachMemory(memory);
  if (order.guestKind !== "command" && typeof exports["_initialize"] === "function")
    await exportedFunction(exports, "_initialize")();
  return {
    call: (call) => runCall(exports, call),
    dispose() {
      for (const each of interfaces.values()) each.dispose?.();
    },
  };
}

async function runCall(exports: WebAssembly.Exports, call: CallOrder): Promise<CallOutcome> {
  switch (call.kind) {
    case "invoke": {
      const returned = await exportedFunction(exports, call.name)(...call.args.filter(isWasmValue));
      return {
        kind: "returned",
        values: jsonFromWasm((Array.isArray(returned) ? returned : [returned]).filter(isWasmValue)),
      };
    }
    case "run":
      await exportedFunction(exports, "_start")();
      return { kind: "exited", exitCode: 0 };
    default:
      throw new Error(`a core module takes no ${call.kind}`);
  }
}

function suspended({ imports, suspending }: CoreInterface, suspend: Suspend): WebAssembly.ModuleImports {
  const wrapped: Record<string, WebAssembly.ImportValue> = {};
  for (const [name, carryOut] of Object.entries(imports)) {
    if (!isCoreFunction(carryOut)) continue;
    const final = uncatchable(carryOut);
    wrapped[name] = suspending.includes(name) ? importValue(suspendingImport(suspend(final))) : final;
  }
  return wrapped;
}

/** What a host function throws leaves the guest for good, whatever handlers for exceptions it has. */
function uncatchable(carryOut: CoreFunction): CoreFunction {
  return (...values) => {
    try {
      const result = carryOut(...values);
      return result instanceof Promise ? result.catch(throwUncatchable) : result;
    } catch (error) {
      return throwUncatchable(error);
    }
  };
}

function throwUncatchable(error: unknown): never {
  throw uncatchableError(error instanceof Error ? error.message : String(error), error);
}

function exportedFunction(exports: WebAssembly.Exports, name: string): PromisingFunction {
  const exported = exports[name];
  if (!isCoreFunction(exported)) throw new TypeError(`the module exports no function "${name}"`);
  return promisingExport(exported);
}

function isCoreFunction(value: unknown): value is CoreFunction {
  return typeof value === "function";
}

/** One result comes as it is, several as an array, none as `undefined`. */
function isWasmValue(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** The type library does not know that objects which suspend can be imported. */
function importValue(suspending: object): WebAssembly.ImportValue {
  return suspending as WebAssembly.ImportValue;
}
