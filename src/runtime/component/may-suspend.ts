/** Which parts of a component may suspend. Only those pay for promises. */
import type { ComponentPlan, FunctionRef } from "./component-plan.ts";
import type { FoundFunction } from "./host-lookup.ts";

/** What may suspend. */
export interface SuspendMap {
  /** Whether a call of `ref` may. */
  function(ref: FunctionRef): boolean;
  /** Whether dropping a handle of that resource may: its destructor is guest code. */
  drop(resource: number): boolean;
}

/**
 * Works it out for component instances as a whole: within one, core modules reach each other's functions through
 * tables, which cannot be followed. `hosts`: what serves each of the plan's host functions.
 */
export function suspendMap(plan: ComponentPlan, hosts: readonly (FoundFunction | undefined)[]): SuspendMap {
  const instances = new Set<number>();
  const instanceOfLift: number[] = [];
  for (const step of plan.steps)
    if (step.kind === "lift") instanceOfLift.push(plan.options[step.options]?.instance ?? 0);

  const map: SuspendMap = {
    function: (ref) =>
      ref.kind === "host" ? (hosts[ref.index]?.maySuspend ?? false) : instances.has(instanceOfLift[ref.index] ?? -1),
    drop(resource) {
      const item = plan.resources[resource];
      return item?.kind === "guest" && item.destructor !== undefined && instances.has(item.instance);
    },
  };
  for (let before = -1; before !== instances.size;) {
    before = instances.size;
    for (const step of plan.steps) {
      if (step.kind === "lower" && map.function(step.callee)) instances.add(plan.options[step.options]?.instance ?? 0);
      if (step.kind === "resource-drop" && map.drop(step.resource)) instances.add(step.instance);
    }
  }
  return map;
}
