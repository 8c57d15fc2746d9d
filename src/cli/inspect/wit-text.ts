/** The world of a component as WIT text, from what was decoded of its bytes. Pure. */
import {
  WORLD_INTERFACE,
  type ComponentPlan,
  type NamedType,
  type PlanInterface,
} from "../../runtime/component/component-plan.ts";
import { createWitTypes, witId, type WitTypes } from "./wit-types.ts";

/**
 * A world with all imports and exports, and behind it the packages of the interfaces that are not `wasi:` ones, whose text
 * everybody has. Of an imported interface a component says only what it uses, so only that is here.
 */
export function witFromPlan(plan: ComponentPlan): string {
  const types = createWitTypes(plan);
  const lines = [
    "package root:component;",
    "",
    "world root {",
    ...plan.imports.flatMap((one) => worldLines(types, "import", one)),
    ...plan.exports.flatMap((one) => worldLines(types, "export", one)),
    "}",
    ...packageLines(plan, types),
  ];
  return `${lines.join("\n")}\n`;
}

function worldLines(types: WitTypes, verb: "import" | "export", one: PlanInterface): string[] {
  if (one.name === WORLD_INTERFACE) {
    return [
      ...one.types.flatMap((type) => typeLines(types, one, type)),
      ...one.functions.map(({ name, type }) => `${verb} ${witId(name)}: ${types.functionText(type, one)};`),
    ].map((line) => `  ${line}`);
  }
  if (one.name.includes("/")) return [`  ${verb} ${one.name};`];
  // Without a package there is no other place for its text.
  const inner = interfaceLines(types, one).map((line) => `    ${line}`);
  return [`  ${verb} ${witId(one.name)}: interface {`, ...inner, "  }"];
}

function packageLines(plan: ComponentPlan, types: WitTypes): string[] {
  const packages = new Map<string, { interface: string; from: PlanInterface }[]>();
  for (const from of [...plan.imports, ...plan.exports]) {
    const [, packageName = "", name = "", version = ""] = INTERFACE_NAME.exec(from.name) ?? [];
    if (packageName === "" || packageName.startsWith("wasi:")) continue;
    const key = `${packageName}${version}`;
    const known = packages.get(key) ?? [];
    // An interface that is imported and exported is one interface.
    if (!known.some((other) => other.interface === name)) known.push({ interface: name, from });
    packages.set(key, known);
  }
  return [...packages].flatMap(([name, interfaces]) => [
    "",
    `package ${name} {`,
    ...interfaces.flatMap((one) => [
      `  interface ${one.interface} {`,
      ...interfaceLines(types, one.from).map((line) => `    ${line}`),
      "  }",
    ]),
    "}",
  ]);
}

function interfaceLines(types: WitTypes, one: PlanInterface): string[] {
  const free = one.functions.filter(({ name }) => !name.startsWith("["));
  return [
    ...one.types.flatMap((type) => typeLines(types, one, type)),
    ...free.map(({ name, type }) => `${witId(name)}: ${types.functionText(type, one)};`),
  ];
}

function typeLines(types: WitTypes, one: PlanInterface, type: NamedType): string[] {
  const home = types.homeOf(one, type);
  if (home !== undefined) return [`use ${pathWithin(one.name, home)}.{${witId(type.name)}};`];
  return type.kind === "value" ? types.definitionLines(type, one) : resourceLines(types, one, type.name);
}

/** How an interface names another one: inside of a package without the package. */
function pathWithin(from: string, home: string): string {
  const [, packageName, name = "", version] = INTERFACE_NAME.exec(home) ?? [];
  const [, ownPackage, , ownVersion] = INTERFACE_NAME.exec(from) ?? [];
  return packageName === ownPackage && version === ownVersion ? witId(name) : home;
}

/** `example:shop/cart@1.2.0`. */
const INTERFACE_NAME = /^([^/]+)\/([^@]+)(@.*)?$/;

function resourceLines(types: WitTypes, one: PlanInterface, name: string): string[] {
  const members = one.functions.flatMap((item) => {
    const [, kind = "", resource = "", member = ""] = /^\[(\w+)\]([^.]+)\.?(.*)$/.exec(item.name) ?? [];
    if (resource !== name) return [];
    const text = types.functionText(item.type, one, { dropsSelf: kind === "method" });
    if (kind === "constructor") return [`  constructor${text.replace(/^func/, "").replace(/ -> .*$/, "")};`];
    return [`  ${witId(member)}: ${kind === "static" ? "static " : ""}${text};`];
  });
  return members.length === 0 ? [`resource ${witId(name)};`] : [`resource ${witId(name)} {`, ...members, "}"];
}
