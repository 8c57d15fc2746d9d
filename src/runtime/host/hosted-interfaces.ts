/** Which interfaces a component may import here, in which versions, and what they need. Pure data: loads nothing else. */

/** Types of capability; an interface of such a type can be imported by anyone, and denies whoever was granted nothing. */
export type NeededCapability = "kv" | "http" | "messaging" | "files" | "env";

/** An interface that is hosted. */
export type HostedInterface = {
  /** Fits the versions that are taken; the empty text stands for an import without version. */
  readonly versions: RegExp;
  /** What a guest must be granted for its operations to succeed; `undefined` for none. */
  readonly needs: NeededCapability | undefined;
};

const STABLE = /^0\.2\.\d+$/;
const KEYVALUE = /^0\.2\.0-draft2?$/;
const CONFIG = /^0\.2\.0-(?:draft(?:-\d{4}-\d{2}-\d{2})?|rc\.\d+)$/;
const LOGGING = /^(?:0\.1\.0-draft)?$/;

/** By name without version. `create-host.ts` has the functions; a test compares the two. */
export const HOSTED_INTERFACES: ReadonlyMap<string, HostedInterface> = new Map([
  ...hosted("wasi:io", STABLE, undefined, "error poll streams"),
  ...hosted("wasi:clocks", STABLE, undefined, "monotonic-clock wall-clock timezone"),
  ...hosted("wasi:random", STABLE, undefined, "random insecure insecure-seed"),
  ...hosted("wasi:cli", STABLE, undefined, "exit stdin stdout stderr"),
  ...hosted(
    "wasi:cli",
    STABLE,
    undefined,
    "terminal-input terminal-output terminal-stdin terminal-stdout terminal-stderr",
  ),
  ...hosted("wasi:cli", STABLE, "env", "environment"),
  ...hosted("wasi:filesystem", STABLE, "files", "types preopens"),
  ...hosted("wasi:http", STABLE, undefined, "types"),
  ...hosted("wasi:http", STABLE, "http", "outgoing-handler"),
  // Never granted: what needs sockets is told so at each use.
  ...hosted("wasi:sockets", STABLE, undefined, "network instance-network ip-name-lookup"),
  ...hosted("wasi:sockets", STABLE, undefined, "tcp tcp-create-socket udp udp-create-socket"),
  ...hosted("wasi:keyvalue", KEYVALUE, "kv", "store atomics batch"),
  ...hosted("wasi:config", CONFIG, undefined, "store runtime"),
  ...hosted("wasi:logging", LOGGING, undefined, "logging"),
  ...hosted("wasmcloud:messaging", STABLE, undefined, "types"),
  ...hosted("wasmcloud:messaging", STABLE, "messaging", "consumer"),
]);

/** The interface behind an import, as the component spells it with its version; `undefined` if it is not hosted here. */
export function hostedInterface(name: string): HostedInterface | undefined {
  const { base, version } = splitInterfaceName(name);
  const found = HOSTED_INTERFACES.get(base);
  return found?.versions.test(version) === true ? found : undefined;
}

/** `wasi:io/streams@0.2.3` in its two parts; the version is empty if there is none. */
export function splitInterfaceName(name: string): { readonly base: string; readonly version: string } {
  const at = name.indexOf("@");
  return at === -1 ? { base: name, version: "" } : { base: name.slice(0, at), version: name.slice(at + 1) };
}

/** What a component can be called by, beside its plain functions. */
export type GuestEntry = "http" | "command" | "messaging";

const ENTRIES: readonly (readonly [GuestEntry, string])[] = [
  ["http", "wasi:http/incoming-handler"],
  ["command", "wasi:cli/run"],
  ["messaging", "wasmcloud:messaging/handler"],
];

/** The exported interface that makes a component what it is, the first of `http`, `command` and `messaging`, with its name as the component spells it. */
export function guestEntryOf(
  exports: readonly string[],
): { readonly entry: GuestEntry; readonly interface: string } | undefined {
  for (const [entry, wanted] of ENTRIES) {
    for (const name of exports) {
      const { base, version } = splitInterfaceName(name);
      if (base === wanted && STABLE.test(version)) return { entry, interface: name };
    }
  }
  return undefined;
}

function hosted(
  wasiPackage: string,
  versions: RegExp,
  needs: NeededCapability | undefined,
  names: string,
): (readonly [string, HostedInterface])[] {
  return names.split(" ").map((name) => [`${wasiPackage}/${name}`, { versions, needs }] as const);
}
