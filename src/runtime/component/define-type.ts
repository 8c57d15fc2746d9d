/** Type definitions, looked up in their scope. */
import { malformed } from "../wasm-reader.ts";
import type { FunctionAst, TypeAst, TypeUse, ValueTypeAst } from "./component-ast.ts";
import type { TypeIndex, WitFunction, WitType } from "./component-plan.ts";
import { resourceAt, type Scope, type TypeEntity, typeAt } from "./entity.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** What a type definition means in `scope`. Resource types are the caller's: only components may define them. */
export function typeEntity(
  builder: PlanBuilder,
  scope: Scope,
  type: Exclude<TypeAst, { kind: "resource" }>,
): TypeEntity {
  switch (type.kind) {
    case "value":
      return { kind: "value", type: valueType(builder, scope, type.value) };
    case "func":
      return { kind: "func", type: builder.types.internFunction(functionType(builder, scope, type.func)) };
    case "instance":
      return { kind: "instance", declarations: type.declarations, scope };
    case "component":
      return { kind: "component" };
  }
}

function functionType(builder: PlanBuilder, scope: Scope, { params, result }: FunctionAst): WitFunction {
  builder.evaluated(params.length);
  const labelled = params.map(({ name, type }) => ({ name, type: used(builder, scope, type) }));
  return result === undefined ? { params: labelled } : { params: labelled, result: used(builder, scope, result) };
}

function used(builder: PlanBuilder, scope: Scope, use: TypeUse): TypeIndex {
  if (typeof use === "string") return builder.types.intern({ kind: use });
  const type = typeAt(scope, use);
  if (type.kind === "value") return type.type;
  throw malformed(`type ${use} is used as a value's, but is none`);
}

function valueType(builder: PlanBuilder, scope: Scope, value: ValueTypeAst): TypeIndex {
  if (value.kind === "primitive") return builder.types.intern({ kind: value.primitive });
  if (value.kind === "map") {
    const items = [used(builder, scope, value.key), used(builder, scope, value.value)];
    return builder.types.intern({ kind: "list", element: builder.types.intern({ kind: "tuple", items }) });
  }
  return builder.types.intern(resolved(builder, scope, value));
}

function resolved(
  builder: PlanBuilder,
  scope: Scope,
  value: Exclude<ValueTypeAst, { kind: "primitive" | "map" }>,
): WitType {
  const use = (type: TypeUse): TypeIndex => used(builder, scope, type);
  switch (value.kind) {
    case "list": {
      const element = use(value.element);
      return value.length === undefined ? { kind: "list", element } : { kind: "list", element, length: value.length };
    }
    case "record":
      builder.evaluated(value.fields.length);
      return { kind: "record", fields: value.fields.map(({ name, type }) => ({ name, type: use(type) })) };
    case "tuple":
      builder.evaluated(value.items.length);
      return { kind: "tuple", items: value.items.map(use) };
    case "variant":
      builder.evaluated(value.cases.length);
      return {
        kind: "variant",
        cases: value.cases.map(({ name, type }) => (type === undefined ? { name } : { name, type: use(type) })),
      };
    case "enum":
    case "flags":
      builder.evaluated(value.names.length);
      return value;
    case "option":
      return { kind: "option", some: use(value.some) };
    case "result":
      return {
        kind: "result",
        ...(value.ok === undefined ? {} : { ok: use(value.ok) }),
        ...(value.err === undefined ? {} : { err: use(value.err) }),
      };
    case "own":
    case "borrow":
      return { kind: value.kind, resource: resourceAt(scope, value.resource) };
  }
}
