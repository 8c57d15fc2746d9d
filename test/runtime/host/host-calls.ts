/** Calls host functions by their WIT names, as the binder does. */
import type { HostInterfaces } from "../../../src/runtime/component/component-value.ts";

/** Calls `interface#function` with lifted values. */
export function callHost(interfaces: HostInterfaces, name: string, ...args: readonly unknown[]): unknown {
  const at = name.indexOf("#");
  const host = interfaces[name.slice(0, at)];
  const call: unknown = host?.functions[name.slice(at + 1)];
  if (typeof call !== "function") throw new Error(`there is no function ${name}`);
  const result: unknown = call(...args);
  if (result instanceof Promise && host?.suspending?.includes(name.slice(at + 1)) !== true)
    throw new Error(`${name} gives a promise and is not among those that may`);
  return result;
}

/** Drops a resource, as the binder does. */
export function dropResource(
  interfaces: HostInterfaces,
  interfaceName: string,
  resource: string,
  object: unknown,
): void {
  const drop: unknown = interfaces[interfaceName]?.resources?.[resource]?.drop;
  if (typeof drop === "function") drop(object);
}

/** The payload of `ok`; throws for an `err`. */
export function okOf(result: unknown): unknown {
  if (typeof result === "object" && result !== null && "tag" in result && "val" in result && result.tag === "ok")
    return result.val;
  throw new Error(`not ok: ${JSON.stringify(result)}`);
}
