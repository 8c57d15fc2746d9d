/** Whether an instance may send a request somewhere: by the name, before it is resolved, and by the address, before it is dialled. Pure. */
import { permissionIfValid, type Grant } from "../permissions.ts";
import { specialAddress, type SpecialAddress } from "./address-kind.ts";
import type { HttpRules } from "./http.ts";
import { bracketed, isToDomain, type HttpDomain, type HttpTarget } from "./http-domain.ts";
import { embeddedV4, ipFromText, textFromIp, type IpAddress } from "./ip-address.ts";

/** Whether a request to a target may go ahead. */
export type HttpVerdict =
  /** `permission` is the string that permits it. */
  | { readonly kind: "allowed"; readonly permission: string }
  /** `needed` would permit it; `deniedBy` is the denial that forbids it, whatever else is granted. */
  | { readonly kind: "denied"; readonly needed: string; readonly deniedBy: string | undefined };

/** Whether an address may be dialled for a target. */
export type HttpAddressVerdict =
  | { readonly kind: "allowed" }
  /** `special` says what keeps the address off the open internet, if that is why. */
  | {
      readonly kind: "denied";
      readonly needed: string;
      readonly deniedBy: string | undefined;
      readonly special: SpecialAddress | "malformed" | undefined;
    };

/** What the grants of one instance let it reach by the provider `providerId`. Denials hold for all providers of the type. */
export function httpRulesFromGrants(grants: readonly Grant[], providerId: string): HttpRules {
  const http = grants.filter((grant) => grant.type === "http");
  return {
    permissions: http.filter((grant) => grant.providerId === providerId).flatMap((grant) => grant.permissions),
    deniedPermissions: http.flatMap((grant) => grant.deniedPermissions),
  };
}

/** Decides by the host as the request names it. An allowed request must pass `checkHttpAddress` as well, once its address is known. */
export function checkHttpTarget(rules: HttpRules, target: HttpTarget): HttpVerdict {
  const needed = neededFor(target);
  const deniedBy = rules.deniedPermissions.find((text) => isForTarget(text, target, "deny"));
  if (deniedBy !== undefined) return { kind: "denied", needed, deniedBy };
  const permission = rules.permissions.find((text) => isForTarget(text, target, "permit"));
  return permission === undefined ? { kind: "denied", needed, deniedBy: undefined } : { kind: "allowed", permission };
}

/**
 * Decides by the address (as text) that the target's name was resolved to, or that it is. A public address passes unless it is denied.
 * Any other passes only if it was granted literally: `http:domain:10.0.0.5` for that address, or, for a target named
 * `localhost`, `http:domain:localhost` for a loopback address. Neither `http:request` nor another name's permission is enough, or
 * whoever has a domain could point it at the node's own network.
 */
export function checkHttpAddress(rules: HttpRules, target: HttpTarget, address: string): HttpAddressVerdict {
  const ip = ipFromText(address);
  if (ip === undefined) return { kind: "denied", needed: neededFor(target), deniedBy: undefined, special: "malformed" };
  const special = specialAddress(ip);
  const own = { host: textFromIp(ip), port: target.port };
  const needed = neededFor({ ...own, scheme: target.scheme });
  const deniedBy = rules.deniedPermissions.find((text) => isForAddress(text, ip, target.port, special));
  if (deniedBy !== undefined) return { kind: "denied", needed, deniedBy, special: undefined };
  if (special === undefined) return { kind: "allowed" };
  const isGranted = rules.permissions.some((text) => {
    const domain = domainOf(text);
    if (domain === undefined) return false;
    return isToDomain(domain, own) || (special === "loopback" && isToLocalhost(domain, target));
  });
  return isGranted ? { kind: "allowed" } : { kind: "denied", needed, deniedBy: undefined, special };
}

/** The narrowest permission for a target; the usual port goes without saying. */
function neededFor(target: HttpTarget): string {
  const isUsual = target.port === (target.scheme === "https" ? 443 : 80);
  return `http:domain:${bracketed(target.host)}${isUsual ? "" : `:${target.port}`}`;
}

function isForTarget(text: string, target: HttpTarget, purpose: "permit" | "deny"): boolean {
  const permission = permissionIfValid(text);
  // A denial that is not understood denies all; a permission that is not understood gives nothing.
  if (permission === undefined) return purpose === "deny";
  if (permission.kind === "http-request") return true;
  return permission.kind === "http-domain" && isToDomain(permission.domain, target);
}

/** Whether a denial speaks of an address: by itself, by the IPv4 address inside it, or as the place that `localhost` stands for. */
function isForAddress(text: string, ip: IpAddress, port: number, special: SpecialAddress | undefined): boolean {
  const permission = permissionIfValid(text);
  if (permission === undefined || permission.kind === "http-request") return true;
  if (permission.kind !== "http-domain") return false;
  const { domain } = permission;
  const inner = embeddedV4(ip);
  const hosts = [ip, ...(inner === undefined ? [] : [inner])].map(textFromIp);
  if (special === "loopback") hosts.push("localhost");
  return hosts.some((host) => isToDomain(domain, { host, port }));
}

function isToLocalhost(domain: HttpDomain, target: HttpTarget): boolean {
  return target.host === "localhost" && domain.match === "name" && isToDomain(domain, target);
}

function domainOf(text: string): HttpDomain | undefined {
  const permission = permissionIfValid(text);
  return permission?.kind === "http-domain" ? permission.domain : undefined;
}
