/** Which addresses are not on the open internet. Pure. */
import { embeddedV4, ipFromText, type IpAddress } from "./ip-address.ts";

/** Why an address is not on the open internet. */
export type SpecialAddress =
  | "unspecified"
  | "loopback"
  | "link-local"
  | "private"
  | "shared (CGNAT)"
  | "metadata"
  | "multicast"
  | "reserved";

/**
 * What keeps `ip` off the open internet, or `undefined` if it is a public address. An IPv6 address that carries an IPv4
 * address to a gateway (6to4, NAT64, Teredo) is what the inner one is.
 */
export function specialAddress(ip: IpAddress): SpecialAddress | undefined {
  const found = RANGES.find((range) => range.version === ip.version && ip.value >> range.shift === range.prefix);
  if (found !== undefined) return found.kind;
  const inner = embeddedV4(ip);
  if (inner !== undefined) return specialAddress(inner);
  // Nothing outside 2000::/3 has been given out as a public address, so what is unknown there is not one.
  return ip.version === 6 && ip.value >> 125n !== 1n ? "reserved" : undefined;
}

/** From the IANA special-purpose registries; more special ones first where two overlap. */
const RANGES = [
  range("0.0.0.0/32", "unspecified"),
  range("0.0.0.0/8", "reserved"),
  range("10.0.0.0/8", "private"),
  range("100.64.0.0/10", "shared (CGNAT)"),
  range("127.0.0.0/8", "loopback"),
  // EC2, GCE, Azure and most others.
  range("169.254.169.254/32", "metadata"),
  range("169.254.0.0/16", "link-local"),
  range("172.16.0.0/12", "private"),
  // Azure's agent endpoint lies in a public range.
  range("168.63.129.16/32", "metadata"),
  range("192.0.0.0/24", "reserved"),
  range("192.0.2.0/24", "reserved"),
  range("192.88.99.0/24", "reserved"),
  range("192.168.0.0/16", "private"),
  range("198.18.0.0/15", "reserved"),
  range("198.51.100.0/24", "reserved"),
  range("203.0.113.0/24", "reserved"),
  range("224.0.0.0/4", "multicast"),
  range("240.0.0.0/4", "reserved"),
  range("::/128", "unspecified"),
  range("::1/128", "loopback"),
  range("fd00:ec2::254/128", "metadata"),
  range("fc00::/7", "private"),
  range("fe80::/10", "link-local"),
  range("fec0::/10", "private"),
  range("ff00::/8", "multicast"),
  // Protocol assignments; Teredo, below it, is never reached as public either.
  range("2001::/23", "reserved"),
  range("2001:db8::/32", "reserved"),
  range("3fff::/20", "reserved"),
] as const;

function range(
  text: string,
  kind: SpecialAddress,
): { readonly version: 4 | 6; readonly prefix: bigint; readonly shift: bigint; readonly kind: SpecialAddress } {
  const [address = "", bits = ""] = text.split("/");
  const ip = ipFromText(address);
  if (ip === undefined) throw new Error(`not an address: ${address}`);
  const shift = BigInt((ip.version === 4 ? 32 : 128) - Number(bits));
  return { version: ip.version, prefix: ip.value >> shift, shift, kind };
}
