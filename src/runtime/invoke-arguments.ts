/** From the JSON arguments of a call to what the guest's thread passes on. */
import { fault, Reason } from "../fault.ts";
import { type ComponentPlan, WORLD_INTERFACE } from "./component/component-plan.ts";
import { valuesFromJson } from "./component/json-value.ts";
import type { CoreModule } from "./core-module.ts";
import { wasmFromJson } from "./json-values.ts";

/** Checks and converts the arguments of an exported function; throws `FUNCTION_NOT_FOUND` and `ARGUMENT_INVALID`. `id` is for messages. */
export type PrepareInvoke = (id: string, name: string, args: readonly unknown[]) => PreparedInvoke;

/** A function and its arguments, as the guest's thread takes them. */
export type PreparedInvoke = { readonly name: string; readonly args: readonly unknown[] };

const NAMED_MAX = 20;

/** For the functions of a core module. */
export function prepareCoreInvoke({ exports }: CoreModule): PrepareInvoke {
  const functions = new Map(
    exports.flatMap(({ name, type }) => (type === undefined || name === "_initialize" ? [] : [[name, type] as const])),
  );
  return (id, name, args) => {
    const type = functions.get(name);
    if (type === undefined) throw notFound(id, name, functions.keys());
    return { name, args: wasmFromJson(name, type, args) };
  };
}

/** For the functions of a component; the version of an interface may be left out. */
export function prepareComponentInvoke(plan: ComponentPlan): PrepareInvoke {
  const named = plan.exports.flatMap(({ name: iface, functions }) =>
    functions.map(({ name, type }) => ({ name: iface === WORLD_INTERFACE ? name : `${iface}#${name}`, type })),
  );
  const functions = new Map(named.map((each) => [each.name, each] as const));
  for (const each of named) {
    const bare = each.name.replace(/@[^#]*#/, "#");
    if (!functions.has(bare)) functions.set(bare, each);
  }
  return (id, name, args) => {
    const found = functions.get(name);
    if (found === undefined)
      throw notFound(
        id,
        name,
        named.map((each) => each.name),
      );
    return { name: found.name, args: valuesFromJson({ plan, type: found.type, name }, args) };
  };
}

function notFound(id: string, name: string, exported: Iterable<string>): Error {
  const names = [...exported].slice(0, NAMED_MAX).join(", ");
  return fault(Reason.FUNCTION_NOT_FOUND, `Cannot call function "${name}": instance "${id}" exports ${names}`, {
    subject: name,
  });
}
