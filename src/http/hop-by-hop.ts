/** Headers that concern one connection only (RFC 9110, section 7.6.1), or frame messages in HTTP/1.1. Pure. */

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Names, in lower case, of headers that must not be passed on; `connection` is the value of the header of that name. */
export function hopByHopHeaders(connection: string): ReadonlySet<string> {
  const named = connection.toLowerCase();
  // What almost every message says names no header besides.
  if (named === "" || named === "keep-alive" || named === "close") return HOP_BY_HOP;
  const others = named.split(",").map((name) => name.trim());
  return new Set([...HOP_BY_HOP, ...others.filter((name) => /^[\w-]+$/.test(name))]);
}
