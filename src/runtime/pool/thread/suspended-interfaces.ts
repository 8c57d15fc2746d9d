/** The interfaces that a component uses, with what may give a promise wrapped so that others get the processor meanwhile. */
import type { ComponentPlan } from "../../component/component-plan.ts";
import type { HostFunction, HostInterface, HostInterfaces } from "../../component/component-value.ts";
import { findInterface } from "../../component/host-lookup.ts";
import type { Suspend } from "./live-guest.ts";

/** An interface that a plan uses, and which of its functions may suspend. */
type Used = { readonly key: string; readonly suspending: readonly string[] };

/** What each plan uses, found out once for all copies. */
const usedBy = new WeakMap<ComponentPlan, readonly Used[]>();

/** Leaves out what the component does not use: a copy is made for every call of some guests. */
export function suspendedInterfaces(plan: ComponentPlan, interfaces: HostInterfaces, suspend: Suspend): HostInterfaces {
  let used = usedBy.get(plan);
  if (used === undefined) {
    used = usedInterfaces(plan, interfaces);
    usedBy.set(plan, used);
  }
  const wrapped: Record<string, HostInterface> = {};
  for (const { key, suspending } of used) {
    const given = interfaces[key];
    if (given === undefined) continue;
    wrapped[key] =
      suspending.length === 0 ? given : { ...given, functions: suspendedFunctions(given, suspending, suspend) };
  }
  return wrapped;
}

function suspendedFunctions(
  given: HostInterface,
  suspending: readonly string[],
  suspend: Suspend,
): HostInterface["functions"] {
  const functions: Record<string, HostFunction> = { ...given.functions };
  for (const name of suspending) {
    const carryOut = functions[name];
    if (carryOut !== undefined) functions[name] = suspend(carryOut);
  }
  return functions;
}

function usedInterfaces(plan: ComponentPlan, interfaces: HostInterfaces): Used[] {
  const names = new Set([...plan.hostFunctions.map((item) => item.interface), ...plan.imports.map(({ name }) => name)]);
  const found = new Set([...names].map((name) => findInterface(interfaces, name)));
  const called = new Set(plan.hostFunctions.filter(({ isUsed }) => isUsed).map(({ name }) => name));
  return Object.entries(interfaces)
    .filter(([, each]) => found.has(each))
    .map(([key, each]) => ({ key, suspending: (each.suspending ?? []).filter((name) => called.has(name)) }));
}
