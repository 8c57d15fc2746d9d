/**
 * Evaluates a component's definitions: every index is looked up, nested components are instantiated where they stand,
 * and what remains is a list of steps. Types are taken from what is really passed, never from what an importer claims,
 * so a component that was not validated can only confuse itself.
 */
import type { CoreModule } from "../core-module.ts";
import { malformed } from "../wasm-reader.ts";
import type { ComponentAst, Definition, NamedIndex } from "./component-ast.ts";
import { assertLift, assertLower } from "./canon-rules.ts";
import type { CanonOptions } from "./component-plan.ts";
import { coreExportEntity, coreInstance } from "./core-instance-step.ts";
import { typeEntity } from "./define-type.ts";
import {
  coreInstanceAt,
  coreRef,
  createScope,
  type Entity,
  exportedRef,
  functionAt,
  functionTypeAt,
  type InstanceEntity,
  instanceAt,
  outerScope,
  resourceAt,
  type Scope,
} from "./entity.ts";
import type { PlanBuilder } from "./plan-builder.ts";

/** What flattening works with. */
export type Flattening = {
  readonly builder: PlanBuilder;
  /** The outsides of the core modules, in the order of the binary. */
  readonly coreModules: readonly CoreModule[];
};

/** Gives what a component imports. */
export type ImportSource = (definition: Extract<Definition, { kind: "import" }>, scope: Scope) => Entity;

/** Evaluates one instantiation and returns its exports. */
export function flattenComponent(
  flattening: Flattening,
  component: ComponentAst,
  parent: Scope | undefined,
  importsFrom: ImportSource,
): InstanceEntity {
  const scope = createScope(parent);
  const exports = new Map<string, Entity>();
  for (const definition of component.definitions) {
    flattening.builder.evaluated();
    switch (definition.kind) {
      case "import":
        scope.add(importsFrom(definition, scope));
        break;
      case "export": {
        const { name, what } = definition;
        if (exports.has(name.name)) throw malformed(`a component exports "${name.name}" twice`);
        const entity = scope.get(what.sort, what.index);
        exports.set(name.name, entity);
        scope.add(entity);
        break;
      }
      default:
        scope.add(definedEntity(flattening, scope, definition));
    }
  }
  return { exports };
}

function definedEntity(
  flattening: Flattening,
  scope: Scope,
  definition: Exclude<Definition, { kind: "import" | "export" }>,
): Entity {
  const { builder } = flattening;
  switch (definition.kind) {
    case "core-module":
      return { sort: "core-module", module: definition.module };
    case "core-instantiate":
    case "core-bundle":
      return { sort: "core-instance", instance: coreInstance(flattening, scope, definition) };
    case "core-type":
      return { sort: "core-type" };
    case "component":
      return { sort: "component", component: definition.component, scope };
    case "instantiate":
      return { sort: "instance", instance: instantiated(flattening, scope, definition) };
    case "bundle":
      return { sort: "instance", instance: { exports: named(flattening, scope, definition.exports) } };
    case "alias-export": {
      const entity = instanceAt(scope, definition.instance).exports.get(definition.name);
      if (entity?.sort !== definition.sort)
        throw malformed(`an alias takes ${definition.sort} "${definition.name}" from an instance that has none`);
      return entity;
    }
    case "alias-core-export":
      return coreExportEntity(coreInstanceAt(scope, definition.instance), definition.name, definition.sort);
    case "alias-outer":
      return outerScope(scope, definition.count).get(definition.sort, definition.index);
    case "type":
      return { sort: "type", type: definedType(builder, scope, definition.type) };
    case "lift":
      return lifted(builder, scope, definition);
    case "lower":
      return lowered(builder, scope, definition);
    case "resource-new":
    case "resource-drop":
    case "resource-rep": {
      const resource = resourceAt(scope, definition.type);
      const instance = builder.instanceNumber(scope);
      const index = builder.addTrampoline({ kind: definition.kind, resource, instance });
      return { sort: "core-func", ref: { kind: "trampoline", index } };
    }
  }
}

function definedType(
  builder: PlanBuilder,
  scope: Scope,
  type: Extract<Definition, { kind: "type" }>["type"],
): Extract<Entity, { sort: "type" }>["type"] {
  if (type.kind !== "resource") return typeEntity(builder, scope, type);
  const instance = builder.instanceNumber(scope);
  const destructor = type.destructor === undefined ? undefined : exportedRef(scope, type.destructor);
  return {
    kind: "resource",
    resource: builder.addResource({ kind: "guest", instance, ...(destructor === undefined ? {} : { destructor }) }),
  };
}

function named(flattening: Flattening, scope: Scope, entries: readonly NamedIndex[]): ReadonlyMap<string, Entity> {
  const entities = new Map<string, Entity>();
  for (const { name, sort, index } of entries) {
    flattening.builder.evaluated();
    if (entities.has(name)) throw malformed(`"${name}" is given twice`);
    entities.set(name, scope.get(sort, index));
  }
  return entities;
}

function instantiated(
  flattening: Flattening,
  scope: Scope,
  definition: Extract<Definition, { kind: "instantiate" }>,
): InstanceEntity {
  const nested = scope.get("component", definition.component);
  if (nested.sort !== "component") throw malformed(`component ${definition.component} is no component`);
  const args = named(flattening, scope, definition.args);
  return flattenComponent(flattening, nested.component, nested.scope, ({ name, type }) => {
    const entity = args.get(name.name);
    if (entity?.sort !== type.sort)
      throw malformed(`a nested component imports ${type.sort} "${name.name}" and does not get it`);
    return entity;
  });
}

function lifted(builder: PlanBuilder, scope: Scope, definition: Extract<Definition, { kind: "lift" }>): Entity {
  const type = functionTypeAt(scope, definition.type);
  const core = scope.get("core-func", definition.core);
  const { postReturn } = definition.options;
  assertLift(builder.types, type, definition.options, "export" in core ? core.export : undefined);
  const index = builder.addLift({
    kind: "lift",
    core: exportedRef(scope, definition.core),
    type,
    options: canonOptions(builder, scope, definition.options),
    ...(postReturn === undefined ? {} : { postReturn: exportedRef(scope, postReturn) }),
  });
  return { sort: "func", func: { ref: { kind: "lifted", index }, type } };
}

function lowered(builder: PlanBuilder, scope: Scope, definition: Extract<Definition, { kind: "lower" }>): Entity {
  const { ref, type } = functionAt(scope, definition.func);
  assertLower(builder.types, type, definition.options);
  builder.used(ref);
  const index = builder.addTrampoline({
    kind: "lower",
    callee: ref,
    type,
    options: canonOptions(builder, scope, definition.options),
  });
  return { sort: "core-func", ref: { kind: "trampoline", index } };
}

function canonOptions(
  builder: PlanBuilder,
  scope: Scope,
  { encoding, memory, realloc }: Extract<Definition, { kind: "lower" }>["options"],
): number {
  const options: CanonOptions = {
    instance: builder.instanceNumber(scope),
    encoding,
    ...(memory === undefined ? {} : { memory: coreRef(scope, "core-memory", memory) }),
    ...(realloc === undefined ? {} : { realloc: exportedRef(scope, realloc) }),
  };
  return builder.options(options);
}
