/** Which instance a request at the ingress is for. Pure. */

/** By which a gateway says the one instance that it chose. */
export const INSTANCE_HEADER = "x-wasmatrix-instance";

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
  const byPath = /^\/-\/([^/?#]+)(.*)$/s.exec(request.url);
  if (byPath !== null) {
    const [, name = "", rest = ""] = byPath;
    if (!isName(name)) return { kind: "none" };
    return { kind: "named", name, pathWithQuery: rest.startsWith("/") ? rest : `/${rest}`, prefix: `/-/${name}` };
  }
  const name = nameFromHost(request.host);
  if (name === undefined) return { kind: "none" };
  return { kind: "named", name, pathWithQuery: originForm(request.url), prefix: undefined };
}

/** The name in a host such as `hello.localhost:7480`, if it is of that form. */
export function nameFromHost(host: string): string | undefined {
  const name = /^([^.:]+)\.localhost\.?(?::\d+)?$/i.exec(host)?.[1]?.toLowerCase();
  return name !== undefined && isName(name) ? name : undefined;
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

/** Headers of a request that go on to the guest: all but those that concern one connection only, and our own. */
export function forwardedHeaders(
  rawHeaders: readonly string[],
  added: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    headers.push([(rawHeaders[index] ?? "").toLowerCase(), rawHeaders[index + 1] ?? ""]);
  }
  const dropped = new Set([
    ...HOP_BY_HOP,
    ...namedByConnection(headers),
    ...added.map(([name]) => name),
    INSTANCE_HEADER,
    // Only the ingress knows how the client saw the instance.
    "x-forwarded-prefix",
  ]);
  return [...headers.filter(([name]) => !dropped.has(name)), ...added];
}

/** Headers of a guest's response that go on to the client. */
export function responseHeaders(
  headers: readonly (readonly [string, string])[],
): readonly (readonly [string, string])[] {
  const dropped = new Set([...HOP_BY_HOP, ...namedByConnection(headers)]);
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}

/** RFC 9110, section 7.6.1, and what HTTP/1.1 frames messages with. */
const HOP_BY_HOP: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

function namedByConnection(headers: readonly (readonly [string, string])[]): readonly string[] {
  return headers
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(","))
    .map((name) => name.trim().toLowerCase());
}

function isName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

/** The path of a request line; a proxy's absolute form is cut down to it. */
function originForm(url: string): string {
  if (url.startsWith("/")) return url;
  const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(url)?.[1] ?? "";
  return path.startsWith("/") ? path : `/${path}`;
}
