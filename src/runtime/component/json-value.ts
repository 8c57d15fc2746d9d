/**
 * JSON to WIT values and back, for functions that are called from outside.
 *
 * | WIT | JSON |
 * |---|---|
 * | bool | boolean |
 * | s8 to u32 | number |
 * | s64, u64 | decimal digits as a string; a safe integer is taken as well |
 * | f32, f64 | number, or "NaN", "Infinity", "-Infinity" |
 * | char, string | string |
 * | list<u8> | array of numbers; "base64:..." is taken as well |
 * | any other list, tuple | array |
 * | record | object; a field of an option type may be left out |
 * | variant | "case", or {"case": payload} |
 * | enum | "case" |
 * | flags | array of the names that are set |
 * | option | null or the value; of an option: null or {"some": ...} |
 * | result | {"ok": ...} or {"error": ...}, with null for no payload |
 */
import { fault, Reason } from "../../fault.ts";
import type { ComponentPlan, TypeIndex, WitFunction, WitType } from "./component-plan.ts";
import { scalarFromJson, shortened } from "./json-scalar.ts";
import { partsOf } from "./type-table.ts";

/** A function of a component as a caller names it. */
export type CalledFunction = {
  readonly plan: Pick<ComponentPlan, "types" | "functionTypes">;
  /** Index into the plan's `functionTypes`. */
  readonly type: number;
  /** For messages. */
  readonly name: string;
};

/**
 * Turns JSON arguments into what the function takes. Throws `ARGUMENT_INVALID`, which names the place, arguments counted from 1:
 * `Cannot call "a:b/c#f": argument 2 .items[3].price: expected f64, got string "x"`. Functions that take or give
 * resources cannot be called so.
 */
export function valuesFromJson({ plan, type, name }: CalledFunction, args: readonly unknown[]): unknown[] {
  const { params, result } = functionType(plan, type);
  if (result !== undefined && hasHandle(plan, result))
    throw refused(name, "", "it returns a resource, which JSON cannot carry");
  if (args.length !== params.length) {
    const takes = params.length === 1 ? "1 argument" : `${params.length} arguments`;
    const names = params.length === 0 ? "" : ` (${params.map((param) => param.name).join(", ")})`;
    throw refused(name, "", `it takes ${takes}${names}, ${args.length} given`);
  }
  return params.map((param, index) => {
    try {
      return fromJson(plan, param.type, args[index], "");
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      const place = error.path === "" ? "" : ` ${error.path}`;
      throw refused(name, `args[${index}]${error.path}`, `argument ${index + 1}${place}: ${error.message}`);
    }
  });
}

/** Turns what the function returned into JSON values: none or one. */
export function jsonFromResult({ plan, type }: Omit<CalledFunction, "name">, value: unknown): unknown[] {
  const { result } = functionType(plan, type);
  return result === undefined ? [] : [toJson(plan, result, value)];
}

type Types = Pick<ComponentPlan, "types">;

class Mismatch extends Error {
  readonly path: string;

  constructor(path: string, expected: string, given: unknown) {
    super(`expected ${expected}, got ${described(given)}`);
    this.path = path;
  }
}

function functionType(plan: CalledFunction["plan"], index: number): WitFunction {
  const found = plan.functionTypes[index];
  if (found === undefined) throw new Error(`the plan has no function type ${index}`);
  return found;
}

function typeAt({ types }: Types, index: TypeIndex): WitType {
  const found = types[index];
  if (found === undefined) throw new Error(`the plan has no type ${index}`);
  return found;
}

function hasHandle(plan: Types, index: TypeIndex, seen: Set<TypeIndex> = new Set()): boolean {
  if (seen.has(index)) return false;
  seen.add(index);
  const type = typeAt(plan, index);
  return type.kind === "own" || type.kind === "borrow" || partsOf(type).some((part) => hasHandle(plan, part, seen));
}

