/** Makes a running copy of a component. */
import { fault, Reason } from "../../fault.ts";
import type { ComponentPlan } from "./component-plan.ts";
import { type ComponentLimits, ComponentState, InstanceState } from "./component-state.ts";
import type { HostInterfaces } from "./component-value.ts";
import { findFunctions, interfaceLookup, missingImports } from "./host-lookup.ts";
import { createLinker, type GuestFunction, type Linker } from "./linker.ts";

/** What a copy is made from. */
export type ComponentParts = {
  readonly plan: ComponentPlan;
  /** Compiled from the modules beside the plan, in their order. */
  readonly modules: readonly WebAssembly.Module[];
  readonly interfaces: HostInterfaces;
  readonly limits: ComponentLimits;
};

/** A running copy of a component. */
export interface ComponentInstance {
  /** By `interface#function`, as the component spells it and without version; functions of the world itself by their bare names. */
  readonly functions: ReadonlyMap<string, GuestFunction>;
  /** What ended it, once something has. */
  readonly failure: { readonly error: unknown } | undefined;
  /** Handles of resources that it holds. */
  readonly openHandles: number;
  /** Drops the host's objects that it holds. A call that is suspended rejects, and its guest code does not go on. May be called twice. */
  dispose(): void;
}

/**
 * Instantiates. Throws `MODULE_IMPORT_UNKNOWN` if `missingImports` names anything, and what a start function of a core
 * module traps with. Start functions may call only host functions that are not in `suspending`.
 */
export function instantiateComponent({ plan, modules, interfaces, limits }: ComponentParts): ComponentInstance {
  const lookUp = interfaceLookup(interfaces);
  const hosts = findFunctions(plan, lookUp);
  if (plan.hostFunctions.some(({ isUsed }, index) => isUsed && hosts[index] === undefined))
    throw importsMissing(missingImports(plan, interfaces));
  const definedBy = new Map<number, InstanceState>();
  const component = new ComponentState(limits, definedBy);
  const instances: InstanceState[] = [];
  for (const { parent } of plan.instances)
    instances.push(new InstanceState(component, parent === undefined ? undefined : instances[parent]));
  for (const [index, resource] of plan.resources.entries()) {
    const instance = resource.kind === "guest" ? instances[resource.instance] : undefined;
    if (instance !== undefined) definedBy.set(index, instance);
  }
  const linker = createLinker({ plan, modules, lookUp, hosts, component, instances });
  try {
    for (const step of plan.steps) linker.run(step);
  } catch (error) {
    linker.dropHandles();
    throw component.fail(error);
  }
  return new RunningComponent(component, linker);
}

/** A class, because some guests get one for each call: an object with getters of its own costs the engine a hidden class. */
class RunningComponent implements ComponentInstance {
  readonly functions: ReadonlyMap<string, GuestFunction>;
  readonly #component: ComponentState;
  readonly #linker: Linker;

  constructor(component: ComponentState, linker: Linker) {
    this.functions = linker.functions();
    this.#component = component;
    this.#linker = linker;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#component.failure;
  }

  get openHandles(): number {
    return this.#component.openHandles;
  }

  dispose(): void {
    const component = this.#component;
    if (component.isDisposed) return;
    component.isDisposed = true;
    const ended = new Error("the instance was disposed of");
    component.fail(ended);
    component.abandon?.(ended);
    this.#linker.dropHandles();
  }
}

const NAMED_MAX = 5;

function importsMissing(missing: readonly string[]): Error {
  const named = missing.slice(0, NAMED_MAX).map((name) => `"${name}"`);
  const others = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : "";
  return fault(
    Reason.MODULE_IMPORT_UNKNOWN,
    `Cannot host module: it imports ${named.join(", ")}${others}, which nothing here provides`,
    { subject: missing[0] ?? "" },
  );
}
