/**
 * What a manifest may say, as JSON Schema: the one definition of its form. `run` checks manifests by it, and it is published as
 * `schema/wasmatrix.schema.json`, which editors read; a test holds the two together.
 */
import { COUNT_MAX, ISOLATION_WORDS, NODE_LOSS_WORDS, REUSE_WORDS } from "../run-order.ts";
import { LIMITS, type LimitUnit } from "../limit-flags.ts";
import { KV_PERMISSIONS } from "../permissions/kv-grant-flag.ts";
import type { JsonSchema } from "./json-schema-check.ts";

const SIZE_PATTERN = "^\\s*\\d+(\\.\\d+)?\\s*([bB]|[kKmMgGtT][iI]?[bB])?\\s*$";
const DURATION_PATTERN = "^\\s*(0|(\\d+(\\.\\d+)?([mM][sS]|[sSmMhHdD]))+)\\s*$";

const UNITS: Readonly<Record<LimitUnit, JsonSchema>> = {
  size: { type: "string", pattern: SIZE_PATTERN, examples: ["64MiB"] },
  duration: { type: "string", pattern: DURATION_PATTERN, examples: ["30s"] },
  count: { type: "integer", minimum: 1, maximum: 1_000_000_000 },
};

function texts(description: string, maxProperties: number): JsonSchema {
  return { description, type: "object", maxProperties, additionalProperties: { type: "string" } };
}

const PERMISSION: JsonSchema = {
  type: "string",
  pattern:
    "^(kv:(read|write|delete)|http:request|http:domain:.+|msg:(publish|subscribe):.+|fs:(read|write):.+|env:.+)$",
  examples: ["kv:read", "http:domain:api.example.com:443", "msg:publish:orders.*", "fs:read:./data::/data", "env:LANG"],
};

function permissions(description: string): JsonSchema {
  return { description, type: "array", maxItems: 256, items: PERMISSION };
}

const KV_LIST: JsonSchema = { type: "array", maxItems: 3, items: { type: "string", enum: KV_PERMISSIONS } };

const PERMISSIONS: JsonSchema = {
  description: "What the instance may do. Nothing else is permitted, and what is denied wins.",
  type: "object",
  additionalProperties: false,
  properties: {
    allow: permissions(
      "Permissions in the words of the API. kv: ones are about the bucket default; folders of fs: ones may be relative to the manifest.",
    ),
    deny: permissions("Permissions that it does not have, whatever else grants them."),
    kv: {
      description: "Key-value buckets by name.",
      type: "object",
      maxProperties: 63,
      additionalProperties: {
        type: "object",
        additionalProperties: false,
        properties: {
          allow: { ...KV_LIST, description: "What it may do with the bucket." },
          deny: { ...KV_LIST, description: "What it may not do with the bucket." },
          provider: { description: "Provider that has the bucket; default: the node's own.", type: "string" },
        },
      },
    },
  },
};

/** See the top of the file. */
export const MANIFEST_SCHEMA: JsonSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: "urn:wasmatrix:manifest",
  title: "Wasmatrix manifest",
  description: "What `wasmatrix run` starts. Each key is the flag of that name.",
  type: "object",
  additionalProperties: false,
  required: ["module"],
  properties: {
    $schema: { description: "Where this schema is, for editors.", type: "string" },
    module: {
      description:
        "A .wasm file, relative to the manifest; an http(s) URL that the control plane fetches; or the sha256: digest of a module that it has.",
      type: "string",
      minLength: 1,
      examples: ["./app.wasm"],
    },
    digest: {
      description: "Refuse to start other bytes than these.",
      type: "string",
      pattern: "^sha256:[0-9a-f]{64}$",
      examples: [`sha256:${"0".repeat(64)}`],
    },
    name: {
      description: "Name under which it is found and serves HTTP; several instances may share one.",
      type: "string",
      pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
      examples: ["hello"],
    },
    unique: { description: "Refuse if a live instance has the name.", type: "boolean" },
    labels: texts("Labels, for filters.", 64),
    args: {
      description: "Arguments of the guest, without the program's name.",
      type: "array",
      maxItems: 1024,
      items: { type: "string" },
    },
    env: texts("Environment variables. Keep secrets out of manifests that are shared: --env comes on top.", 256),
    config: texts("Values that it reads by wasi:config.", 256),
    stdin: {
      description: "File that it reads as standard input, relative to the manifest.",
      type: "string",
      minLength: 1,
    },
    permissions: PERMISSIONS,
    limits: {
      description: "Bounds; what is left out is the node's default.",
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(
        LIMITS.map(({ name, unit, description }) => [
          name,
          { description: `${description.charAt(0).toUpperCase()}${description.slice(1)}.`, ...UNITS[unit] },
        ]),
      ),
    },
    restart: {
      description: "never, always, on-failure, or with a number of restarts in a row after which it is given up.",
      type: "string",
      pattern: "^(never|(always|on-failure)(:[0-9]+)?)$",
      examples: ["on-failure:5"],
      default: "never",
    },
    backoff: {
      description: "Wait before the first restart, doubled with each in a row.",
      ...UNITS.duration,
      examples: ["1s"],
    },
    isolation: {
      description: "A thread shared with others, or one of its own.",
      type: "string",
      enum: ISOLATION_WORDS,
      default: "shared",
    },
    reuse: {
      description: "Whether calls find the memory that earlier ones left, or each call a fresh copy.",
      type: "string",
      enum: REUSE_WORDS,
      default: "instance",
    },
    onNodeLoss: {
      description: "Whether it is started on another node when its node is lost.",
      type: "string",
      enum: NODE_LOSS_WORDS,
      default: "none",
    },
    count: { description: "Start so many.", type: "integer", minimum: 1, maximum: COUNT_MAX, default: 1 },
    node: { description: "Only on this node.", type: "string", minLength: 1 },
    nodeLabels: texts("Only on nodes with these labels.", 64),
  },
};
