/** Tells what a module is from its bytes, and refuses what this runtime cannot host. Pure: needs neither engine nor threads. */
import { fault, Reason, type Fault } from "../fault.ts";
import { assertCoreAbiFits } from "./abi/core-abi.ts";
import { CORE_ABI_MODULE } from "./abi/abi-signatures.ts";
import type { ComponentPlan } from "./component/component-plan.ts";
import { planFromBytes } from "./component/plan-from-bytes.ts";
import { exportedFunctionTexts } from "./component/wit-text.ts";
import { coreModuleFromBytes, type CoreModule, type FunctionType } from "./core-module.ts";
import { assertMemoryCount, assertNoSharedMemory, initialSizes, memoryLimits } from "./growth-cap.ts";
import { PAGE_BYTES, sharedTableEntries } from "./growth-cap.ts";
import { guestEntryOf, hostedInterface, type GuestEntry } from "./host/hosted-interfaces.ts";
import { PREVIEW1_FUNCTIONS } from "./preview1-functions.ts";
import type { GuestKind, ModuleShape } from "./runtime.ts";
import { assertWasixFits, isWasix } from "./wasix/wasix-imports.ts";
import { layerFromHeader } from "./wasm-reader.ts";

const PREVIEW1 = "wasi_snapshot_preview1";
const HOSTED_KINDS =
  "hosted are WASI 0.2 components that handle HTTP requests or messages, run as commands or export functions, WASI preview 1 commands, and core modules with exported functions";
const NAMED_MAX = 10;

/** Reads the outside of a module. Throws what `Runtime.inspect` throws. */
export function shapeFromBytes(bytes: Uint8Array): ModuleShape {
  if (layerFromHeader(bytes) === "module") return shapeFromCoreModule(bytes, coreModuleFromBytes(bytes));
  const { plan, modules } = planFromBytes(bytes);
  return shapeFromPlan(plan, modules);
}

