/** Types and functions as WIT text. */
import type { ComponentPlan, TypeIndex, WitFunction, WitType } from "./component-plan.ts";

/** The names that types have where a text stands. */
export type TypeNames = {
  readonly values: ReadonlyMap<TypeIndex, string>;
  readonly resources: ReadonlyMap<number, string>;
};

/** Types without names may repeat each other many times over; this much of one function or definition is written out, */
const WRITTEN_TYPES_MAX = 2_000;

/** and this much of all that one writer writes. */
const WRITTEN_TYPES_TOTAL_MAX = 200_000;

const KEYWORDS = new Set(
  "as async bool borrow char constructor enum export f32 f64 flags from func future import include interface list map option own package record resource result s16 s32 s64 s8 static stream string tuple type u16 u32 u64 u8 use variant with world".split(
    " ",
  ),
);

/** Writes the types of one plan. */
export interface TypeWriter {
  /** `func(a: u32) -> string`. `skipParams`: how many parameters at the front to leave out. */
  function(type: WitFunction, names: TypeNames, skipParams?: number): string;
  /** A type as it is used: by its name if it has one. */
  use(index: TypeIndex, names: TypeNames): string;
  /** A type as it is defined: `record point { x: f64, y: f64 }`, or `type size = u64;`. */
  definition(name: string, index: TypeIndex, names: TypeNames): string;
}

/** An identifier, marked where it would be read as a keyword. */
export function identifier(name: string): string {
  return KEYWORDS.has(name) ? `%${name}` : name;
}

/** Makes the writer for `plan`. */
export function createTypeWriter(plan: Pick<ComponentPlan, "types">): TypeWriter {
  let left = 0;
  let leftInTotal = WRITTEN_TYPES_TOTAL_MAX;

  function begin(): void {
    left = Math.min(WRITTEN_TYPES_MAX, leftInTotal);
  }

  function use(index: TypeIndex, names: TypeNames): string {
    const name = names.values.get(index);
    const type = plan.types[index];
    if (name !== undefined) return identifier(name);
    left -= 1;
    leftInTotal -= 1;
    if (left < 0 || type === undefined) return "…";
    return inline(type, names);
  }

  function inline(type: WitType, names: TypeNames): string {
    const part = (index: TypeIndex): string => use(index, names);
    switch (type.kind) {
      case "list":
        return type.length === undefined
          ? `list<${part(type.element)}>`
          : `list<${part(type.element)}, ${type.length}>`;
      case "tuple":
        return `tuple<${type.items.map(part).join(", ")}>`;
      case "option":
        return `option<${part(type.some)}>`;
      case "result":
        return resultText(type, part);
      case "own":
        return resourceName(type.resource, names);
      case "borrow":
        return `borrow<${resourceName(type.resource, names)}>`;
      case "record":
      case "variant":
      case "enum":
      case "flags":
        return `${type.kind} { ${body(type, names).join(", ")} }`;
      default:
        return type.kind;
    }
  }

  function body(type: Extract<WitType, { kind: "record" | "variant" | "enum" | "flags" }>, names: TypeNames): string[] {
    switch (type.kind) {
      case "record":
        return type.fields.map((field) => `${identifier(field.name)}: ${use(field.type, names)}`);
      case "variant":
        return type.cases.map((item) =>
          item.type === undefined ? identifier(item.name) : `${identifier(item.name)}(${use(item.type, names)})`,
        );
      case "enum":
      case "flags":
        return type.names.map(identifier);
    }
  }

  return {
    use(index, names) {
      begin();
      return use(index, names);
    },
    function({ params, result }, names, skipParams = 0) {
      begin();
      const written = params.slice(skipParams).map(({ name, type }) => `${identifier(name)}: ${use(type, names)}`);
      return `func(${written.join(", ")})${result === undefined ? "" : ` -> ${use(result, names)}`}`;
    },
    definition(name, index, names) {
      begin();
      const type = plan.types[index];
      if (type === undefined) return `type ${identifier(name)} = …;`;
      switch (type.kind) {
        case "record":
        case "variant":
        case "enum":
        case "flags":
          return `${type.kind} ${identifier(name)} { ${body(type, names).join(", ")} }`;
        default:
          return `type ${identifier(name)} = ${inline(type, names)};`;
      }
    },
  };
}

function resultText(
  type: { readonly ok?: TypeIndex; readonly err?: TypeIndex },
  part: (index: TypeIndex) => string,
): string {
  if (type.err === undefined) return type.ok === undefined ? "result" : `result<${part(type.ok)}>`;
  return `result<${type.ok === undefined ? "_" : part(type.ok)}, ${part(type.err)}>`;
}

function resourceName(resource: number, names: TypeNames): string {
  return identifier(names.resources.get(resource) ?? "resource");
}
