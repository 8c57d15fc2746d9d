/**
 * Permission strings: what they mean. Pure.
 *
 * | type | permission | permits |
 * |---|---|---|
 * | kv | `kv:read` | get, exists, listKeys, getMany; with `kv:write` also increment and compareAndSwap |
 * | kv | `kv:write` | set, setMany; with `kv:read` also increment and compareAndSwap |
 * | kv | `kv:delete` | delete, deleteMany |
 * | http | `http:request` | requests to any public address |
 * | http | `http:domain:DOMAIN[:PORT]` | requests to DOMAIN, on any port if none is named; `*.example.com` stands for every domain below `example.com`, not for itself; an address is a domain too: `127.0.0.1`, `[::1]` |
 * | messaging | `msg:publish:TOPIC` | publishing |
 * | messaging | `msg:subscribe:TOPIC` | receiving, and answering what came |
 * | files | `fs:read:FOLDER[::SEEN-AS]` | listing and reading a folder of the node and all below it, which the guest sees as SEEN-AS or else as FOLDER |
 * | files | `fs:write:FOLDER[::SEEN-AS]` | creating, changing and removing there; not reading |
 * | environment | `env:NAME` | reading a variable that the node shares |
 * | environment | `env:*` | reading all that it shares |
 *
 * The same strings deny when they stand among an assignment's denied permissions, and then win over whatever the instance
 * holds. A denied folder is named without `::SEEN-AS`.
 *
 * Topics: see `messaging/topic.ts`. Which addresses count as public: `http/address-kind.ts`.
 */
import { fault, Reason, type Fault } from "../fault.ts";
import { absolutePathProblem, withoutTrailingSlash } from "./files/host-path.ts";
import { parseHttpDomain, textFromHttpDomain, type HttpDomain } from "./http/http-domain.ts";
import { topicPatternProblem } from "./messaging/topic.ts";

/** The types of capability. */
export type CapabilityType = "kv" | "http" | "messaging" | "files" | "environment";

/** Permissions of the kv type. */
export type KvPermission = "kv:read" | "kv:write" | "kv:delete";

/** A permission string, understood. */
export type Permission =
  | { readonly kind: "kv"; readonly permission: KvPermission }
  | { readonly kind: "http-request" }
  | { readonly kind: "http-domain"; readonly domain: HttpDomain }
  | { readonly kind: "publish"; readonly topic: string }
  | { readonly kind: "subscribe"; readonly topic: string }
  /** Absolute paths without a slash at the end; `guestPath` is `undefined` if the permission names none. */
  | {
      readonly kind: "folder";
      readonly access: "read" | "write";
      readonly hostPath: string;
      readonly guestPath: string | undefined;
    }
  /** `name` may be `*`. */
  | { readonly kind: "env"; readonly name: string };

/** One assignment of an instance: what it may and may not do with one bucket (kv) of one provider. */
export type Grant = {
  readonly providerId: string;
  readonly type: CapabilityType;
  /** The bucket, for kv; otherwise empty. */
  readonly bucket: string;
  readonly permissions: readonly string[];
  /** Denied to the instance, whichever of its assignments permits it: for this type, and for kv this bucket. */
  readonly deniedPermissions: readonly string[];
};

/** The kv permissions there are. */
export const KV_PERMISSIONS: readonly KvPermission[] = ["kv:read", "kv:write", "kv:delete"];

/** Understands one permission string; throws `PERMISSION_INVALID` with what is wrong and which are valid. */
export function parsePermission(text: string): Permission {
  if (text.length > PERMISSION_MAX_CHARACTERS) {
    throw invalid(text.slice(0, 32), `it is longer than ${PERMISSION_MAX_CHARACTERS} characters`);
  }
  const kv = KV_PERMISSIONS.find((permission) => permission === text);
  if (kv !== undefined) return { kind: "kv", permission: kv };
  if (text === "http:request") return { kind: "http-request" };
  const form = FORMS.find(({ prefix }) => text.startsWith(prefix));
  if (form === undefined) throw invalid(text, `there is no such permission; there are ${ALL_PERMISSIONS}`);
  return form.parse(text, text.slice(form.prefix.length));
}

/** The one spelling of a permission: `http:domain:API.example.com` becomes `http:domain:api.example.com`. Throws `PERMISSION_INVALID`. */
export function canonicalPermission(text: string): string {
  const permission = parsePermission(text);
  switch (permission.kind) {
    case "kv":
      return permission.permission;
    case "http-request":
      return "http:request";
    case "http-domain":
      return `http:domain:${textFromHttpDomain(permission.domain)}`;
    case "publish":
    case "subscribe":
      return `msg:${permission.kind}:${permission.topic}`;
    case "folder": {
      const { access, hostPath, guestPath } = permission;
      return `fs:${access}:${hostPath}${guestPath === undefined || guestPath === hostPath ? "" : `::${guestPath}`}`;
    }
    case "env":
      return `env:${permission.name}`;
  }
}

/** The capability type that a permission belongs to. Throws `PERMISSION_INVALID`. */
export function capabilityTypeOf(permission: string): CapabilityType {
  return TYPE_OF[parsePermission(permission).kind];
}