function fromJson(plan: Types, index: TypeIndex, given: unknown, path: string): unknown {
  const type = typeAt(plan, index);
  switch (type.kind) {
    case "list":
      return listFromJson(plan, type, given, path);
    case "tuple": {
      const { items } = type;
      const values = arrayOf(given, path, `an array of ${items.length}`, items.length);
      return values.map((value, position) => fromJson(plan, items[position] ?? 0, value, `${path}[${position}]`));
    }
    case "record":
      return recordFromJson(plan, type, given, path);
    case "enum":
      if (typeof given === "string" && type.names.includes(given)) return given;
      throw new Mismatch(path, `one of ${listed(type.names)}`, given);
    case "flags":
      return arrayOf(given, path, "an array of names").map((name, position) => {
        if (typeof name === "string" && type.names.includes(name)) return name;
        throw new Mismatch(`${path}[${position}]`, `one of ${listed(type.names)}`, name);
      });
    case "variant":
      return variantFromJson(plan, type.cases, given, path);
    case "option": {
      if (given === null || given === undefined) return undefined;
      if (typeAt(plan, type.some).kind !== "option") return fromJson(plan, type.some, given, path);
      const some = onlyEntry(given);
      if (some?.[0] !== "some") throw new Mismatch(path, 'null or {"some": ...}', given);
      return { some: fromJson(plan, type.some, some[1], `${path}.some`) };
    }
    case "result": {
      const [key, value] = onlyEntry(given) ?? [];
      if (key !== "ok" && key !== "error") throw new Mismatch(path, '{"ok": ...} or {"error": ...}', given);
      const payload = key === "ok" ? type.ok : type.err;
      return { tag: key === "ok" ? "ok" : "err", val: payloadFromJson(plan, payload, value, `${path}.${key}`) };
    }
    case "own":
    case "borrow":
      throw new Mismatch(path, "a resource, which JSON cannot carry", given);
    default: {
      const { value, expected } = scalarFromJson(type.kind, given);
      if (value === undefined) throw new Mismatch(path, expected, given);
      return value;
    }
  }
}

function listFromJson(plan: Types, type: Extract<WitType, { kind: "list" }>, given: unknown, path: string): unknown {
  const { element, length } = type;
  if (typeAt(plan, element).kind !== "u8") {
    const expected = length === undefined ? "an array" : `an array of ${length}`;
    return arrayOf(given, path, expected, length).map((item, index) =>
      fromJson(plan, element, item, `${path}[${index}]`),
    );
  }
  const bytes = typeof given === "string" ? bytesFromText(given, path) : bytesFromArray(given, path);
  if (length !== undefined && bytes.length !== length) throw new Mismatch(path, `${length} bytes`, given);
  return bytes;
}

function bytesFromText(given: string, path: string): Uint8Array {
  const text = /^base64:([A-Za-z0-9+/_-]*={0,2})$/.exec(given)?.[1];
  if (text === undefined) throw new Mismatch(path, 'an array of numbers, or "base64:..."', given);
  return new Uint8Array(Buffer.from(text, "base64"));
}

function bytesFromArray(given: unknown, path: string): Uint8Array {
  const items = arrayOf(given, path, 'an array of numbers, or "base64:..."');
  const wrong = items.findIndex((item) => scalarFromJson("u8", item).value === undefined);
  if (wrong >= 0) throw new Mismatch(`${path}[${wrong}]`, scalarFromJson("u8", undefined).expected, items[wrong]);
  return Uint8Array.from(items, Number);
}

function recordFromJson(
  plan: Types,
  type: Extract<WitType, { kind: "record" }>,
  given: unknown,
  path: string,
): unknown {
  const expected = `an object with ${listed(type.fields.map(({ name }) => name))}`;
  if (!isObject(given)) throw new Mismatch(path, expected, given);
  const unknown = Object.keys(given).find((key) => !type.fields.some(({ name }) => name === key));
  if (unknown !== undefined)
    throw new Mismatch(`${path}.${shortened(unknown)}`, `no such field (${expected})`, given[unknown]);
  const record: Record<string, unknown> = {};
  for (const { name, type: field } of type.fields)
    record[name] = fromJson(plan, field, Object.hasOwn(given, name) ? given[name] : undefined, `${path}.${name}`);
  return record;
}

