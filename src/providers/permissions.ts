/**
 * Permission strings: what they mean, and whether a guest's call is permitted. Pure.
 *
 * | type | permission | permits |
 * |---|---|---|
 * | kv | `kv:read` | get, exists, listKeys, getMany; with `kv:write` also increment |
 * | kv | `kv:write` | set, setMany; with `kv:read` also increment |
 * | kv | `kv:delete` | delete, deleteMany |
 * | http | `http:request` | requests to any domain |
 * | http | `http:domain:DOMAIN` | requests to DOMAIN; `*.example.com` stands for every domain below `example.com`, not for itself |
 * | messaging | `msg:publish:TOPIC` | publishing |
 * | messaging | `msg:subscribe:TOPIC` | receiving |
 *
 * Topics are tokens with dots between: `orders.eu.created`. As in NATS, `*` stands for exactly one token, `>` at the end
 * for one or more.
 */
import { fault, Reason, type Fault } from "../fault.ts";
import type { KvCall } from "./kv/kv.ts";

/** The types of capability. */
export type CapabilityType = "kv" | "http" | "messaging";

/** Permissions of the kv type. */
export type KvPermission = "kv:read" | "kv:write" | "kv:delete";

/** A permission string, understood. */
export type Permission =
  | { readonly kind: "kv"; readonly permission: KvPermission }
  | { readonly kind: "http-request" }
  /** `domain` is in lower case and may begin with `*.`. */
  | { readonly kind: "http-domain"; readonly domain: string }
  | { readonly kind: "publish"; readonly topic: string }
  | { readonly kind: "subscribe"; readonly topic: string };

/** One assignment of an instance: what it may do with one bucket (kv) of one provider. */
export type Grant = {
  readonly providerId: string;
  readonly type: CapabilityType;
  /** The bucket, for kv; otherwise empty. */
  readonly bucket: string;
  readonly permissions: readonly string[];
};

/** Whether a call may go ahead. */
export type KvVerdict =
  /** `assignment` names the provider that carries the call out. */
  | { readonly kind: "allowed"; readonly assignment: Grant }
  /** No assignment permits it; `needed` is what one would have to hold (for `open`, any one of them). */
  | { readonly kind: "denied"; readonly needed: readonly KvPermission[]; readonly bucket: string };

/** Understands one permission string; throws `PERMISSION_INVALID` with what is wrong and which are valid. */
export function parsePermission(text: string): Permission {
  if (text.length > PERMISSION_MAX_CHARACTERS) {
    throw invalid(text.slice(0, 32), `it is longer than ${PERMISSION_MAX_CHARACTERS} characters`);
  }
  switch (text) {
    case "kv:read":
    case "kv:write":
    case "kv:delete":
      return { kind: "kv", permission: text };
    case "http:request":
      return { kind: "http-request" };
  }
  const rest = (prefix: string): string | undefined =>
    text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
  const domain = rest("http:domain:");
  if (domain !== undefined) return { kind: "http-domain", domain: checkedDomain(text, domain) };
  const published = rest("msg:publish:");
  if (published !== undefined) return { kind: "publish", topic: checkedTopic(text, published) };
  const subscribed = rest("msg:subscribe:");
  if (subscribed !== undefined) return { kind: "subscribe", topic: checkedTopic(text, subscribed) };
  throw invalid(text, `there is no such permission; there are ${ALL_PERMISSIONS}`);
}

/** Throws `PERMISSION_INVALID` unless there is at least one permission and each is valid and of this type. */
export function assertPermissionsFit(type: CapabilityType, permissions: readonly string[]): void {
  if (permissions.length === 0) {
    throw fault(
      Reason.PERMISSION_INVALID,
      `Cannot grant ${type}: no permission is named; there are ${PERMISSIONS[type].join(", ")}`,
    );
  }
  for (const text of permissions) {
    const actual = TYPE_OF[parsePermission(text).kind];
    if (actual !== type) {
      throw invalid(
        text,
        `it belongs to the capability type ${actual}, not to ${type}; for ${type} there are ${PERMISSIONS[type].join(", ")}`,
      );
    }
  }
}

/** What a call needs, all of it together; empty for `open`, which any assignment of its bucket permits. */
export function kvPermissionForCall(call: KvCall): readonly KvPermission[] {
  return KV_NEEDS[call.kind];
}

/**
 * Decides one call by the assignments of the instance that makes it, and by nothing else. Denied unless one provider
 * was granted, for exactly this bucket, everything that the call needs; several assignments of the same
 * provider and bucket count together.
 */
