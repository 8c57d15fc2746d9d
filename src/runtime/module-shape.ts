/** Tells what a module is from its bytes, and refuses what this runtime cannot host. */
import { fault, Reason } from "../fault.ts";
import { componentFromBytes, type Component } from "./component.ts";
import { coreModuleFromBytes, type CoreModule } from "./core-module.ts";
import { assertMemoryCount, initialSizes, sharedTableEntries } from "./growth-cap.ts";
import { PREVIEW1_FUNCTIONS } from "./guest/preview1.ts";
import type { ModuleShape } from "./runtime.ts";
import { handlerExport, isHostedImport } from "./wasi-interfaces.ts";
import { layerFromHeader } from "./wasm-reader.ts";

const PREVIEW1 = "wasi_snapshot_preview1";
const HOSTED_KINDS =
  "hosted are components that export wasi:http/incoming-handler@0.2, WASI preview 1 commands, and core modules with exported functions";

/** Reads the outside of a module. Throws what `Runtime.inspect` throws. */
export function shapeFromBytes(bytes: Uint8Array): ModuleShape {
  return layerFromHeader(bytes) === "component"
    ? shapeFromComponent(componentFromBytes(bytes))
    : shapeFromCoreModule(bytes, coreModuleFromBytes(bytes));
}

/** The shape of a component whose outside is known. Throws as `shapeFromBytes` does. */
export function shapeFromComponent({ imports, exports }: Component): ModuleShape {
  if (handlerExport(exports) === undefined) {
    throw fault(
      Reason.MODULE_KIND_UNSUPPORTED,
      `Cannot host module: it is ${componentKind(exports)} (${HOSTED_KINDS})`,
    );
  }
  const unknown = imports.find((name) => !isHostedImport(name));
  if (unknown !== undefined) throw importUnknown(`"${unknown}"`, unknown);
  return { kind: "http", imports, exports };
}

function componentKind(exports: readonly string[]): string {
  const has = (start: string): string | undefined => exports.find((name) => name.startsWith(start));
  const handler = has("wasi:http/incoming-handler") ?? has("wasi:http/handler");
  if (handler !== undefined) return `a component that exports ${handler}, another version of WASI`;
  if (has("wasi:cli/run") !== undefined) return "a component that is a WASI 0.2 command (wasi:cli/run)";
  if (exports.length === 0) return "a component that exports nothing";
  return `a component that exports ${exports.slice(0, 5).join(", ")}`;
}

function shapeFromCoreModule(bytes: Uint8Array, { imports, exports }: CoreModule): ModuleShape {
  const { memoryPages, tableEntries } = initialSizes(bytes);
  assertMemoryCount(memoryPages.length);
  sharedTableEntries(tableEntries);
  const unknown = imports.find(
    ({ module, name, kind }) => module !== PREVIEW1 || kind !== "function" || !PREVIEW1_FUNCTIONS.includes(name),
  );
  if (unknown !== undefined) {
    const name = `${unknown.module}.${unknown.name}`;
    throw importUnknown(`${unknown.kind} "${name}"`, name);
  }
  const functions = exports.filter(({ kind }) => kind === "function").map(({ name }) => name);
  const names = {
    imports: imports.map(({ module, name }) => `${module}.${name}`),
    exports: exports.map(({ name }) => name),
  };
  if (functions.includes("_start")) return { kind: "command", ...names };
  if (functions.some((name) => name !== "_initialize")) return { kind: "functions", ...names };
  throw fault(
    Reason.MODULE_KIND_UNSUPPORTED,
    `Cannot host module: it is a core module that exports no function (${HOSTED_KINDS})`,
  );
}

function importUnknown(what: string, subject: string): Error {
  return fault(Reason.MODULE_IMPORT_UNKNOWN, `Cannot host module: it imports ${what}, which nothing here provides`, {
    subject,
  });
}
