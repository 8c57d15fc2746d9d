/** Which interfaces a component may import here, and in which versions. */

const STABLE = /^0\.2\.\d+$/;
const KEYVALUE = /^0\.2\.0-draft$/;
const LOGGING = /^0\.1\.0-draft$/;

/** Versions taken, by interface. `guest/wasi-host.ts` has the functions; a test compares the two. */
export const WASI_INTERFACES: ReadonlyMap<string, RegExp> = new Map([
  ...["error", "poll", "streams"].map((name) => [`wasi:io/${name}`, STABLE] as const),
  ...["environment", "exit", "stdin", "stdout", "stderr"].map((name) => [`wasi:cli/${name}`, STABLE] as const),
  ...["input", "output", "stdin", "stdout", "stderr"].map((name) => [`wasi:cli/terminal-${name}`, STABLE] as const),
  ...["monotonic-clock", "wall-clock"].map((name) => [`wasi:clocks/${name}`, STABLE] as const),
  ...["random", "insecure", "insecure-seed"].map((name) => [`wasi:random/${name}`, STABLE] as const),
  ...["preopens", "types"].map((name) => [`wasi:filesystem/${name}`, STABLE] as const),
  ...["types", "outgoing-handler"].map((name) => [`wasi:http/${name}`, STABLE] as const),
  ...["store", "atomics", "batch"].map((name) => [`wasi:keyvalue/${name}`, KEYVALUE] as const),
  ["wasi:logging/logging", LOGGING],
]);

const HANDLER = /^wasi:http\/incoming-handler@0\.2\.\d+$/;

/** Whether a component may import `name`, as the component spells it with its version. */
export function isHostedImport(name: string): boolean {
  const [base = "", version = ""] = name.split("@");
  return WASI_INTERFACES.get(base)?.test(version) ?? false;
}

/** The export that handles HTTP requests, if there is one. */
export function handlerExport(exports: readonly string[]): string | undefined {
  return exports.find((name) => HANDLER.test(name));
}
