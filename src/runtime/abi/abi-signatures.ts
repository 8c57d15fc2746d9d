/** The functions of the core import ABI: their names, their types, and what an instance must be granted to use them. */

/** Name of the import module. */
export const CORE_ABI_MODULE = "wasmatrix";

/** Kinds of Wasm numbers that cross. */
export type AbiNumber = "i32" | "i64";

/**
 * What a parameter means. `text`, `bytes` and `out` are an address and a length, two i32: UTF-8 to read, bytes to
 * read, room to write into. `address` is where one i64 (8 bytes) or i32 (4 bytes) goes.
 */
export type AbiParameter = "text" | "bytes" | "out" | "address" | AbiNumber;

/** One function. */
export type AbiSignature = {
  /** In order, each as `name: meaning`. */
  readonly parameters: readonly { readonly name: string; readonly kind: AbiParameter }[];
  readonly result: AbiNumber;
  /** Whether it may wait: such a function cannot be called from the module's start function. */
  readonly suspends: boolean;
  /** The permission without which it answers `DENIED`; for some it depends on the arguments: `msg:publish:<topic>`. */
  readonly permission: string | undefined;
};

const PARAMETERS: readonly AbiParameter[] = ["text", "bytes", "out", "address", "i32", "i64"];

/** Every function, by the name under which it is imported. Functions are only ever added, never changed. */
export const CORE_ABI_SIGNATURES: Readonly<Record<string, AbiSignature>> = {
  kv_get: waiting("kv:read", ["text bucket", "text key", "out value"]),
  kv_set: waiting("kv:write", ["text bucket", "text key", "bytes value"]),
  kv_delete: waiting("kv:delete", ["text bucket", "text key"]),
  kv_exists: waiting("kv:read", ["text bucket", "text key"]),
  kv_increment: waiting("kv:read and kv:write", ["text bucket", "text key", "i64 delta", "address sum"]),
  kv_compare_and_swap: waiting("kv:read and kv:write", [
    "text bucket",
    "text key",
    "bytes expected",
    "i32 is_expected",
    "bytes value",
  ]),
  kv_list_keys: waiting("kv:read", ["text bucket", "text cursor", "out keys"]),
  publish: waiting("msg:publish:<topic>", ["text topic", "bytes body"]),
  request: waiting("msg:publish:<topic>", ["text topic", "bytes body", "i32 timeout_ms", "out reply"]),
  http_request: waiting("http:request or http:domain:<domain>", [
    "text method",
    "text url",
    "bytes headers",
    "bytes body",
    "address status",
    "out response",
  ]),
  http_response_headers: immediate(["out headers"]),
  result_read: immediate(["i32 offset", "out rest"]),
  last_error: immediate(["out message"]),
  log: { ...waiting("", ["i32 level", "text message"]), permission: undefined },
  config_get: immediate(["text key", "out value"]),
  env_get: immediate(["text name", "out value"]),
  clock_ms: { ...immediate([]), result: "i64" },
  random: immediate(["out bytes"]),
  sleep_ms: { ...waiting("", ["i32 duration_ms"]), permission: undefined },
};

/** Names of those that may wait. */
export const CORE_ABI_SUSPENDING: readonly string[] = Object.entries(CORE_ABI_SIGNATURES)
  .filter(([, { suspends }]) => suspends)
  .map(([name]) => name);

/** The Wasm types of a function's parameters. */
export function abiNumbers({ parameters }: AbiSignature): readonly AbiNumber[] {
  return parameters.flatMap(({ kind }): AbiNumber[] => {
    switch (kind) {
      case "text":
      case "bytes":
      case "out":
        return ["i32", "i32"];
      case "address":
        return ["i32"];
      default:
        return [kind];
    }
  });
}

function waiting(permission: string, parameters: readonly `${AbiParameter} ${string}`[]): AbiSignature {
  return { ...immediate(parameters), suspends: true, permission };
}

function immediate(parameters: readonly `${AbiParameter} ${string}`[]): AbiSignature {
  return { parameters: parameters.map(parameterFromText), result: "i32", suspends: false, permission: undefined };
}

function parameterFromText(text: string): { readonly name: string; readonly kind: AbiParameter } {
  const kind = PARAMETERS.find((word) => text.startsWith(`${word} `));
  if (kind === undefined) throw new Error(`"${text}" does not begin with what it means`);
  return { name: text.slice(kind.length + 1), kind };
}
