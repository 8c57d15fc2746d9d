/** What of a request's head goes on the wire. Pure. */
import { Reason } from "../../fault.ts";
import type { HttpHeaders, HttpRequest } from "./http.ts";
import { bracketed, httpTargetFromAuthority, type HttpTarget } from "./http-domain.ts";
import { faultFromHttpFailure } from "./http-failure.ts";
import type { HttpLimits } from "./http-limits.ts";

/** A head that has been checked. */
export type OutgoingHead = {
  readonly target: HttpTarget;
  /** The scheme, host and port as a URL has them; the `host` header follows from it. */
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers: HttpHeaders;
};

/**
 * Checks a request's head and takes out what concerns only the connection. Throws `ARGUMENT_INVALID` or `PROVIDER_LIMIT`.
 * What would let a guest write something else onto the connection than the one request that it was permitted is refused.
 */
export function outgoingHeadFrom(request: HttpRequest, limits: HttpLimits): OutgoingHead {
  const { scheme, authority, method, pathWithQuery } = request;
  const target = httpTargetFromAuthority(scheme, authority);
  if (target === undefined)
    throw refuse(authority, "HTTP-request-URI-invalid", "that is not a host, with a port or without");
  if (method === "CONNECT") throw refuse(authority, "HTTP-request-method-invalid", "CONNECT would open a tunnel");
  if (!TOKEN.test(method)) throw refuse(authority, "HTTP-request-method-invalid", "its method is not a word");
  const path = pathWithQuery === "" || pathWithQuery.startsWith("?") ? `/${pathWithQuery}` : pathWithQuery;
  if (!path.startsWith("/")) throw refuse(authority, "HTTP-request-URI-invalid", "its path does not begin with /");
  if (!/^[\x21-\xff]+$/.test(path)) {
    throw refuse(authority, "HTTP-request-URI-invalid", "its path has a space or a character in it that is not a byte");
  }
  assertWithin(authority, "HTTP-request-URI-too-long", "path", path.length, limits.pathMaxBytes);
  const headers = withoutConnectionHeaders(request.headers);
  for (const [name, value] of headers) {
    if (!TOKEN.test(name))
      throw refuse(authority, "HTTP-protocol-error", `"${name.slice(0, 64)}" is not the name of a header`);
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw refuse(authority, "HTTP-protocol-error", `the value of header "${name}" has a forbidden character in it`);
    }
  }
  const lengths = new Set(valuesOf(headers, "content-length"));
  if (lengths.size > 1 || [...lengths].some((length) => !/^[0-9]{1,15}$/.test(length))) {
    throw refuse(authority, "HTTP-protocol-error", "its content-length is not one number");
  }
  if (request.body === undefined && [...lengths].some((length) => Number(length) !== 0)) {
    throw refuse(authority, "HTTP-request-body-size", "it has a content-length and no body");
  }
  const bytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  assertWithin(authority, "HTTP-request-header-section-size", "its headers", bytes, limits.requestHeaderMaxBytes);
  return {
    target,
    origin: `${scheme}://${bracketed(target.host)}:${target.port}`,
    method,
    path,
    headers: withOneContentLength(headers),
  };
}

/** Headers without those that concern only one connection: the well-known ones, and those that `connection` names. */
export function withoutConnectionHeaders(headers: HttpHeaders): HttpHeaders {
  const named = valuesOf(headers, "connection").flatMap((value) =>
    value.split(",").map((name) => name.trim().toLowerCase()),
  );
  const dropped = new Set([...CONNECTION_HEADERS, ...named]);
  // A `connection: content-length` must not change where a body ends.
  dropped.delete("content-length");
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const CONNECTION_HEADERS = [
  "connection",
  // The authority says it; anything else could reach another site on the same server.
  "host",
  // The body is sent when there is room for it, whatever a server says first.
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
] as const;

function valuesOf(headers: HttpHeaders, wanted: string): readonly string[] {
  return headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

function withOneContentLength(headers: HttpHeaders): HttpHeaders {
  const first = headers.findIndex(([name]) => name.toLowerCase() === "content-length");
  return headers.filter(([name], index) => index === first || name.toLowerCase() !== "content-length");
}

function assertWithin(authority: string, code: string, what: string, got: number, limit: number): void {
  if (got <= limit) return;
  const problem = `${what} exceeds ${limit} bytes (got ${got})`;
  throw faultFromHttpFailure(authority, { reason: Reason.PROVIDER_LIMIT, code, problem });
}

function refuse(authority: string, code: string, problem: string): Error {
  return faultFromHttpFailure(authority, { reason: Reason.ARGUMENT_INVALID, code, problem });
}
