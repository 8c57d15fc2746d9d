/**
 * Checks JSON by a schema, as far as our own schemas go: a library would be a hundred times the size, and speaks to programs. Pure.
 */

/** The part of JSON Schema (2020-12) that is understood; what it has for editors alone is not looked at. */
export type JsonSchema = {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly type: "object" | "array" | "string" | "integer" | "boolean";
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  /** For keys that `properties` does not have. */
  readonly additionalProperties?: false | JsonSchema;
  readonly maxProperties?: number;
  readonly items?: JsonSchema;
  readonly maxItems?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
};

/** Keys and indices from the top to a value. */
export type JsonPath = readonly (string | number)[];

/** What is wrong, and where. */
export type JsonProblem = { readonly path: JsonPath; readonly problem: string };

/** How far it is checked. */
export type JsonSchemaCheckOptions = {
  /** `false` leaves patterns to whoever reads the texts and can say more than that they do not fit. */
  readonly patterns: boolean;
};

/** The first thing that is wrong with `value`, or `undefined`. */
export function jsonProblem(
  schema: JsonSchema,
  value: unknown,
  options: JsonSchemaCheckOptions,
  path: JsonPath = [],
): JsonProblem | undefined {
  const at = (problem: string): JsonProblem => ({ path, problem });
  if (typeOf(value) !== schema.type) return at(`it is ${TYPE_TEXT[typeOf(value)]}, not ${TYPE_TEXT[schema.type]}`);
  if (typeof value === "string") return textProblem(schema, value, options, at);
  if (typeof value === "number") {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    return value >= minimum && value <= maximum ? undefined : at(`it is not from ${minimum} to ${maximum}`);
  }
  if (Array.isArray(value)) {
    const { items, maxItems = Infinity } = schema;
    if (value.length > maxItems) return at(`it has ${value.length} entries; at most ${maxItems} are taken`);
    return items && first(value.entries(), ([index, item]) => jsonProblem(items, item, options, [...path, index]));
  }
  return typeof value === "object" && value !== null ? objectProblem(schema, value, options, path) : undefined;
}

/** `limits.memory`, `permissions.allow[2]`, `env["A B"]`; empty for the top. */
export function jsonPathText(path: JsonPath): string {
  return path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `[${JSON.stringify(key)}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join("");
}

type JsonType = JsonSchema["type"] | "null" | "number";

const TYPE_TEXT: Readonly<Record<JsonType, string>> = {
  object: "an object",
  array: "a list",
  string: "a text",
  integer: "a whole number",
  number: "a number with a fraction",
  boolean: "true or false",
  null: "null",
};

function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (typeof value === "string") return "string";
  return typeof value === "boolean" ? "boolean" : "object";
}

function textProblem(
  schema: JsonSchema,
  text: string,
  options: JsonSchemaCheckOptions,
  at: (problem: string) => JsonProblem,
): JsonProblem | undefined {
  const { enum: words, minLength = 0, pattern, examples = [] } = schema;
  if (words !== undefined && !words.includes(text)) return at(`"${text}" is none of ${words.join(", ")}`);
  if (text.length < minLength) return at("it is empty");
  if (!options.patterns || pattern === undefined || new RegExp(pattern, "u").test(text)) return undefined;
  return at(`"${text}" does not fit; write it like ${examples.join(", ")}`);
}

function objectProblem(
  schema: JsonSchema,
  value: object,
  options: JsonSchemaCheckOptions,
  path: JsonPath,
): JsonProblem | undefined {
  const { properties = {}, required = [], additionalProperties, maxProperties = Infinity } = schema;
  const entries: [string, unknown][] = Object.entries(value);
  const known = Object.keys(properties);
  if (entries.length > maxProperties)
    return { path, problem: `it has ${entries.length} keys; at most ${maxProperties} are taken` };
  const wrong = first(entries, ([key, entry]): JsonProblem | undefined => {
    const inner = Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
    if (inner === false)
      return { path: [...path, key], problem: `there is no such key; there are ${known.join(", ")}` };
    return inner && jsonProblem(inner, entry, options, [...path, key]);
  });
  if (wrong !== undefined) return wrong;
  const missing = required.find((key) => !Object.hasOwn(value, key));
  return missing === undefined ? undefined : { path, problem: `"${missing}" is missing` };
}

function first<Item>(items: Iterable<Item>, problem: (item: Item) => JsonProblem | undefined): JsonProblem | undefined {
  for (const item of items) {
    const found = problem(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
