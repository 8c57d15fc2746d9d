/** Which host function serves which import of a component. */
import { type ComponentPlan, WORLD_INTERFACE } from "./component-plan.ts";
import type { HostInterface, HostInterfaces, HostResource } from "./component-value.ts";

/** A host function that was found. */
export type FoundFunction = { readonly call: (...args: unknown[]) => unknown; readonly maySuspend: boolean };

/** Versions of WASI whose interfaces are all served by the one that is named without version. */
const WASI_SERVED = /^0\.[12]\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/**
 * What `plan` calls and `interfaces` do not have, as the component spells it: an interface (`wasi:sockets/tcp@0.2.0`)
 * or one function (`wasi:http/types@0.2.9#[method]fields.copy`). A component for which this is empty can be instantiated.
 */
export function missingImports(plan: ComponentPlan, interfaces: HostInterfaces): readonly string[] {
  const missing = new Set<string>();
  const lookUp = interfaceLookup(interfaces);
  for (const [index, found] of findFunctions(plan, lookUp).entries()) {
    const wanted = plan.hostFunctions[index];
    if (wanted === undefined || !wanted.isUsed || found !== undefined) continue;
    const { interface: name, name: item } = wanted;
    if (name === WORLD_INTERFACE) missing.add(item);
    else missing.add(lookUp(name) === undefined ? name : `${name}#${item}`);
  }
  return [...missing];
}

/**
 * The interface that serves imports from `name`: the one of that very name, else the one of the same name without
 * version. Of WASI, that stands for every 0.2 (and 0.1) version, and for no later one. Only own properties count.
 */
export function findInterface(interfaces: HostInterfaces, name: string): HostInterface | undefined {
  if (Object.hasOwn(interfaces, name)) return interfaces[name];
  const at = name.indexOf("@");
  if (at < 0) return undefined;
  const base = name.slice(0, at);
  if (base.startsWith("wasi:") && !WASI_SERVED.test(name.slice(at + 1))) return undefined;
  return Object.hasOwn(interfaces, base) ? interfaces[base] : undefined;
}

/** Finds interfaces by the names that a component spells. */
export type InterfaceLookup = (name: string) => HostInterface | undefined;

/** Looks each name up once. */
export function interfaceLookup(interfaces: HostInterfaces): InterfaceLookup {
  const known = new Map<string, HostInterface | undefined>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined || known.has(name)) return before;
    const found = findInterface(interfaces, name);
    known.set(name, found);
    return found;
  };
}

/** What serves each of the plan's host functions; `undefined` for those that are not called, or not there. */
export function findFunctions(plan: ComponentPlan, lookUp: InterfaceLookup): readonly (FoundFunction | undefined)[] {
  return plan.hostFunctions.map(({ interface: name, name: item, isUsed }) => {
    const found = isUsed ? lookUp(name) : undefined;
    if (found === undefined || !Object.hasOwn(found.functions, item)) return undefined;
    const call = found.functions[item];
    return isCallable(call) ? { call, maySuspend: found.suspending?.includes(item) ?? false } : undefined;
  });
}

/** The resource for an import. A host need not say anything of a resource that it lets go of without a thought. */
export function findResource(lookUp: InterfaceLookup, name: string, item: string): HostResource | undefined {
  const resources = lookUp(name)?.resources;
  return resources !== undefined && Object.hasOwn(resources, item) ? resources[item] : undefined;
}

/** Host functions are typed by what a component's WIT promises; from here on they are just called. */
function isCallable(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function";
}
