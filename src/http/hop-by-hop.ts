/** Headers that concern one connection only (RFC 9110, section 7.6.1), or frame messages in HTTP/1.1. Pure. */

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

/** Names, in lower case, of headers that must not be passed on; `connection` is the value of the header of that name. */
export function hopByHopHeaders(connection: string): readonly string[] {
  const named = connection.split(",").map((name) => name.trim().toLowerCase());
  return [...HOP_BY_HOP, ...named.filter((name) => /^[\w-]+$/.test(name))];
}