/** The shape of a component that has been planned. Throws as `shapeFromBytes` does. */
export function shapeFromPlan(plan: ComponentPlan, modules: readonly Uint8Array[]): ModuleShape {
  const imports = plan.imports.map(({ name }) => name);
  const exports = plan.exports.map(({ name }) => name);
  const functions = exportedFunctionTexts(plan);
  const entry = guestEntryOf(exports);
  if (entry === undefined ? functions.length === 0 : !hasFunction(plan, entry.interface, ENTRY_FUNCTION[entry.entry]))
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot host module: it is ${componentKind(exports)} (${HOSTED_KINDS})`,
    );
  const used = new Set(
    plan.hostFunctions
      .filter(({ isUsed }) => isUsed)
      .map((item) => (item.interface === "$root" ? item.name : item.interface)),
  );
  assertHosted(
    [...used].filter((name) => hostedInterface(name) === undefined).map((name) => ({ name, text: `"${name}"` })),
  );
  const kind: GuestKind = entry?.entry ?? "functions";
  const useCount = modules.reduce((sum, _, index) => sum + (plan.moduleUses[index] ?? 1), 0);
  if (useCount > MODULE_USES_MAX) assertMemoryCount(useCount);
  for (const module of modules) assertNoSharedMemory(module);
  // Each module is read once, however often it is instantiated.
  const ofAllUses = <Item>(read: (module: Uint8Array) => readonly Item[]): Item[] =>
    modules.flatMap((module, index) => {
      const items = read(module);
      return Array.from({ length: plan.moduleUses[index] ?? 1 }, () => items).flat();
    });
  const memories = ofAllUses(memoryLimits);
  assertMemoryCount(memories.length);
  sharedTableEntries(ofAllUses((module) => initialSizes(module).tableEntries));
  // What the runtime calls by itself is told by the kind.
  const callable = kind === "functions" ? functions : [];
  return { kind, format: "component", memory: memoryOf(memories), functions: callable, imports, exports };
}

/** Core instances inside a component; compilers make a handful. */
const MODULE_USES_MAX = 1_000;

const ENTRY_FUNCTION: Readonly<Record<GuestEntry, string>> = {
  http: "handle",
  command: "run",
  messaging: "handle-message",
};

function hasFunction({ exports }: ComponentPlan, iface: string, name: string): boolean {
  return exports.some((each) => each.name === iface && each.functions.some((item) => item.name === name));
}

function componentKind(exports: readonly string[]): string {
  const entry = guestEntryOf(exports);
  if (entry !== undefined)
    return `a component that exports ${entry.interface} without its function ${ENTRY_FUNCTION[entry.entry]}`;
  const found = exports.find((name) => /^wasi:(?:http\/(?:incoming-)?handler|cli\/run)@/.test(name));
  if (found !== undefined) return `a component that exports ${found}, another version of WASI`;
  if (exports.length === 0) return "a component that exports nothing";
  return `a component that exports no function, only ${exports.slice(0, 5).join(", ")}`;
}

function shapeFromCoreModule(bytes: Uint8Array, module: CoreModule): ModuleShape {
  const { memoryPages, tableEntries } = initialSizes(bytes);
  assertMemoryCount(memoryPages.length);
  sharedTableEntries(tableEntries);
  const outside = {
    memory: memoryOf(memoryLimits(bytes)),
    imports: module.imports.map((item) => `${item.module}.${item.name}`),
    exports: module.exports.map(({ name }) => name),
  };
  if (isWasix(module)) {
    assertWasixFits(module);
    return { kind: "command", format: "wasix", functions: [], ...outside };
  }
  assertNoSharedMemory(bytes);
  const unknown = module.imports.filter(
    (item) =>
      item.module !== CORE_ABI_MODULE &&
      (item.module !== PREVIEW1 || item.kind !== "function" || !PREVIEW1_FUNCTIONS.has(item.name)),
  );
  assertHosted(
    unknown.map((item) => ({
      name: `${item.module}.${item.name}`,
      text: `${item.kind} "${item.module}.${item.name}"`,
    })),
  );
  assertCoreAbiFits(module);
  const functions = module.exports.flatMap(({ name, type }) =>
    type === undefined ? [] : [{ name, type: functionText(type) }],
  );
  const format = module.imports.some((item) => item.module === PREVIEW1) ? "wasi-p1" : "core";
  if (functions.some(({ name }) => name === "_start"))
    return { kind: "command", format: "wasi-p1", functions: [], ...outside };
  const callable = functions.filter(({ name }) => name !== "_initialize");
  if (callable.length > 0) return { kind: "functions", format, functions: callable, ...outside };
  throw fault(
    Reason.MODULE_KIND_UNSUPPORTED,
    `Cannot host module: it is a core module that exports no function (${HOSTED_KINDS})`,
  );
}

/** A function's type as Wasm text has it. */
function functionText({ parameters, results }: FunctionType): string {
  return `func(${parameters.join(", ")})${results.length === 0 ? "" : ` -> (${results.join(", ")})`}`;
}

function memoryOf(memories: ReturnType<typeof memoryLimits>): ModuleShape["memory"] {
  const bytes = (pages: bigint): number => Number(pages) * PAGE_BYTES;
  return {
    initialBytes: memories.reduce((sum, { minimum }) => sum + bytes(minimum), 0),
    maxBytes: memories.reduce<number | undefined>(
      (sum, { maximum }) => (sum === undefined || maximum === undefined ? undefined : sum + bytes(maximum)),
      0,
    ),
  };
}

/** Names everything that is missing at once: whoever builds the module need not come back for each. */
function assertHosted(unknown: readonly { readonly name: string; readonly text: string }[]): void {
  const [first] = unknown;
  if (first !== undefined)
    throw importsUnknown(
      first.name,
      unknown.map(({ text }) => text),
    );
}

function importsUnknown(subject: string, texts: readonly string[]): Fault {
  const more = texts.length > NAMED_MAX ? ` and ${texts.length - NAMED_MAX} more` : "";
  const message = `Cannot host module: it imports ${texts.slice(0, NAMED_MAX).join(", ")}${more}, which nothing here provides`;
  return fault(Reason.MODULE_IMPORT_UNKNOWN, message, { subject });
}
