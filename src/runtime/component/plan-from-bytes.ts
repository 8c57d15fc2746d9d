/** From a component's bytes to a plan of how to instantiate it. */
import { type CoreModule, coreModuleFromBytes, outsideBytes, readLimits } from "../core-module.ts";
import { coreSectionsFromBytes, WasmReader } from "../wasm-reader.ts";
import { type ComponentPlan, type NamedType, type PlanInterface, WORLD_INTERFACE } from "./component-plan.ts";
import type { Entity } from "./entity.ts";
import { flattenComponent } from "./flatten-component.ts";
import { importEntity } from "./import-entity.ts";
import { createPlanBuilder } from "./plan-builder.ts";
import { createReadBudget, unsupported } from "./read-budget.ts";
import { componentBinaryFromBytes } from "./read-component.ts";

/** A plan, and the core modules that its steps instantiate. */
export type PlannedComponent = {
  readonly plan: ComponentPlan;
  /** Copies, so that each can be posted or stored by itself. They are not yet validated, capped or charged. */
  readonly modules: readonly Uint8Array<ArrayBuffer>[];
};

const MEMORY_SECTION = 5;
const MEMORY_64 = 0x04;

/**
 * Reads and checks a component. Throws `MODULE_NOT_WASM`, `MODULE_MALFORMED`, and `MODULE_KIND_UNSUPPORTED` for what is
 * not hosted: asynchronous components, imported components, 64-bit memories, garbage-collected types.
 */
export function planFromBytes(bytes: Uint8Array): PlannedComponent {
  const { component, modules } = componentBinaryFromBytes(bytes);
  const builder = createPlanBuilder(modules.length);
  const imports = new Map<string, Entity>();
  const { exports } = flattenComponent(
    { builder, coreModules: outsidesOf(modules) },
    component,
    undefined,
    ({ name, type }, scope) => {
      const entity = importEntity(builder, scope, name, type);
      imports.set(name.name, entity);
      return entity;
    },
  );
  return {
    plan: builder.finish({ imports: interfaces(imports), exports: interfaces(exports) }),
    modules: modules.map((module) => new Uint8Array(module)),
  };
}

function outsidesOf(modules: readonly Uint8Array[]): readonly CoreModule[] {
  const budget = createReadBudget();
  return modules.map((module) => {
    for (const _section of coreSectionsFromBytes(module)) budget.item();
    budget.bytes(outsideBytes(module));
    assertMemories32(module);
    return coreModuleFromBytes(module);
  });
}

function assertMemories32(module: Uint8Array): void {
  for (const { id, bodyStart, end } of coreSectionsFromBytes(module)) {
    if (id !== MEMORY_SECTION) continue;
    const reader = new WasmReader(module, bodyStart, end);
    const flags = reader.vector(() => readLimits(reader).flags);
    if (flags.some((flag) => (flag & MEMORY_64) !== 0)) throw unsupported("a 64-bit memory");
  }
}

/** Instances under their names, and what belongs to the world itself under `$root`. */
function interfaces(entities: ReadonlyMap<string, Entity>): readonly PlanInterface[] {
  const world = new Map<string, Entity>();
  const named: PlanInterface[] = [];
  for (const [name, entity] of entities) {
    if (entity.sort === "instance") named.push(interfaceFrom(name, entity.instance.exports));
    else world.set(name, entity);
  }
  const root = interfaceFrom(WORLD_INTERFACE, world);
  return root.functions.length + root.types.length === 0 ? named : [root, ...named];
}

function interfaceFrom(name: string, entities: ReadonlyMap<string, Entity>): PlanInterface {
  const types: NamedType[] = [];
  const functions: PlanInterface["functions"][number][] = [];
  for (const [item, entity] of entities) {
    if (entity.sort === "func") functions.push({ name: item, type: entity.func.type, from: entity.func.ref });
    if (entity.sort !== "type") continue;
    const { type } = entity;
    if (type.kind === "value") types.push({ kind: "value", name: item, type: type.type });
    if (type.kind === "resource") types.push({ kind: "resource", name: item, resource: type.resource });
  }
  return { name, types, functions };
}
