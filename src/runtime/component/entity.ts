/** What index spaces hold while a component is flattened. */
import type { CoreExport } from "../core-module.ts";
import { malformed } from "../wasm-reader.ts";
import type { ComponentAst, Declaration, Sort } from "./component-ast.ts";
import type { CoreRef, FunctionRef, TypeIndex } from "./component-plan.ts";
import { unsupported } from "./read-budget.ts";

/** A component function and its type. */
export type FunctionEntity = { readonly ref: FunctionRef; readonly type: number };

/** A type of any kind. */
export type TypeEntity =
  | { readonly kind: "value"; readonly type: TypeIndex }
  | { readonly kind: "func"; readonly type: number }
  | { readonly kind: "resource"; readonly resource: number }
  /** Looked into only when the outermost component imports such an instance. */
  | { readonly kind: "instance"; readonly declarations: readonly Declaration[]; readonly scope: Scope }
  | { readonly kind: "component" };

/** A core instance: one that a step makes, or a bundle of parts of others. */
export type CoreInstanceEntity =
  | { readonly kind: "made"; readonly index: number; readonly exports: ReadonlyMap<string, CoreExport> }
  | { readonly kind: "bundle"; readonly exports: ReadonlyMap<string, Entity> };

/** The exports of a component instance by name. */
export type InstanceEntity = { readonly exports: ReadonlyMap<string, Entity> };

/** Whatever an index can stand for. */
export type Entity =
  | {
      readonly sort: "core-func" | "core-table" | "core-memory" | "core-global" | "core-tag";
      readonly ref: CoreRef;
      /** What the core module says of it, where it is its export. */
      readonly export?: CoreExport;
    }
  | { readonly sort: "core-module"; readonly module: number }
  | { readonly sort: "core-instance"; readonly instance: CoreInstanceEntity }
  | { readonly sort: "core-type" }
  | { readonly sort: "func"; readonly func: FunctionEntity }
  | { readonly sort: "type"; readonly type: TypeEntity }
  | { readonly sort: "component"; readonly component: ComponentAst; readonly scope: Scope }
  | { readonly sort: "instance"; readonly instance: InstanceEntity };

/** The index spaces of one component instance, or of one instance type. */
export interface Scope {
  readonly parent: Scope | undefined;
  /** Gives the next index of its sort to `entity`. */
  add(entity: Entity): void;
  /** Throws `MODULE_MALFORMED` when there is no such index. */
  get(sort: Sort, index: number): Entity;
  /** Number of the component instance in the plan, once it needs one. */
  instance: number | undefined;
}

/** Opens empty index spaces inside those of `parent`. */
export function createScope(parent: Scope | undefined): Scope {
  const spaces = new Map<Sort, Entity[]>();
  return {
    parent,
    instance: undefined,
    add(entity) {
      const space = spaces.get(entity.sort);
      if (space === undefined) spaces.set(entity.sort, [entity]);
      else space.push(entity);
    },
    get(sort, index) {
      const entity = spaces.get(sort)?.[index];
      if (entity === undefined) throw malformed(`${sort} ${index} is referred to, but not defined before`);
      return entity;
    },
  };
}

/** The scope `count` levels further out. */
export function outerScope(scope: Scope, count: number): Scope {
  let outer: Scope | undefined = scope;
  for (let left = count; left > 0 && outer !== undefined; left--) outer = outer.parent;
  if (outer === undefined) throw malformed(`an alias goes ${count} levels out, which are not there`);
  return outer;
}

/** A core function, memory, table, global or tag. */
export function coreRef(scope: Scope, sort: Sort, index: number): CoreRef {
  const entity = scope.get(sort, index);
  if ("ref" in entity) return entity.ref;
  throw malformed(`${sort} ${index} is nothing that a core module can use`);
}

/** A core function that JavaScript calls. Throws `MODULE_KIND_UNSUPPORTED` for one that no core module exports. */
export function exportedRef(scope: Scope, index: number): CoreRef {
  const ref = coreRef(scope, "core-func", index);
  if (ref.kind === "export") return ref;
  throw unsupported("a function that is lifted without a core module in between");
}

/** The type with that index. */
export function typeAt(scope: Scope, index: number): TypeEntity {
  const entity = scope.get("type", index);
  if (entity.sort === "type") return entity.type;
  throw malformed(`type ${index} is no type`);
}

/** The resource type with that index. */
export function resourceAt(scope: Scope, index: number): number {
  const type = typeAt(scope, index);
  if (type.kind === "resource") return type.resource;
  throw malformed(`type ${index} is used as a resource, but is none`);
}

/** The function type with that index. */
export function functionTypeAt(scope: Scope, index: number): number {
  const type = typeAt(scope, index);
  if (type.kind === "func") return type.type;
  throw malformed(`type ${index} is used as a function's, but is none`);
}

/** The component function with that index. */
export function functionAt(scope: Scope, index: number): FunctionEntity {
  const entity = scope.get("func", index);
  if (entity.sort === "func") return entity.func;
  throw malformed(`func ${index} is no function`);
}

/** The component instance with that index. */
export function instanceAt(scope: Scope, index: number): InstanceEntity {
  const entity = scope.get("instance", index);
  if (entity.sort === "instance") return entity.instance;
  throw malformed(`instance ${index} is no instance`);
}

/** The core instance with that index. */
export function coreInstanceAt(scope: Scope, index: number): CoreInstanceEntity {
  const entity = scope.get("core-instance", index);
  if (entity.sort === "core-instance") return entity.instance;
  throw malformed(`core instance ${index} is no instance`);
}
