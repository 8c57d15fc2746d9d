/** IP addresses as numbers, so that two spellings of one address are one. Pure. */
import { isIPv4, isIPv6 } from "node:net";

/** An address; a v4-mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address that it stands for. */
export type IpAddress = {
  readonly version: 4 | 6;
  /** 32 or 128 bits. */
  readonly value: bigint;
};

/** Understands `10.0.0.1`, `::1` and `[::1]`; `undefined` for anything else, also for one with a zone (`fe80::1%eth0`) or with leading zeros (`010.0.0.1`). */
export function ipFromText(text: string): IpAddress | undefined {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (bare === text && isIPv4(text)) return { version: 4, value: v4Value(text) };
  if (!isIPv6(bare) || bare.includes("%")) return undefined;
  const value = v6Value(bare);
  return value >> 32n === V4_MAPPED ? { version: 4, value: value & 0xffff_ffffn } : { version: 6, value };
}

/** The one spelling of an address: `10.0.0.1`, or as RFC 5952 has it `2001:db8::1`, without brackets. */
export function textFromIp(ip: IpAddress): string {
  if (ip.version === 4) return [24n, 16n, 8n, 0n].map((shift) => (ip.value >> shift) & 0xffn).join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((ip.value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  const run = longestZeroRun(groups);
  if (run.length < 2) return groups.join(":");
  return `${groups.slice(0, run.start).join(":")}::${groups.slice(run.start + run.length).join(":")}`;
}

/** The IPv4 address inside a 6to4 (2002::/16), NAT64 (64:ff9b::/96) or Teredo (2001::/32) address: where a gateway would take the packets. */
export function embeddedV4(ip: IpAddress): IpAddress | undefined {
  if (ip.version === 4) return undefined;
  const { value } = ip;
  if (value >> 32n === NAT64) return { version: 4, value: value & 0xffff_ffffn };
  if (value >> 112n === SIX_TO_FOUR) return { version: 4, value: (value >> 80n) & 0xffff_ffffn };
  // Teredo hides the client's address by inverting it.
  if (value >> 96n === TEREDO) return { version: 4, value: ~value & 0xffff_ffffn };
  return undefined;
}

/** Whether two addresses are the same. */
export function isSameIp(left: IpAddress, right: IpAddress): boolean {
  return left.version === right.version && left.value === right.value;
}

const V4_MAPPED = 0xffffn;
const NAT64 = 0x0064_ff9b_0000_0000_0000_0000n;
const SIX_TO_FOUR = 0x2002n;
const TEREDO = 0x2001_0000n;

function v4Value(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

/** The value of text that `isIPv6` has accepted. */
function v6Value(text: string): bigint {
  // A tail in dotted form stands for two groups.
  const tail = text.slice(text.lastIndexOf(":") + 1);
  const hex = tail.includes(".")
    ? `${text.slice(0, text.length - tail.length)}${(v4Value(tail) >> 16n).toString(16)}:${(v4Value(tail) & 0xffffn).toString(16)}`
    : text;
  const [before = "", after] = hex.split("::");
  const groupsOf = (part: string): readonly string[] => (part === "" ? [] : part.split(":"));
  const left = groupsOf(before);
  const right = after === undefined ? [] : groupsOf(after);
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function longestZeroRun(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== "0") start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}
