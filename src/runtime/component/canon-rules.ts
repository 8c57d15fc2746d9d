/** What `canon lift` and `canon lower` need for the types that they carry. */
import type { CoreExport, ValueType } from "../core-module.ts";
import { malformed } from "../wasm-reader.ts";
import type { CanonOptionsAst } from "./component-ast.ts";
import type { WitFunction } from "./component-plan.ts";
import { sequence } from "./type-layout.ts";
import type { TypeTable } from "./type-table.ts";

/** Throws `MODULE_MALFORMED` if an option is missing, or if the core function is of another type. */
export function assertLift(
  types: TypeTable,
  type: number,
  options: CanonOptionsAst,
  core: CoreExport | undefined,
): void {
  const needs = needsOf(types, type);
  if (needs.memory && options.memory === undefined)
    throw malformed("a lifted function names no memory, which its type needs");
  if (needs.allocatesParams && options.realloc === undefined)
    throw malformed("a lifted function names no realloc, which its parameters need");
  if (core?.type === undefined) return;
  const expected = { parameters: needs.flatParams ?? ["i32"], results: needs.flatResult ?? ["i32"] };
  if (!isSame(core.type.parameters, expected.parameters) || !isSame(core.type.results, expected.results))
    throw malformed(
      `core function "${core.name}" is ${signature(core.type.parameters, core.type.results)}, lifting it needs ${signature(expected.parameters, expected.results)}`,
    );
}

/** The same for a lowered function; core modules say only when they are instantiated how they import it. */
export function assertLower(types: TypeTable, type: number, options: CanonOptionsAst): void {
  const needs = needsOf(types, type);
  if (options.postReturn !== undefined) throw malformed("a lowered function has a post-return");
  if (needs.memory && options.memory === undefined)
    throw malformed("a lowered function names no memory, which its type needs");
  if (needs.allocatesResult && options.realloc === undefined)
    throw malformed("a lowered function names no realloc, which its result needs");
}

function needsOf(
  types: TypeTable,
  index: number,
): {
  readonly memory: boolean;
  readonly allocatesParams: boolean;
  readonly allocatesResult: boolean;
  readonly flatParams: readonly ValueType[] | undefined;
  readonly flatResult: readonly ValueType[] | undefined;
} {
  const { params, result }: WitFunction = types.functionTypes[index] ?? { params: [] };
  const { flat: flatParams } = sequence(params.map((param) => types.layout(param.type))).layout;
  const resultLayout = result === undefined ? undefined : types.layout(result);
  const flatResult = resultLayout === undefined ? [] : resultLayout.flat?.length === 1 ? resultLayout.flat : undefined;
  const allocatesParams = flatParams === undefined || params.some((param) => types.hasRange(param.type));
  const allocatesResult = result !== undefined && types.hasRange(result);
  return {
    memory: allocatesParams || allocatesResult || flatResult === undefined,
    allocatesParams,
    allocatesResult,
    flatParams,
    flatResult,
  };
}

function isSame(a: readonly ValueType[], b: readonly ValueType[]): boolean {
  return a.length === b.length && a.every((type, index) => type === b[index]);
}

function signature(parameters: readonly ValueType[], results: readonly ValueType[]): string {
  return `(${parameters.join(", ")}) -> (${results.join(", ")})`;
}