export function checkKvCall(assignments: readonly Grant[], call: KvCall): KvVerdict {
  const needed = kvPermissionForCall(call);
  const candidates = assignments.filter((grant) => grant.type === "kv" && grant.bucket === call.bucket);
  for (const assignment of candidates) {
    const held = candidates
      .filter((grant) => grant.providerId === assignment.providerId)
      .flatMap((grant) => grant.permissions);
    const permitted =
      call.kind === "open"
        ? KV_PERMISSIONS.some((one) => held.includes(one))
        : needed.every((one) => held.includes(one));
    if (permitted) return { kind: "allowed", assignment };
  }
  return { kind: "denied", needed: call.kind === "open" ? KV_PERMISSIONS : needed, bucket: call.bucket };
}

const PERMISSION_MAX_CHARACTERS = 300;
const DOMAIN_MAX_CHARACTERS = 253;
const TOPIC_MAX_CHARACTERS = 255;

const KV_PERMISSIONS: readonly KvPermission[] = ["kv:read", "kv:write", "kv:delete"];

const PERMISSIONS: Readonly<Record<CapabilityType, readonly string[]>> = {
  kv: KV_PERMISSIONS,
  http: ["http:request", "http:domain:DOMAIN"],
  messaging: ["msg:publish:TOPIC", "msg:subscribe:TOPIC"],
};

const ALL_PERMISSIONS = Object.values(PERMISSIONS).flat().join(", ");

const TYPE_OF: Readonly<Record<Permission["kind"], CapabilityType>> = {
  kv: "kv",
  "http-request": "http",
  "http-domain": "http",
  publish: "messaging",
  subscribe: "messaging",
};

const KV_NEEDS: Readonly<Record<KvCall["kind"], readonly KvPermission[]>> = {
  open: [],
  get: ["kv:read"],
  exists: ["kv:read"],
  listKeys: ["kv:read"],
  getMany: ["kv:read"],
  set: ["kv:write"],
  setMany: ["kv:write"],
  delete: ["kv:delete"],
  deleteMany: ["kv:delete"],
  increment: ["kv:read", "kv:write"],
};

/** The domain in lower case, as DNS compares it. */
function checkedDomain(text: string, domain: string): string {
  const name = domain.startsWith("*.") ? domain.slice(2) : domain;
  if (name === "") throw invalid(text, "a domain is missing after the colon, as in http:domain:api.example.com");
  if (domain.length > DOMAIN_MAX_CHARACTERS)
    throw invalid(text, `the domain is longer than ${DOMAIN_MAX_CHARACTERS} characters`);
  if (name.includes("*"))
    throw invalid(
      text,
      "* may only stand at the beginning, as in http:domain:*.example.com (for any domain: http:request)",
    );
  if (/[/:@]/.test(name))
    throw invalid(
      text,
      "only the domain belongs here, without scheme, port or path, as in http:domain:api.example.com",
    );
  const wrong = name.split(".").find((label) => !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  if (wrong !== undefined) {
    throw invalid(
      text,
      `"${wrong}" is not a label of a domain: 1 to 63 letters, digits and hyphens (international names in their xn-- form)`,
    );
  }
  return domain.toLowerCase();
}

function checkedTopic(text: string, topic: string): string {
  if (topic === "") throw invalid(text, `a topic is missing after the colon, as in ${text}orders.*`);
  if (topic.length > TOPIC_MAX_CHARACTERS)
    throw invalid(text, `the topic is longer than ${TOPIC_MAX_CHARACTERS} characters`);
  const tokens = topic.split(".");
  for (const [index, token] of tokens.entries()) {
    if (token === "")
      throw invalid(text, "the topic has an empty token; tokens stand between single dots, as in orders.eu.created");
    if (token === ">" && index !== tokens.length - 1)
      throw invalid(text, "> may only be the last token, as in orders.>");
    if (token !== ">" && token !== "*" && /[*>]/.test(token))
      throw invalid(text, "* and > must be whole tokens, as in orders.*.created or orders.>");
    if (/[\s\p{Cc}]/u.test(token) || !token.isWellFormed())
      throw invalid(text, "the topic has white space or a control character in it");
  }
  return topic;
}

function invalid(text: string, problem: string): Fault {
  return fault(Reason.PERMISSION_INVALID, `Cannot accept permission "${text}": ${problem}`, { subject: text });
}
