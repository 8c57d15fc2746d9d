/** What the outermost component imports, as its host will have to provide it. */
import { malformed } from "../wasm-reader.ts";
import type { Declaration, ExternName, ExternType } from "./component-ast.ts";
import { WORLD_INTERFACE } from "./component-plan.ts";
import { typeEntity } from "./define-type.ts";
import { createScope, type Entity, functionTypeAt, outerScope, instanceAt, type Scope, typeAt } from "./entity.ts";
import type { PlanBuilder } from "./plan-builder.ts";
import { unsupported } from "./read-budget.ts";

/** Makes the entity for an import that is declared as `type`. Throws `MODULE_KIND_UNSUPPORTED` for imported components and core modules. */
export function importEntity(builder: PlanBuilder, scope: Scope, name: ExternName, type: ExternType): Entity {
  const { name: spelled } = name;
  switch (type.sort) {
    case "instance": {
      const declared = typeAt(scope, type.type);
      if (declared.kind !== "instance")
        throw malformed(`import "${spelled}" is an instance, but type ${type.type} is none of one`);
      return {
        sort: "instance",
        instance: { exports: declaredExports(builder, declared, name.implements ?? spelled) },
      };
    }
    case "func":
    case "type":
      return declaredEntity(builder, scope, WORLD_INTERFACE, spelled, type);
    case "component":
    case "core-module":
    case "value":
      throw unsupported(`import "${spelled}" of a ${type.sort}`);
  }
}

function declaredEntity(builder: PlanBuilder, scope: Scope, iface: string, name: string, type: ExternType): Entity {
  if (type.sort === "func")
    return { sort: "func", func: builder.hostFunction(iface, name, functionTypeAt(scope, type.type)) };
  if (type.sort !== "type") throw unsupported(`"${name}" of interface "${iface}", which is a ${type.sort}`);
  if (type.equals !== undefined) return { sort: "type", type: typeAt(scope, type.equals) };
  return {
    sort: "type",
    type: { kind: "resource", resource: builder.addResource({ kind: "host", interface: iface, name }) },
  };
}

function declaredExports(
  builder: PlanBuilder,
  declared: { readonly declarations: readonly Declaration[]; readonly scope: Scope },
  iface: string,
): ReadonlyMap<string, Entity> {
  const scope = createScope(declared.scope);
  const exports = new Map<string, Entity>();
  for (const declaration of declared.declarations) {
    builder.evaluated();
    switch (declaration.kind) {
      case "core-type":
        scope.add({ sort: "core-type" });
        break;
      case "type":
        if (declaration.type.kind === "resource") throw malformed("an instance type defines a resource");
        scope.add({ sort: "type", type: typeEntity(builder, scope, declaration.type) });
        break;
      case "alias-outer":
        scope.add(outerScope(scope, declaration.count).get(declaration.sort, declaration.index));
        break;
      case "alias-export": {
        const entity = instanceAt(scope, declaration.instance).exports.get(declaration.name);
        if (entity?.sort !== declaration.sort)
          throw malformed(`an instance type aliases "${declaration.name}", which is not there`);
        scope.add(entity);
        break;
      }
      case "declare": {
        const { name } = declaration;
        if (exports.has(name)) throw malformed(`interface "${iface}" has "${name}" twice`);
        const entity = declaredEntity(builder, scope, iface, name, declaration.type);
        scope.add(entity);
        exports.set(name, entity);
        break;
      }
    }
  }
  return exports;
}