/** Throws `PERMISSION_INVALID` unless each permission, granted or denied, is valid and of this type, and there is at least one. */
export function assertPermissionsFit(
  type: CapabilityType,
  permissions: readonly string[],
  deniedPermissions: readonly string[] = [],
): void {
  if (permissions.length === 0 && deniedPermissions.length === 0) {
    throw fault(
      Reason.PERMISSION_INVALID,
      `Cannot grant ${type}: no permission is named; there are ${PERMISSIONS[type].join(", ")}`,
    );
  }
  for (const text of [...permissions, ...deniedPermissions]) {
    const actual = capabilityTypeOf(text);
    if (actual !== type) {
      throw invalid(
        text,
        `it belongs to the capability type ${actual}, not to ${type}; for ${type} there are ${PERMISSIONS[type].join(", ")}`,
      );
    }
  }
  for (const text of deniedPermissions) {
    const permission = parsePermission(text);
    if (permission.kind === "folder" && permission.guestPath !== undefined) {
      throw invalid(text, "a denied folder is named by its path on the node alone, without ::");
    }
  }
}

/** The permission, or `undefined` for text that is none: what decides a call must not throw over an old or foreign string. */
export function permissionIfValid(text: string): Permission | undefined {
  try {
    return parsePermission(text);
  } catch {
    // Which of its rules the text breaks does not matter here: it gives nothing, and as a denial it denies all.
    return undefined;
  }
}

const PERMISSION_MAX_CHARACTERS = 1024;
const ENV_NAME_MAX_CHARACTERS = 255;

const PERMISSIONS: Readonly<Record<CapabilityType, readonly string[]>> = {
  kv: KV_PERMISSIONS,
  http: ["http:request", "http:domain:DOMAIN"],
  messaging: ["msg:publish:TOPIC", "msg:subscribe:TOPIC"],
  files: ["fs:read:FOLDER", "fs:write:FOLDER"],
  environment: ["env:NAME", "env:*"],
};

const ALL_PERMISSIONS = Object.values(PERMISSIONS).flat().join(", ");

const TYPE_OF: Readonly<Record<Permission["kind"], CapabilityType>> = {
  kv: "kv",
  "http-request": "http",
  "http-domain": "http",
  publish: "messaging",
  subscribe: "messaging",
  folder: "files",
  env: "environment",
};

/** Permissions with something after the prefix. */
const FORMS: readonly { readonly prefix: string; readonly parse: (text: string, rest: string) => Permission }[] = [
  { prefix: "http:domain:", parse: (text, rest) => ({ kind: "http-domain", domain: checkedDomain(text, rest) }) },
  { prefix: "msg:publish:", parse: (text, rest) => ({ kind: "publish", topic: checkedTopic(text, rest) }) },
  { prefix: "msg:subscribe:", parse: (text, rest) => ({ kind: "subscribe", topic: checkedTopic(text, rest) }) },
  { prefix: "fs:read:", parse: (text, rest) => ({ kind: "folder", access: "read", ...checkedFolder(text, rest) }) },
  { prefix: "fs:write:", parse: (text, rest) => ({ kind: "folder", access: "write", ...checkedFolder(text, rest) }) },
  { prefix: "env:", parse: (text, rest) => ({ kind: "env", name: checkedEnvName(text, rest) }) },
];

function checkedDomain(text: string, rest: string): HttpDomain {
  const parsed = parseHttpDomain(rest);
  if (parsed.kind === "invalid") throw invalid(text, parsed.problem);
  return parsed.domain;
}

function checkedTopic(text: string, topic: string): string {
  if (topic === "") throw invalid(text, `a topic is missing after the colon, as in ${text}orders.*`);
  const problem = topicPatternProblem(topic);
  if (problem !== undefined) throw invalid(text, problem);
  return topic;
}

function checkedFolder(
  text: string,
  rest: string,
): { readonly hostPath: string; readonly guestPath: string | undefined } {
  const [hostPath = "", guestPath, ...more] = rest.split("::");
  if (hostPath === "") throw invalid(text, `a folder is missing after the colon, as in ${text}/srv/data`);
  if (more.length > 0)
    throw invalid(text, "it has :: more than once; it may stand once, before the path that the guest sees");
  for (const [what, path] of [
    ["folder", hostPath],
    ["path that the guest sees", guestPath],
  ] as const) {
    const problem = path === undefined ? undefined : absolutePathProblem(path);
    if (problem !== undefined) throw invalid(text, `the ${what} ${problem}`);
  }
  return { hostPath: withoutTrailingSlash(hostPath), guestPath: guestPath && withoutTrailingSlash(guestPath) };
}

function checkedEnvName(text: string, name: string): string {
  if (name === "")
    throw invalid(text, "a variable is missing after the colon, as in env:LANG (for all that the node shares: env:*)");
  if (name === "*") return name;
  if (name.length > ENV_NAME_MAX_CHARACTERS)
    throw invalid(text, `the name is longer than ${ENV_NAME_MAX_CHARACTERS} characters`);
  if (/[=*\s\p{Cc}]/u.test(name) || !name.isWellFormed()) {
    throw invalid(text, "a variable's name has no =, *, white space or control character in it");
  }
  return name;
}

function invalid(text: string, problem: string): Fault {
  return fault(Reason.PERMISSION_INVALID, `Cannot accept permission "${text}": ${problem}`, { subject: text });
}
