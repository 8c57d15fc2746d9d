/** Which instance a request at the ingress is for. Pure. */
import { hopByHopHeaders } from "../http/hop-by-hop.ts";
import { INSTANCE_HEADER, isInstanceName, namedPathFrom, nameFromHost } from "../http/instance-address.ts";

/** What a request's line and headers say of its destination. */
export type IngressTarget =
  | {
      readonly kind: "named";
      readonly name: string;
      /** What the guest sees as path and query; begins with `/`. */
      readonly pathWithQuery: string;
      /** `/-/NAME` if the name came in the path; the guest is told in `x-forwarded-prefix`. */
      readonly prefix: string | undefined;
    }
  | { readonly kind: "none" };

/**
 * Routes by path (`/-/NAME/rest`, where the guest sees `/rest`) or else by host (`NAME.localhost`, any port). The path
 * wins, because gateways that pass a request on leave the host as it was.
 */
export function routeFromRequest(request: { readonly host: string; readonly url: string }): IngressTarget {
  const byPath = namedPathFrom(request.url);
  if (byPath !== undefined) {
    const { name, rest } = byPath;
    if (!isInstanceName(name)) return { kind: "none" };
    return { kind: "named", name, pathWithQuery: rest, prefix: `/-/${name}` };
  }
  const name = nameFromHost(request.host);
  if (name === undefined || !isInstanceName(name)) return { kind: "none" };
  return { kind: "named", name, pathWithQuery: originForm(request.url), prefix: undefined };
}

/**
 * How the client itself saw the instance. A gateway passes requests on by path, whichever way they came to it, and says
 * the client's host in `x-forwarded-host`.
 */
export function clientView(request: {
  readonly host: string;
  readonly prefix: string | undefined;
  /** `x-forwarded-host`, if a gateway passed the request on. */
  readonly gatewayHost: string | undefined;
}): { readonly authority: string; readonly prefix: string | undefined } {
  const { host, prefix, gatewayHost } = request;
  if (gatewayHost === undefined) return { authority: host, prefix };
  return { authority: gatewayHost, prefix: nameFromHost(gatewayHost) === undefined ? prefix : undefined };
}

/** Headers of a request that go on to the guest: all but those that concern one connection only, and our own. `added` come last, in lower case. */
export function forwardedHeaders(
  rawHeaders: readonly string[],
  added: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const dropped = hopByHopHeaders(connectionOfRaw(rawHeaders));
  const headers: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    if (dropped.has(name) || OUR_HEADERS.has(name) || isAmong(added, name)) continue;
    headers.push([name, rawHeaders[index + 1] ?? ""]);
  }
  headers.push(...added);
  return headers;
}

function isAmong(headers: readonly (readonly [string, string])[], name: string): boolean {
  for (const [other] of headers) if (other === name) return true;
  return false;
}

/** The `connection` headers of a request, as Node gives them: names and values in turns. */
function connectionOfRaw(rawHeaders: readonly string[]): string {
  let values = "";
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === CONNECTION.length && name.toLowerCase() === CONNECTION)
      values += values === "" ? (rawHeaders[index + 1] ?? "") : `,${rawHeaders[index + 1] ?? ""}`;
  }
  return values;
}

/** Only the ingress knows how the client saw the instance, and which one it asked for is no matter of the guest's. */
const OUR_HEADERS: ReadonlySet<string> = new Set([INSTANCE_HEADER, "x-forwarded-prefix"]);

/** Headers of a guest's response that go on to the client. */
export function responseHeaders(
  headers: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const dropped = hopByHopHeaders(connectionOf(headers));
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}

/** Trailers that go on, in either direction: none that say where a message ends or goes (RFC 9110, section 6.5.1). */
export function trailerFields(trailers: readonly (readonly [string, string])[]): [name: string, value: string][] {
  const dropped = hopByHopHeaders("");
  return trailers.flatMap(([name, value]) => {
    const lowered = name.toLowerCase();
    return dropped.has(lowered) || NEVER_TRAILERS.has(lowered) ? [] : [[name, value]];
  });
}

const NEVER_TRAILERS: ReadonlySet<string> = new Set(["content-length", "host", "set-cookie", "authorization"]);

function connectionOf(headers: readonly (readonly [string, string])[]): string {
  let values = "";
  for (const [name, value] of headers) {
    if (name.length === CONNECTION.length && name.toLowerCase() === CONNECTION)
      values += values === "" ? value : `,${value}`;
  }
  return values;
}

const CONNECTION = "connection";

/** The path of a request line; a proxy's absolute form is cut down to it. */
function originForm(url: string): string {
  if (url.startsWith("/")) return url;
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(url)?.[1] ?? "";
  return path.startsWith("/") ? path : `/${path}`;
}
