/** Tells what a module is from its bytes, and refuses what this runtime cannot host. */
import { fault, Reason } from "../fault.ts";
import { coreModuleFromBytes, type CoreModule } from "./core-module.ts";
import { PREVIEW1_FUNCTIONS } from "./guest/preview1.ts";
import type { ModuleShape } from "./runtime.ts";

const PREVIEW1 = "wasi_snapshot_preview1";
const HOSTED_KINDS = "WASI 0.2 HTTP handlers, WASI preview 1 commands and modules with exported functions are";

/** Reads the outside of a module. Throws what `Runtime.inspect` throws. */
export function shapeFromBytes(bytes: Uint8Array): ModuleShape {
  return shapeFromCoreModule(coreModuleFromBytes(bytes));
}

function shapeFromCoreModule({ imports, exports }: CoreModule): ModuleShape {
  const unknown = imports.find(({ module, name, kind }) => module !== PREVIEW1 || kind !== "function" || !PREVIEW1_FUNCTIONS.includes(name));
  if (unknown !== undefined) {
    const name = `${unknown.module}.${unknown.name}`;
    throw fault(Reason.MODULE_IMPORT_UNKNOWN, `Cannot host module: it imports ${unknown.kind} "${name}", which nothing here provides`, { subject: name });
  }
  const functions = exports.filter(({ kind }) => kind === "function").map(({ name }) => name);
  const names = { imports: imports.map(({ module, name }) => `${module}.${name}`), exports: exports.map(({ name }) => name) };
  if (functions.includes("_start")) return { kind: "command", ...names };
  if (functions.length > 0) return { kind: "functions", ...names };
  throw fault(Reason.MODULE_KIND_UNSUPPORTED, `Cannot host module: it is a core module that exports no function (${HOSTED_KINDS} hosted)`);
}
