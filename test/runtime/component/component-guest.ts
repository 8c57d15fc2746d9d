/** Components for tests, written as text. */
import { parse } from "@bytecodealliance/jco-transpile/wasm-tools";
import type { HostInterfaces } from "../../../src/runtime/component/component-value.ts";
import type { ComponentLimits } from "../../../src/runtime/component/component-state.ts";
import { type ComponentInstance, instantiateComponent } from "../../../src/runtime/component/instantiate-component.ts";
import { planFromBytes, type PlannedComponent } from "../../../src/runtime/component/plan-from-bytes.ts";

/** Limits that no well-behaved guest reaches. */
export const LIMITS: ComponentLimits = { openHandlesMax: 1_000, liftMaxBytes: 16 * 1024 * 1024 };

/** Compiles text; wasm-tools does not validate it. */
export async function componentFromWat(text: string): Promise<Uint8Array> {
  return new Uint8Array(await parse(text));
}

/** Makes a running copy from bytes. The plan goes through JSON, as when it is cached. */
export function instanceFromBytes(
  bytes: Uint8Array,
  interfaces: HostInterfaces = {},
  limits: Partial<ComponentLimits> = {},
): ComponentInstance {
  return instanceFromPlan(planFromBytes(bytes), interfaces, limits);
}

/** Makes a running copy of a planned component. */
export function instanceFromPlan(
  { plan, modules }: PlannedComponent,
  interfaces: HostInterfaces = {},
  limits: Partial<ComponentLimits> = {},
): ComponentInstance {
  return instantiateComponent({
    plan: JSON.parse(JSON.stringify(plan)),
    modules: modules.map((module) => new WebAssembly.Module(module)),
    interfaces,
    limits: { ...LIMITS, ...limits },
  });
}

/** Compiles text and makes a running copy. */
export async function instanceFromWat(
  text: string,
  interfaces: HostInterfaces = {},
  limits: Partial<ComponentLimits> = {},
): Promise<ComponentInstance> {
  return instanceFromBytes(await componentFromWat(text), interfaces, limits);
}

/** Calls an exported function. */
export function call(instance: ComponentInstance, name: string, ...values: unknown[]): unknown {
  const found = instance.functions.get(name);
  if (found === undefined)
    throw new Error(`there is no function ${name} (${[...instance.functions.keys()].join(", ")})`);
  return found.call(...values);
}
