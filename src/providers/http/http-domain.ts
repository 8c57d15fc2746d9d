/** The part of an HTTP permission after `http:domain:`, and the hosts that requests name. Pure. */
import { ipFromText, textFromIp, type IpAddress } from "./ip-address.ts";

/** What `http:domain:` permits. */
export type HttpDomain = {
  /** `name`: that domain; `below`: every domain below it, not itself; `address`: that address. */
  readonly match: "name" | "below" | "address";
  /** In lower case, without `*.`; an address in its one spelling, without brackets. */
  readonly host: string;
  /** `undefined`: any. */
  readonly port: number | undefined;
};

/** Where a request goes, in the one spelling that checks compare. */
export type HttpTarget = {
  readonly scheme: "http" | "https";
  /** A domain in lower case without the dot at the end, or an address without brackets. */
  readonly host: string;
  readonly port: number;
};

/** What came of text. */
export type HttpDomainParsed =
  | { readonly kind: "domain"; readonly domain: HttpDomain }
  | { readonly kind: "invalid"; readonly problem: string };

/** Understands `api.example.com`, `*.example.com:8443`, `127.0.0.1:80`, `[::1]:80`; says what is wrong with anything else. */
export function parseHttpDomain(text: string): HttpDomainParsed {
  if (/[/@?#\\]/.test(text)) {
    return invalid("only the domain belongs here, without scheme or path, as in http:domain:api.example.com:8443");
  }
  const { host, portText } = splitPort(text);
  const port = portText === undefined ? undefined : portFromText(portText);
  if (port === "invalid") return invalid(`"${portText}" is not a port: a number from 1 to 65535`);
  if (host === "" || host === "*.")
    return invalid("a domain is missing after the colon, as in http:domain:api.example.com");
  const ip = ipOfHost(host);
  if (ip !== undefined) return { kind: "domain", domain: { match: "address", host: textFromIp(ip), port } };
  if (host.includes(":") || host.startsWith("[")) {
    return invalid(`"${host}" is not an address; an IPv6 address stands in brackets, as in http:domain:[::1]:8080`);
  }
  const isBelow = host.startsWith("*.");
  const name = isBelow ? host.slice(2) : host;
  if (name.includes("*")) {
    return invalid("* may only stand at the beginning, as in http:domain:*.example.com (for any domain: http:request)");
  }
  const problem = domainProblem(name);
  if (problem !== undefined) return invalid(problem);
  return { kind: "domain", domain: { match: isBelow ? "below" : "name", host: name.toLowerCase(), port } };
}

/** The permission's text in its one spelling, without `http:domain:`. */
export function textFromHttpDomain(domain: HttpDomain): string {
  const host = domain.match === "below" ? `*.${domain.host}` : bracketed(domain.host);
  return domain.port === undefined ? host : `${host}:${domain.port}`;
}

/** Whether a request to `target` is to this domain, going by the name (or address) that it was written with. */
export function isToDomain(domain: HttpDomain, target: Pick<HttpTarget, "host" | "port">): boolean {
  if (domain.port !== undefined && domain.port !== target.port) return false;
  return domain.match === "below" ? target.host.endsWith(`.${domain.host}`) : target.host === domain.host;
}

/** Where a request with this authority goes; `undefined` if it names no host that a request could go to. */
export function httpTargetFromAuthority(scheme: "http" | "https", authority: string): HttpTarget | undefined {
  // An empty port means the usual one (RFC 3986).
  const { host: written, portText } = splitPort(authority.endsWith(":") ? authority.slice(0, -1) : authority);
  const port = portText === undefined ? (scheme === "https" ? 443 : 80) : portFromText(portText);
  if (port === "invalid") return undefined;
  const ip = ipOfHost(written);
  if (ip !== undefined) return { scheme, host: textFromIp(ip), port };
  const name = written.endsWith(".") ? written.slice(0, -1) : written;
  return domainProblem(name) === undefined ? { scheme, host: name.toLowerCase(), port } : undefined;
}

/** An IPv6 address in the brackets that authorities and permissions have around it; other hosts as they are. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

const DOMAIN_MAX_CHARACTERS = 253;

function splitPort(text: string): { readonly host: string; readonly portText: string | undefined } {
  const colon = text.lastIndexOf(":");
  // In `[::1]` and in `::1` the last colon does not begin a port.
  if (colon === -1 || text.endsWith("]") || (!text.startsWith("[") && text.indexOf(":") !== colon)) {
    return { host: text, portText: undefined };
  }
  return { host: text.slice(0, colon), portText: text.slice(colon + 1) };
}

/** In authorities and permissions an IPv6 address has brackets, or its end could be a port. */
function ipOfHost(host: string): IpAddress | undefined {
  return host.includes(":") && !host.startsWith("[") ? undefined : ipFromText(host);
}

function portFromText(text: string): number | "invalid" {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : "invalid";
}

function domainProblem(name: string): string | undefined {
  if (name.length > DOMAIN_MAX_CHARACTERS) return `the domain is longer than ${DOMAIN_MAX_CHARACTERS} characters`;
  const labels = name.split(".");
  const wrong = labels.find((label) => !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label));
  if (wrong !== undefined) {
    return `"${wrong}" is not a label of a domain: 1 to 63 letters, digits and hyphens (international names in their xn-- form)`;
  }
  // Resolvers read 127.1, 0x7f.1 and 2130706433 as addresses.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "")) {
    return `"${name}" is neither a domain nor an address: an IPv4 address has four numbers without leading zeros`;
  }
  return undefined;
}

function invalid(problem: string): HttpDomainParsed {
  return { kind: "invalid", problem };
}
