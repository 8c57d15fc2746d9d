/** From what a module imports to what it would have to be granted, and by which flags. Pure. */
import { CORE_ABI_MODULE, CORE_ABI_SIGNATURES } from "../../runtime/abi/abi-signatures.ts";
import {
  guestEntryOf,
  hostedInterface,
  splitInterfaceName,
  type NeededCapability,
} from "../../runtime/host/hosted-interfaces.ts";

/** What a module may want to be granted. */
export type NeededPermission = {
  /** Permission strings of the API, with upper-case words where the user must choose. */
  readonly permissions: readonly string[];
  readonly flag: string;
  /**
   * The flag by which it goes without: it is not started unless one of the two is given. `undefined` where it starts all the same,
   * and is denied when it tries.
   */
  readonly denyFlag?: string | undefined;
  /** For people: what for. */
  readonly why: string;
  /** The imports or exports that tell. */
  readonly because: readonly string[];
};

/** Kinds of needs; `config` is no permission, but nothing is there without the flag. */
type Need = NeededCapability | "publish" | "subscribe" | "sockets" | "config";

const PUBLISH: Omit<NeededPermission, "because"> = {
  permissions: ["msg:publish:TOPIC"],
  flag: "--allow-publish=TOPIC",
  denyFlag: "--deny-publish",
  why: "publish messages",
};

const NEEDS: Readonly<Record<Need, Omit<NeededPermission, "because">>> = {
  kv: {
    permissions: ["kv:read", "kv:write", "kv:delete"],
    flag: "--allow-kv[=BUCKET[:read,write,delete]]",
    denyFlag: "--deny-kv",
    why: "use a key-value bucket",
  },
  http: {
    permissions: ["http:domain:HOST"],
    flag: "--allow-net=HOST[:PORT]",
    denyFlag: "--deny-net",
    why: "send HTTP requests",
  },
  messaging: PUBLISH,
  publish: PUBLISH,
  subscribe: { permissions: ["msg:subscribe:TOPIC"], flag: "--allow-subscribe=TOPIC", why: "receive messages" },
  sockets: {
    permissions: ["http:request"],
    flag: "--allow-net",
    why: "connect to public addresses; hosts cannot be chosen for sockets",
  },
  files: {
    permissions: ["fs:read:DIR", "fs:write:DIR"],
    flag: "--allow-read=DIR[::GUEST-DIR] --allow-write=DIR[::GUEST-DIR]",
    why: "use files, if it does",
  },
  env: {
    permissions: ["env:NAME"],
    flag: "--allow-env=NAME",
    why: "see variables of the node, if it does; those of --env it sees anyway",
  },
  config: { permissions: [], flag: "--config KEY=VALUE", why: "read configuration values, which need no permission" },
};

/** The needs of a component, by the interfaces that it imports and exports. */
export function neededByComponent(imports: readonly string[], exports: readonly string[]): NeededPermission[] {
  const imported = imports.map((name): [Need | undefined, string] => {
    const { base } = splitInterfaceName(name);
    return [base.startsWith("wasi:config/") ? "config" : hostedInterface(name)?.needs, name];
  });
  // One that handles HTTP requests as well is hosted as that, and gets no messages.
  const entry = guestEntryOf(exports);
  const exported: [Need, string][] = entry?.entry === "messaging" ? [["subscribe", entry.interface]] : [];
  return gathered([...imported, ...exported]);
}

/** The needs of a core module, by the functions that it imports, as `module.name`. */
export function neededByCoreModule(
  imports: readonly { readonly module: string; readonly name: string }[],
): NeededPermission[] {
  return gathered(imports.map(({ module, name }) => [needOfFunction(module, name), `${module}.${name}`]));
}

function needOfFunction(module: string, name: string): Need | undefined {
  if (module === CORE_ABI_MODULE) {
    if (name === "config_get") return "config";
    if (name === "env_get") return "env";
    const permission = Object.hasOwn(CORE_ABI_SIGNATURES, name) ? CORE_ABI_SIGNATURES[name]?.permission : undefined;
    const prefix = /^[a-z]+/.exec(permission ?? "")?.[0];
    return prefix === undefined ? undefined : ABI_NEEDS[prefix];
  }
  if (module.startsWith("wasix_")) {
    if (/^sock_(open|connect)$|^resolve$/.test(name)) return "sockets";
    return name.startsWith("environ_") ? "env" : undefined;
  }
  if (module.startsWith("wasi_")) {
    if (name.startsWith("path_")) return "files";
    if (name.startsWith("environ_")) return "env";
  }
  return undefined;
}

const ABI_NEEDS: Readonly<Record<string, Need>> = { kv: "kv", http: "http", msg: "publish" };

/** Each need once, with all that tells of it. */
function gathered(found: readonly (readonly [Need | undefined, string])[]): NeededPermission[] {
  const because = new Map<string, { need: Need; names: string[] }>();
  for (const [need, name] of found) {
    if (need === undefined) continue;
    const known = because.get(NEEDS[need].flag) ?? { need, names: [] };
    known.names.push(name);
    because.set(NEEDS[need].flag, known);
  }
  return [...because.values()].map(({ need, names }) => ({ ...NEEDS[need], because: names }));
}
