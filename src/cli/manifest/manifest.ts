/** A manifest's text to what `run` is asked for. Pure. */
import { dirname, resolve } from "node:path";
import { durationMsFromText } from "../duration.ts";
import { LIMITS, limitReader, type LimitValues } from "../limit-flags.ts";
import { deniedFolderPermission, folderPermission } from "../permissions/flag-values.ts";
import {
  checkedPermission,
  typeOfPermission,
  type PermissionRule,
  type RuleEffect,
} from "../permissions/permission-rule.ts";
import { restartFromText } from "../restart-flag.ts";
import { ISOLATION_WORDS, NODE_LOSS_WORDS, REUSE_WORDS, type RunOrder } from "../run-order.ts";
import { UsageError } from "../usage-error.ts";
import { JsonMistake, placedJsonFromText, type PlacedJson } from "./json-places.ts";
import { jsonPathText, jsonProblem, type JsonPath } from "./json-schema-check.ts";
import { MANIFEST_SCHEMA } from "./manifest-schema.ts";

/**
 * Understands the text of the manifest at `path` (absolute); relative paths in it are against its folder. Throws `UsageError`
 * that names `shownPath`, the line, the key and what is wrong.
 */
export function orderFromManifest(text: string, path: string, shownPath: string): RunOrder {
  const refuse = (line: number, problem: string): UsageError =>
    new UsageError(`Cannot read manifest ${shownPath}:${line}: ${problem}`);
  const placed = placedOrRefused(text, refuse);
  const { value } = placed;
  const refuseAt = (at: JsonPath, problem: string): UsageError => {
    const key = jsonPathText(at);
    return refuse(placed.lineOf(at), key === "" ? problem : `${key}: ${problem}`);
  };
  const misshapen = jsonProblem(MANIFEST_SCHEMA, value, { patterns: false });
  if (misshapen !== undefined) throw refuseAt(misshapen.path, misshapen.problem);
  const read: Reader = (at, parse) => {
    const found = valueAt(value, at);
    if (found === undefined) return undefined;
    try {
      return parse(typeof found === "string" ? found : JSON.stringify(found));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      throw refuseAt(at, error.hint === "" ? error.message : `${error.message}; ${error.hint}`);
    }
  };
  const order = orderFromValue(value, dirname(path), read);
  // What no reader looked at closely, such as the name.
  const unfit = jsonProblem(MANIFEST_SCHEMA, value, { patterns: true });
  if (unfit !== undefined) throw refuseAt(unfit.path, unfit.problem);
  return order;
}

/** Reads the value at a path by `parse`, whose `UsageError` gets file, line and key; `undefined` if there is none. */
type Reader = <T>(at: JsonPath, parse: (text: string) => T) => T | undefined;

function placedOrRefused(text: string, refuse: (line: number, problem: string) => UsageError): PlacedJson {
  try {
    return placedJsonFromText(text);
  } catch (error) {
    if (error instanceof JsonMistake) throw refuse(error.line, error.message);
    throw error;
  }
}

function orderFromValue(value: unknown, folder: string, read: Reader): RunOrder {
  const text = (key: string): string | undefined => read([key], (found) => found);
  const texts = (key: string): Record<string, string> | undefined => {
    const found = valueAt(value, [key]);
    return typeof found === "object" && found !== null
      ? Object.fromEntries(Object.entries(found).map(([name, one]) => [name, String(one)]))
      : undefined;
  };
  const args = valueAt(value, ["args"]);
  return {
    module: read(["module"], (module) =>
      /^([a-z][a-z0-9+.-]+:\/\/|sha256:)/i.test(module) ? module : resolve(folder, module),
    ),
    digest: text("digest"),
    name: text("name"),
    unique: read(["unique"], (found) => found === "true"),
    labels: texts("labels"),
    args: Array.isArray(args) ? args.map(String) : undefined,
    env: texts("env"),
    config: texts("config"),
    stdin: read(["stdin"], (file) => resolve(folder, file)),
    rules: rulesFromValue(value, folder, read),
    limits: limitsFromValue(read),
    restart: read(["restart"], restartFromText),
    backoffMs: read(["backoff"], durationMsFromText),
    isolation: ISOLATION_WORDS.find((word) => word === text("isolation")),
    reuse: REUSE_WORDS.find((word) => word === text("reuse")),
    onNodeLoss: NODE_LOSS_WORDS.find((word) => word === text("onNodeLoss")),
    count: read(["count"], Number),
    node: text("node"),
    nodeLabels: texts("nodeLabels"),
  };
}

function limitsFromValue(read: Reader): LimitValues {
  const values = LIMITS.map(({ name, unit }) => [name, read(["limits", name], limitReader(unit))] as const);
  return Object.fromEntries(values.filter(([, limit]) => limit !== undefined));
}

function rulesFromValue(value: unknown, folder: string, read: Reader): PermissionRule[] {
  const effects = ["allow", "deny"] as const;
  const indices = (at: JsonPath): JsonPath[] => {
    const list = valueAt(value, at);
    return Array.isArray(list) ? list.map((_, index) => [...at, index]) : [];
  };
  const plain = effects.flatMap((effect) =>
    indices(["permissions", effect]).flatMap((at) => read(at, (text) => ruleFromText(effect, text, folder)) ?? []),
  );
  const buckets = valueAt(value, ["permissions", "kv"]);
  const names = typeof buckets === "object" && buckets !== null ? Object.keys(buckets) : [];
  const ofBuckets = names.flatMap((bucket) => {
    const at = ["permissions", "kv", bucket];
    const providerId = read([...at, "provider"], (id) => id) ?? "";
    return effects.flatMap((effect) =>
      indices([...at, effect]).flatMap(
        (one) => read(one, (permission) => ({ effect, type: "kv" as const, permission, bucket, providerId })) ?? [],
      ),
    );
  });
  return [...plain, ...ofBuckets];
}

function ruleFromText(effect: RuleEffect, text: string, folder: string): PermissionRule {
  const [, verb, rest = ""] = /^fs:(read|write):(.*)$/s.exec(text) ?? [];
  const isFolder = (verb === "read" || verb === "write") && rest !== "";
  const resolved = effect === "allow" ? folderPermission : deniedFolderPermission;
  const permission = checkedPermission(isFolder ? resolved(verb, rest, folder) : text);
  const type = typeOfPermission(permission);
  if (type === undefined) throw new UsageError(`"${text}" is not a permission`);
  return { effect, type, permission, bucket: "", providerId: "" };
}

function valueAt(value: unknown, path: JsonPath): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}