function variantFromJson(
  plan: Types,
  cases: Extract<WitType, { kind: "variant" }>["cases"],
  given: unknown,
  path: string,
): unknown {
  const [name, value] = typeof given === "string" ? [given] : (onlyEntry(given) ?? []);
  const found = cases.find((item) => item.name === name);
  if (found === undefined || (typeof given === "string" && found.type !== undefined)) {
    const forms = cases.map((item) => (item.type === undefined ? `"${item.name}"` : `{"${item.name}": ...}`));
    throw new Mismatch(path, `one of ${listed(forms)}`, given);
  }
  return { tag: found.name, val: payloadFromJson(plan, found.type, value, `${path}.${found.name}`) };
}

function payloadFromJson(plan: Types, type: TypeIndex | undefined, given: unknown, path: string): unknown {
  if (type !== undefined) return fromJson(plan, type, given, path);
  if (given === null || given === undefined) return undefined;
  throw new Mismatch(path, "null, as it has no payload", given);
}

function arrayOf(given: unknown, path: string, expected: string, length?: number): readonly unknown[] {
  if (Array.isArray(given) && (length === undefined || given.length === length)) return given;
  throw new Mismatch(path, expected, given);
}

function onlyEntry(given: unknown): readonly [string, unknown] | undefined {
  const entries = isObject(given) ? Object.entries(given) : [];
  return entries.length === 1 ? entries[0] : undefined;
}

function isObject(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}

function toJson(plan: Types, index: TypeIndex, value: unknown): unknown {
  const type = typeAt(plan, index);
  switch (type.kind) {
    case "list":
      return Array.from(items(value), (item) => toJson(plan, type.element, item));
    case "tuple":
      return Array.from(items(value), (item, position) => toJson(plan, type.items[position] ?? 0, item));
    case "record": {
      const fields = isObject(value) ? value : {};
      return Object.fromEntries(type.fields.map((field) => [field.name, toJson(plan, field.type, fields[field.name])]));
    }
    case "variant": {
      const { tag, val } = tagged(value);
      const payload = type.cases.find(({ name }) => name === tag)?.type;
      return payload === undefined ? tag : { [tag]: toJson(plan, payload, val) };
    }
    case "result": {
      const { tag, val } = tagged(value);
      const payload = tag === "ok" ? type.ok : type.err;
      return { [tag === "ok" ? "ok" : "error"]: payload === undefined ? null : toJson(plan, payload, val) };
    }
    case "option":
      if (value === undefined) return null;
      if (typeAt(plan, type.some).kind !== "option") return toJson(plan, type.some, value);
      return { some: toJson(plan, type.some, isObject(value) ? value["some"] : undefined) };
    case "s64":
    case "u64":
      return String(value);
    case "f32":
    case "f64":
      return Number.isFinite(value) ? value : String(value);
    default:
      return value;
  }
}

function items(value: unknown): Iterable<unknown> {
  return value instanceof Uint8Array || Array.isArray(value) ? value : [];
}

function tagged(value: unknown): { readonly tag: string; readonly val: unknown } {
  return isObject(value) ? { tag: String(value["tag"]), val: value["val"] } : { tag: "", val: undefined };
}

const LISTED_MAX = 20;

function listed(names: readonly string[]): string {
  return names.length > LISTED_MAX ? `${names.slice(0, LISTED_MAX).join(", ")}, ...` : names.join(", ");
}

/** What was given, short enough for a message. */
function described(given: unknown): string {
  if (given === undefined) return "nothing";
  if (given === null) return "null";
  if (Array.isArray(given)) return `an array of ${given.length}`;
  if (typeof given === "object") return "an object";
  if (typeof given === "string") return `string ${shortened(JSON.stringify(given))}`;
  return typeof given === "number" || typeof given === "boolean" ? `${typeof given} ${given}` : `a ${typeof given}`;
}

function refused(name: string, subject: string, problem: string): Error {
  return fault(Reason.ARGUMENT_INVALID, `Cannot call "${name}": ${problem}`, { subject });
}
