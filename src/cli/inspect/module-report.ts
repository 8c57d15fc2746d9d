/** What can be told of a module from its bytes alone. Pure. */
import { isFault, Reason } from "../../fault.ts";
import { planFromBytes } from "../../runtime/component/plan-from-bytes.ts";
import { worldText } from "../../runtime/component/wit-text.ts";
import { coreModuleFromBytes } from "../../runtime/core-module.ts";
import { shapeFromBytes } from "../../runtime/module-shape.ts";
import type { ModuleShape } from "../../runtime/runtime.ts";
import { layerFromHeader } from "../../runtime/wasm-reader.ts";
import { neededByComponent, neededByCoreModule, type NeededPermission } from "./needed-permissions.ts";

/** See the top of the file. */
export type ModuleReport = {
  readonly layer: "component" | "core module";
  /** How it would be hosted; `undefined` if it would not be. */
  readonly shape: ModuleShape | undefined;
  /** Why it would be refused; empty if it would not be. */
  readonly problem: string;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** The world of a component as WIT; `undefined` for a core module, and for a component that cannot be decoded. */
  readonly wit: string | undefined;
  readonly needs: readonly NeededPermission[];
};

/** Reads a module. Throws `MODULE_NOT_WASM` or `MODULE_MALFORMED`; what is well-formed but not hosted is told in `problem`. */
export function reportFromBytes(bytes: Uint8Array): ModuleReport {
  const layer = layerFromHeader(bytes);
  const { shape, problem } = shapeOrProblem(bytes);
  if (layer === "module") {
    const { imports, exports } = coreModuleFromBytes(bytes);
    return {
      layer: "core module",
      shape,
      problem,
      imports: imports.map(({ module, name }) => `${module}.${name}`),
      exports: exports.map(({ name }) => name),
      wit: undefined,
      needs: neededByCoreModule(imports),
    };
  }
  const plan = planOrNothing(bytes);
  const names = plan ?? { imports: shape?.imports ?? [], exports: shape?.exports ?? [] };
  return {
    layer: "component",
    shape,
    problem,
    imports: names.imports,
    exports: names.exports,
    wit: plan?.wit,
    needs: neededByComponent(names.imports, names.exports),
  };
}

function shapeOrProblem(bytes: Uint8Array): Pick<ModuleReport, "shape" | "problem"> {
  try {
    return { shape: shapeFromBytes(bytes), problem: "" };
  } catch (error) {
    // Well-formed, but of no use here: that is an answer, too.
    if (isFault(error, Reason.MODULE_KIND_UNSUPPORTED) || isFault(error, Reason.MODULE_IMPORT_UNKNOWN))
      return { shape: undefined, problem: error.message.replace(/^Cannot host module: /, "") };
    throw error;
  }
}

function planOrNothing(bytes: Uint8Array): { imports: string[]; exports: string[]; wit: string } | undefined {
  try {
    const { plan } = planFromBytes(bytes);
    const names = (interfaces: typeof plan.imports): string[] => interfaces.map(({ name }) => name);
    return { imports: names(plan.imports), exports: names(plan.exports), wit: worldText(plan) };
  } catch (error) {
    // The reason why it is not hosted is told already; its names stay unknown.
    if (isFault(error, Reason.MODULE_KIND_UNSUPPORTED)) return undefined;
    throw error;
  }
}
