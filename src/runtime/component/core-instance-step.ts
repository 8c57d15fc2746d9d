/** Core instances: which export of which instance satisfies which import. */
import type { CoreModule, ExternKind } from "../core-module.ts";
import { malformed } from "../wasm-reader.ts";
import type { Definition, Sort } from "./component-ast.ts";
import type { CoreRef } from "./component-plan.ts";
import { type CoreInstanceEntity, coreInstanceAt, type Entity, type Scope } from "./entity.ts";
import type { PlanBuilder } from "./plan-builder.ts";

const SORT_OF_KIND: Readonly<
  Record<ExternKind, "core-func" | "core-table" | "core-memory" | "core-global" | "core-tag">
> = {
  function: "core-func",
  table: "core-table",
  memory: "core-memory",
  global: "core-global",
  tag: "core-tag",
};

/** Adds the step for a core instance, or bundles parts of others. Throws `MODULE_MALFORMED` when an import is not satisfied. */
export function coreInstance(
  { builder, coreModules }: { readonly builder: PlanBuilder; readonly coreModules: readonly CoreModule[] },
  scope: Scope,
  definition: Extract<Definition, { kind: "core-instantiate" | "core-bundle" }>,
): CoreInstanceEntity {
  if (definition.kind === "core-bundle") {
    const exports = new Map<string, Entity>();
    for (const { name, sort, index } of definition.exports) {
      builder.evaluated();
      if (exports.has(name)) throw malformed(`a core instance has "${name}" twice`);
      exports.set(name, scope.get(sort, index));
    }
    return { kind: "bundle", exports };
  }
  const entity = scope.get("core-module", definition.module);
  const module = entity.sort === "core-module" ? entity.module : -1;
  const outside = coreModules[module];
  if (outside === undefined) throw malformed(`core module ${definition.module} is no module`);
  const args = new Map(definition.args.map(({ name, instance }) => [name, coreInstanceAt(scope, instance)]));
  if (args.size !== definition.args.length) throw malformed("a core module is given the same name twice");
  builder.evaluated(outside.imports.length + outside.exports.length);
  const imports = outside.imports.map(({ module: from, name, kind }) => {
    const instance = args.get(from);
    if (instance === undefined) throw malformed(`a core module imports from "${from}" and is not given it`);
    return { module: from, name, from: coreExport(instance, name, SORT_OF_KIND[kind]) };
  });
  const index = builder.addCoreInstance({ kind: "core-instance", module, imports });
  return { kind: "made", index, exports: new Map(outside.exports.map((item) => [item.name, item])) };
}

/** An export of a core instance. Throws `MODULE_MALFORMED` if there is none of that name and sort. */
export function coreExportEntity(instance: CoreInstanceEntity, name: string, sort: Sort): Entity {
  if (instance.kind === "bundle") {
    const entity = instance.exports.get(name);
    if (entity?.sort === sort) return entity;
    throw malformed(`${sort} "${name}" is taken from a core instance that has none`);
  }
  const found = instance.exports.get(name);
  if (found === undefined || SORT_OF_KIND[found.kind] !== sort)
    throw malformed(`${sort} "${name}" is taken from a core instance that has none`);
  return {
    sort: SORT_OF_KIND[found.kind],
    ref: { kind: "export", instance: instance.index, name },
    export: found,
  };
}

function coreExport(instance: CoreInstanceEntity, name: string, sort: Sort): CoreRef {
  const entity = coreExportEntity(instance, name, sort);
  if ("ref" in entity) return entity.ref;
  throw malformed(`"${name}" is nothing that a core module can use`);
}
