/** Random WIT types with values, for properties. */
import fc from "fast-check";

/** A type as a tree. */
export type TypeTree =
  | {
      readonly kind:
        | "bool"
        | "s8"
        | "u8"
        | "s16"
        | "u16"
        | "s32"
        | "u32"
        | "s64"
        | "u64"
        | "f32"
        | "f64"
        | "char"
        | "string";
    }
  | { readonly kind: "list"; readonly element: TypeTree }
  | { readonly kind: "record"; readonly fields: readonly TypeTree[] }
  | { readonly kind: "tuple"; readonly items: readonly TypeTree[] }
  | { readonly kind: "variant"; readonly cases: readonly (TypeTree | undefined)[] }
  | { readonly kind: "enum" | "flags"; readonly count: number }
  | { readonly kind: "option"; readonly some: TypeTree }
  | { readonly kind: "result"; readonly ok: TypeTree | undefined; readonly err: TypeTree | undefined };

const SCALARS = ["bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string"] as const;

/** Types up to four levels deep. */
export const typeTrees: fc.Arbitrary<TypeTree> = fc.letrec<{ type: TypeTree }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 5, arbitrary: fc.constantFrom(...SCALARS).map((kind): TypeTree => ({ kind })) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom("enum" as const, "flags" as const),
        count: fc.integer({ min: 1, max: 32 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("enum" as const), count: fc.integer({ min: 250, max: 300 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("list" as const), element: tie("type") }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("record" as const),
        fields: fc.array(tie("type"), { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("tuple" as const),
        items: fc.array(tie("type"), { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("variant" as const),
        cases: fc.array(fc.option(tie("type"), { nil: undefined }), { minLength: 1, maxLength: 4 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("option" as const), some: tie("type") }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("result" as const),
        ok: fc.option(tie("type"), { nil: undefined }),
        err: fc.option(tie("type"), { nil: undefined }),
      }),
    },
  ),
})).type;

/** Values of a type, as `component-value.ts` maps them. */
export function valuesOf(type: TypeTree): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "bool":
      return fc.boolean();
    case "s8":
      return fc.integer({ min: -128, max: 127 });
    case "u8":
      return fc.integer({ min: 0, max: 255 });
    case "s16":
      return fc.integer({ min: -32_768, max: 32_767 });
    case "u16":
      return fc.integer({ min: 0, max: 65_535 });
    case "s32":
      return fc.integer();
    case "u32":
      return fc.integer({ min: 0, max: 4_294_967_295 });
    case "s64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "u64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "f32":
      return fc.float();
    case "f64":
      return fc.double();
    case "char":
      return fc.string({ unit: "binary", minLength: 1, maxLength: 1 });
    case "string":
      return fc.oneof(
        fc.string({ maxLength: 20 }),
        fc.string({ unit: "binary", maxLength: 20 }),
        fc.string({ minLength: 60, maxLength: 200 }),
      );
    case "list":
      return type.element.kind === "u8"
        ? fc.uint8Array({ maxLength: 100 })
        : fc.array(valuesOf(type.element), { maxLength: 5 });
    case "record":
      return fc.record(Object.fromEntries(type.fields.map((field, index) => [`field-${index}`, valuesOf(field)])), {
        noNullPrototype: true,
      });
    case "tuple":
      return fc.tuple(...type.items.map(valuesOf));
    case "variant":
      return fc.oneof(...type.cases.map((item, index) => taggedValues(`case-${index}`, item)));
    case "enum":
      return fc.integer({ min: 0, max: type.count - 1 }).map((index) => `name-${index}`);
    case "flags":
      return fc.subarray(Array.from({ length: type.count }, (_, index) => `name-${index}`));
    case "option":
      return fc.option(
        type.some.kind === "option"
          ? fc.record({ some: valuesOf(type.some) }, { noNullPrototype: true })
          : valuesOf(type.some),
        { nil: undefined },
      );
    case "result":
      return fc.oneof(taggedValues("ok", type.ok), taggedValues("err", type.err));
  }
}

/**
 * The type in the text format of instance types: lines that define it, every part under a name of its own as the
 * format wants it of records and the like, and what to call it then.
 */
export function watFromType(type: TypeTree): { readonly lines: readonly string[]; readonly use: string } {
  const lines: string[] = [];
  return { lines, use: defined(type, lines) };
}

function defined(type: TypeTree, lines: string[]): string {
  const text = definition(type, lines);
  if (!text.startsWith("(")) return text;
  const number = lines.length;
  lines.push(`(type $d${number} ${text}) (export "t${number}" (type $t${number} (eq $d${number})))`);
  return `$t${number}`;
}

function definition(type: TypeTree, lines: string[]): string {
  const use = (part: TypeTree): string => defined(part, lines);
  const payload = (part: TypeTree | undefined): string => (part === undefined ? "" : ` ${use(part)}`);
  switch (type.kind) {
    case "list":
      return `(list ${use(type.element)})`;
    case "record":
      return `(record ${type.fields.map((field, index) => `(field "field-${index}" ${use(field)})`).join(" ")})`;
    case "tuple":
      return `(tuple ${type.items.map(use).join(" ")})`;
    case "variant":
      return `(variant ${type.cases.map((item, index) => `(case "case-${index}"${payload(item)})`).join(" ")})`;
    case "enum":
    case "flags":
      return `(${type.kind} ${Array.from({ length: type.count }, (_, index) => `"name-${index}"`).join(" ")})`;
    case "option":
      return `(option ${use(type.some)})`;
    case "result":
      return `(result${payload(type.ok)}${type.err === undefined ? "" : ` (error${payload(type.err)})`})`;
    default:
      return type.kind;
  }
}

function taggedValues(tag: string, type: TypeTree | undefined): fc.Arbitrary<unknown> {
  return (type === undefined ? fc.constant(undefined) : valuesOf(type)).map((val) => ({ tag, val }));
}
