/** What a component imports and exports, as WIT text. */
import { type ComponentPlan, type NamedType, type PlanInterface, WORLD_INTERFACE } from "./component-plan.ts";
import { createTypeWriter, identifier, type TypeNames, type TypeWriter } from "./wit-type-text.ts";

/**
 * The world of a component: first what it imports and exports by name, then the interfaces themselves, by package.
 * Only what the component declares is there, so an interface may show fewer functions than its author wrote.
 */
export function worldText(plan: ComponentPlan): string {
  const writer = createInterfaceWriter(plan);
  const world = [...worldLines(plan.imports, "import", writer), ...worldLines(plan.exports, "export", writer)];
  const blocks = [`package root:component;`, `world root {\n${indented(world)}\n}`];
  const packages = new Map<string, string[]>();
  const seen = new Set<string>();
  for (const item of [...plan.imports, ...plan.exports]) {
    const parts = splitName(item.name);
    if (parts === undefined || seen.has(item.name)) continue;
    seen.add(item.name);
    const body = writer.body(item);
    const lines = packages.get(parts.package) ?? [];
    packages.set(parts.package, [...lines, `interface ${identifier(parts.interface)} {\n${indented(body)}\n}`]);
  }
  for (const [name, lines] of packages) blocks.push(`package ${name} {\n${indented(lines)}\n}`);
  return `${blocks.join("\n\n")}\n`;
}

/**
 * The functions that a caller can name, with their types: `example:calc/ops@0.1.0#add`, `func(a: u32, b: u32) -> u32`.
 * Functions of the world itself have bare names.
 */
export function exportedFunctionTexts(
  plan: ComponentPlan,
): readonly { readonly name: string; readonly type: string }[] {
  const writer = createTypeWriter(plan);
  return plan.exports.flatMap((item) =>
    item.functions.map(({ name, type }) => ({
      name: item.name === WORLD_INTERFACE ? name : `${item.name}#${name}`,
      type: writer.function(plan.functionTypes[type] ?? { params: [] }, namesIn(item, plan)),
    })),
  );
}

type InterfaceWriter = {
  body(item: PlanInterface): string[];
};

function createInterfaceWriter(plan: ComponentPlan): InterfaceWriter {
  const writer = createTypeWriter(plan);
  // Which interface a type was first written in; others that name it refer to that.
  const values = new Map<number, { readonly interface: string; readonly name: string }>();
  const resources = new Map<number, { readonly interface: string; readonly name: string }>();

  function typeLines(item: PlanInterface, names: TypeNames): string[] {
    return item.types.flatMap((type): string[] => {
      const index = type.kind === "resource" ? type.resource : type.type;
      const known = (type.kind === "resource" ? resources : values).get(index);
      if (known !== undefined && known.interface !== item.name && known.interface !== WORLD_INTERFACE)
        return [`use ${reference(known.interface, item.name)}.{${renamed(known.name, type.name)}};`];
      if (known?.interface === item.name && type.kind === "resource")
        return [`type ${identifier(type.name)} = ${identifier(known.name)};`];
      const own = { interface: item.name, name: type.name };
      if (type.kind === "resource") {
        resources.set(index, own);
        return [resourceText(plan, writer, item, type, names)];
      }
      if (known === undefined && isNominal(plan, type)) values.set(index, own);
      return [writer.definition(type.name, type.type, without(names, type.name, type.type))];
    });
  }

  return {
    body(item) {
      const names = namesIn(item, plan);
      const types = typeLines(item, names);
      const functions = item.functions
        .filter(({ name }) => !name.startsWith("["))
        .map(({ name, type }) => `${identifier(name)}: ${functionText(plan, writer, type, names)};`);
      return [...types, ...functions];
    },
  };
}

function worldLines(items: readonly PlanInterface[], word: "import" | "export", writer: InterfaceWriter): string[] {
  return items.flatMap((item) => {
    if (item.name === WORLD_INTERFACE)
      return writer
        .body(item)
        .map((line) => (/^(?:use|type|record|variant|enum|flags) /.test(line) ? line : `${word} ${line}`));
    if (splitName(item.name) !== undefined) return [`${word} ${item.name};`];
    return [`${word} ${identifier(item.name)}: interface {\n${indented(writer.body(item))}\n}`];
  });
}

/** A resource with its constructor, methods and static functions. */
function resourceText(
  plan: ComponentPlan,
  writer: TypeWriter,
  item: PlanInterface,
  { name: resource }: NamedType,
  names: TypeNames,
): string {
  const lines = item.functions.flatMap(({ name, type }): string[] => {
    if (name === `[constructor]${resource}`) {
      const text = functionText(plan, writer, type, names).replace(/^func/, "constructor");
      return [`${text.replace(/ -> [^>]*$/, "")};`];
    }
    const member = /^\[(method|static)\](.+)\.(.+)$/.exec(name);
    if (member?.[2] !== resource) return [];
    const [, form, , short = ""] = member;
    const text = functionText(plan, writer, type, names, form === "method" ? 1 : 0);
    return [`${identifier(short)}: ${form === "static" ? "static " : ""}${text};`];
  });
  return lines.length === 0
    ? `resource ${identifier(resource)};`
    : `resource ${identifier(resource)} {\n${indented(lines)}\n}`;
}

function functionText(plan: ComponentPlan, writer: TypeWriter, type: number, names: TypeNames, skip = 0): string {
  return writer.function(plan.functionTypes[type] ?? { params: [] }, names, skip);
}

/** Names count where types are used; records and the like nearly always have one, `type size = u64` is written out. */
function namesIn(item: PlanInterface, plan: ComponentPlan): TypeNames {
  const values = new Map<number, string>();
  const resources = new Map<number, string>();
  for (const type of item.types) {
    if (type.kind === "resource" && !resources.has(type.resource)) resources.set(type.resource, type.name);
    if (type.kind === "value" && isNominal(plan, type) && !values.has(type.type)) values.set(type.type, type.name);
  }
  for (const [index, resource] of plan.resources.entries())
    if (resource.kind === "host" && !resources.has(index)) resources.set(index, resource.name);
  return { values, resources };
}

function isNominal(plan: ComponentPlan, type: NamedType): boolean {
  const kind = type.kind === "value" ? plan.types[type.type]?.kind : undefined;
  return kind === "record" || kind === "variant" || kind === "enum" || kind === "flags";
}

/** A type is defined by its parts and not by its own name, but a second name for it is defined by the first. */
function without(names: TypeNames, name: string, type: number): TypeNames {
  if (names.values.get(type) !== name) return names;
  const values = new Map(names.values);
  values.delete(type);
  return { ...names, values };
}

/** How one interface refers to another: by its bare name within a package. */
function reference(name: string, from: string): string {
  const parts = splitName(name);
  return parts !== undefined && parts.package === splitName(from)?.package ? identifier(parts.interface) : name;
}

function renamed(name: string, as: string): string {
  return name === as ? identifier(name) : `${identifier(name)} as ${identifier(as)}`;
}

/** `wasi:io/streams@0.2.3` in the parts that text needs; `undefined` for a plain name. */
function splitName(name: string): { readonly package: string; readonly interface: string } | undefined {
  const match = /^([^/@]+:[^/@]+)\/([^/@]+)(@.+)?$/.exec(name);
  if (match === null) return undefined;
  const [, namespace = "", short = "", version = ""] = match;
  return { package: `${namespace}${version}`, interface: short };
}

function indented(lines: readonly string[]): string {
  return lines
    .join("\n")
    .split("\n")
    .map((line) => (line === "" ? line : `  ${line}`))
    .join("\n");
}
