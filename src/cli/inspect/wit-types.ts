/** Types and functions of a component as WIT text. Pure. */
import type {
  ComponentPlan,
  Labelled,
  NamedType,
  PlanInterface,
  TypeIndex,
} from "../../runtime/component/component-plan.ts";

/** Writes the types of one component. */
export interface WitTypes {
  /** `func(a: u32, b: point) -> result<u32, string>`, with the names that `within` has for its types. */
  functionText(type: number, within: PlanInterface, options?: { readonly dropsSelf: boolean }): string;
  /** The lines that define a named type. */
  definitionLines(type: Extract<NamedType, { kind: "value" }>, within: PlanInterface): string[];
  /** The interface that `within` has the type from; `undefined` if it is its own. */
  homeOf(within: PlanInterface, type: NamedType): string | undefined;
}

/** Prepares the names of all types of a component. */
export function createWitTypes(plan: ComponentPlan): WitTypes {
  const homes = new Map<string, string>();
  for (const one of plan.imports)
    for (const type of one.types)
      if (isNominal(plan, type) && !homes.has(keyOf(type))) homes.set(keyOf(type), one.name);

  const typeText = (index: TypeIndex, within: PlanInterface): string => {
    const name = nameWithin(plan, within, { kind: "value", type: index });
    return name === undefined ? structureText(index, within) : witId(name);
  };
  const optional = (index: TypeIndex | undefined, within: PlanInterface): string =>
    index === undefined ? "_" : typeText(index, within);
  const fields = (labelled: readonly Labelled[], within: PlanInterface): string =>
    labelled.map(({ name, type }) => `${witId(name)}: ${typeText(type, within)}`).join(", ");

  const structureText = (index: TypeIndex, within: PlanInterface): string => {
    const type = plan.types[index];
    if (type === undefined) return "_";
    switch (type.kind) {
      case "list":
        return `list<${typeText(type.element, within)}${type.length === undefined ? "" : `, ${type.length}`}>`;
      case "tuple":
        return `tuple<${type.items.map((item) => typeText(item, within)).join(", ")}>`;
      case "option":
        return `option<${typeText(type.some, within)}>`;
      case "result":
        if (type.ok === undefined && type.err === undefined) return "result";
        if (type.err === undefined) return `result<${optional(type.ok, within)}>`;
        return `result<${optional(type.ok, within)}, ${typeText(type.err, within)}>`;
      case "own":
      case "borrow": {
        const name =
          nameWithin(plan, within, { kind: "resource", resource: type.resource }) ?? resourceName(plan, type.resource);
        return type.kind === "own" ? witId(name) : `borrow<${witId(name)}>`;
      }
      case "record":
        return `record { ${fields(type.fields, within)} }`;
      case "variant":
        return `variant { ${type.cases.map((one) => caseText(one, within)).join(", ")} }`;
      case "enum":
      case "flags":
        return `${type.kind} { ${type.names.map(witId).join(", ")} }`;
      default:
        return type.kind;
    }
  };
  const caseText = (one: { readonly name: string; readonly type?: TypeIndex }, within: PlanInterface): string =>
    one.type === undefined ? witId(one.name) : `${witId(one.name)}(${typeText(one.type, within)})`;

  return {
    functionText(type, within, options) {
      const found = plan.functionTypes[type];
      if (found === undefined) return "func()";
      const params = options?.dropsSelf === true ? found.params.slice(1) : found.params;
      return `func(${fields(params, within)})${found.result === undefined ? "" : ` -> ${typeText(found.result, within)}`}`;
    },
    definitionLines({ name, type: index }, within) {
      const type = plan.types[index];
      const id = witId(name);
      switch (type?.kind) {
        case "record":
          return [
            `record ${id} {`,
            ...type.fields.map((field) => `  ${witId(field.name)}: ${typeText(field.type, within)},`),
            "}",
          ];
        case "variant":
          return [`variant ${id} {`, ...type.cases.map((one) => `  ${caseText(one, within)},`), "}"];
        case "enum":
        case "flags":
          return [`${type.kind} ${id} {`, ...type.names.map((one) => `  ${witId(one)},`), "}"];
        default:
          return [`type ${id} = ${structureText(index, within)};`];
      }
    },
    homeOf(within, type) {
      const home = homes.get(keyOf(type));
      return home === undefined || home === within.name || !isNominal(plan, type) ? undefined : home;
    },
  };
}

/** A name, with % in front where it is a word of the language. */
export function witId(name: string): string {
  return KEYWORDS.has(name) ? `%${name}` : name;
}

type Nameless =
  | { readonly kind: "value"; readonly type: TypeIndex }
  | { readonly kind: "resource"; readonly resource: number };

function nameWithin(plan: ComponentPlan, within: PlanInterface, wanted: Nameless): string | undefined {
  const key = keyOf(wanted);
  return within.types.find((one) => keyOf(one) === key && isNominal(plan, one))?.name;
}

function resourceName(plan: ComponentPlan, resource: number): string {
  const known = [...plan.imports, ...plan.exports].flatMap(({ types }) => types);
  return known.find((one) => one.kind === "resource" && one.resource === resource)?.name ?? `resource-${resource}`;
}

function keyOf(type: Nameless): string {
  return type.kind === "value" ? `value ${type.type}` : `resource ${type.resource}`;
}

/** Whether the type is one by its name. Others are the same wherever they are built alike, so a name for one of them says nothing of the next. */
function isNominal(plan: ComponentPlan, type: Nameless): boolean {
  if (type.kind === "resource") return true;
  const kind = plan.types[type.type]?.kind;
  return kind === "record" || kind === "variant" || kind === "enum" || kind === "flags";
}

const KEYWORDS: ReadonlySet<string> = new Set(
  (
    "as async bool borrow char constructor enum export f32 f64 flags from func future import include interface list option own " +
    "package record resource result s16 s32 s64 s8 static stream string tuple type u16 u32 u64 u8 use variant with world"
  ).split(" "),
);
