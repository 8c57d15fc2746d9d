/** Collects a plan while a component is flattened. */
import { malformed } from "../wasm-reader.ts";
import {
  type CanonOptions,
  type ComponentPlan,
  PLAN_VERSION,
  type FunctionRef,
  type HostFunctionPlan,
  type PlanInterface,
  type PlanResource,
  type PlanStep,
} from "./component-plan.ts";
import type { FunctionEntity, Scope } from "./entity.ts";
import { createTypeTable, type TypeTable } from "./type-table.ts";

/** Definitions that are evaluated, counted anew each time a nested component is instantiated. */
const EVALUATED_MAX = 300_000;

/** Core instances of one guest. */
export const CORE_INSTANCES_MAX = 1_000;

/** Component instances of one guest that do something themselves. */
const COMPONENT_INSTANCES_MAX = 1_000;

/** See the top of the file. */
export interface PlanBuilder {
  readonly types: TypeTable;
  /** Counts work. Throws `MODULE_MALFORMED` for components that multiply without end. */
  evaluated(count?: number): void;
  addResource(resource: PlanResource): number;
  hostFunction(iface: string, name: string, type: number): FunctionEntity;
  /** The component lowers `ref`. */
  used(ref: FunctionRef): void;
  options(options: CanonOptions): number;
  /** The number of a component instance, given when it first does something. */
  instanceNumber(scope: Scope): number;
  /** Adds a step and gives its number among those of its kind. */
  addCoreInstance(step: Extract<PlanStep, { kind: "core-instance" }>): number;
  addLift(step: Extract<PlanStep, { kind: "lift" }>): number;
  addTrampoline(step: Exclude<PlanStep, { kind: "lift" | "core-instance" }>): number;
  finish(sides: {
    readonly imports: readonly PlanInterface[];
    readonly exports: readonly PlanInterface[];
  }): ComponentPlan;
}

/** Starts a plan for a component with `moduleCount` core modules. */
export function createPlanBuilder(moduleCount: number): PlanBuilder {
  const types = createTypeTable();
  const resources: PlanResource[] = [];
  const hostFunctions: Omit<HostFunctionPlan, "isUsed">[] = [];
  const usedFunctions = new Set<number>();
  const options: CanonOptions[] = [];
  const optionNumbers = new Map<string, number>();
  const instances: { parent?: number }[] = [];
  const steps: PlanStep[] = [];
  const moduleUses = Array.from({ length: moduleCount }, () => 0);
  let evaluated = 0;
  let coreInstances = 0;
  let lifts = 0;
  let trampolines = 0;

  function instanceNumber(scope: Scope): number {
    if (scope.instance !== undefined) return scope.instance;
    const parent = scope.parent === undefined ? undefined : instanceNumber(scope.parent);
    if (instances.length >= COMPONENT_INSTANCES_MAX)
      throw malformed(`it makes more than ${COMPONENT_INSTANCES_MAX} component instances`);
    scope.instance = instances.push(parent === undefined ? {} : { parent }) - 1;
    return scope.instance;
  }

  return {
    types,
    evaluated(count = 1) {
      evaluated += count;
      if (evaluated > EVALUATED_MAX)
        throw malformed(
          `instantiating it takes more than ${EVALUATED_MAX} definitions, nested components counted each time`,
        );
    },
    addResource: (resource) => resources.push(resource) - 1,
    hostFunction: (iface, name, type) => ({
      ref: { kind: "host", index: hostFunctions.push({ interface: iface, name, type }) - 1 },
      type,
    }),
    used(ref) {
      if (ref.kind === "host") usedFunctions.add(ref.index);
    },
    options(given) {
      const key = JSON.stringify(given);
      const before = optionNumbers.get(key);
      if (before !== undefined) return before;
      optionNumbers.set(key, options.length);
      return options.push(given) - 1;
    },
    instanceNumber,
    addCoreInstance(step) {
      if (coreInstances >= CORE_INSTANCES_MAX)
        throw malformed(`it makes more than ${CORE_INSTANCES_MAX} core instances`);
      steps.push(step);
      moduleUses[step.module] = (moduleUses[step.module] ?? 0) + 1;
      return coreInstances++;
    },
    addLift(step) {
      steps.push(step);
      return lifts++;
    },
    addTrampoline(step) {
      steps.push(step);
      return trampolines++;
    },
    finish: ({ imports, exports }) => ({
      version: PLAN_VERSION,
      types: types.types,
      functionTypes: types.functionTypes,
      resources,
      hostFunctions: hostFunctions.map((item, index) => ({ ...item, isUsed: usedFunctions.has(index) })),
      instances,
      options,
      steps,
      moduleUses,
      imports,
      exports,
    }),
  };
}
