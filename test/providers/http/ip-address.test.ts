import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { specialAddress } from "../../../src/providers/http/address-kind.ts";
import { embeddedV4, ipFromText, isSameIp, textFromIp } from "../../../src/providers/http/ip-address.ts";

describe("an IP address", () => {
  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["::", "::"],
    ["[::1]", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:2:3:4:5:6:0:8", "1:2:3:4:5:6:0:8"],
    ["fe80::", "fe80::"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:a00:1", "10.0.0.1"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
  ])("spelled %s is %s", (text, one) => {
    const ip = ipFromText(text);
    expect(ip && textFromIp(ip)).toBe(one);
  });

  it.each([
    "",
    "10.0.0",
    "010.0.0.1",
    "10.0.0.256",
    "[10.0.0.1]",
    "fe80::1%eth0",
    "1::2::3",
    "localhost",
    "[::1",
    " ::1",
  ])("is not %j", (text) => expect(ipFromText(text)).toBeUndefined());

  it("comes back from any spelling that Node's own parser takes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const ip = ipFromText(text);
        expect(ip !== undefined).toBe(isIP(text) !== 0);
        if (ip === undefined) return;
        const again = ipFromText(textFromIp(ip));
        expect(again !== undefined && isSameIp(ip, again)).toBe(true);
        // The URL parser has a normal form of its own for IPv6; only mapped addresses differ from it.
        if (ip.version === 6) expect(new URL(`http://[${text}]`).hostname).toBe(`[${textFromIp(ip)}]`);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ["2002:a00:1::5", "10.0.0.1"],
    ["64:ff9b::a00:1", "10.0.0.1"],
    ["2001:0:4136:e378:8000:63bf:f5ff:fffe", "10.0.0.1"],
  ])("%s carries %s", (text, inner) => {
    const ip = ipFromText(text);
    const found = ip && embeddedV4(ip);
    expect(found && textFromIp(found)).toBe(inner);
  });
});

describe("an address that is not on the open internet", () => {
  it.each([
    ["0.0.0.0", "unspecified"],
    ["0.1.2.3", "reserved"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.255", "loopback"],
    ["10.255.0.1", "private"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "shared (CGNAT)"],
    ["100.127.255.255", "shared (CGNAT)"],
    ["169.254.1.1", "link-local"],
    ["169.254.169.254", "metadata"],
    ["168.63.129.16", "metadata"],
    ["224.0.0.1", "multicast"],
    ["255.255.255.255", "reserved"],
    ["198.18.0.1", "reserved"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::127.0.0.1", "reserved"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:169.254.169.254", "metadata"],
    ["fe80::1", "link-local"],
    ["febf::1", "link-local"],
    ["fec0::1", "private"],
    ["fc00::1", "private"],
    ["fdff::1", "private"],
    ["fd00:ec2::254", "metadata"],
    ["ff02::1", "multicast"],
    ["2002:7f00:1::", "loopback"],
    ["2002:a9fe:a9fe::1", "metadata"],
    ["64:ff9b::127.0.0.1", "loopback"],
    ["64:ff9b::10.0.0.1", "private"],
    ["64:ff9b:1::1.1.1.1", "reserved"],
    ["2001::1", "reserved"],
    ["2001:db8::1", "reserved"],
    ["100::1", "reserved"],
    ["4000::1", "reserved"],
  ])("%s: %s", (text, kind) => {
    const ip = ipFromText(text);
    expect(ip && specialAddress(ip)).toBe(kind);
  });

  it.each([
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "100.63.255.255",
    "100.128.0.0",
    "169.253.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00::1",
    "2001:4860:4860::8888",
    "64:ff9b::1.1.1.1",
    "2002:101:101::1",
    "::ffff:1.1.1.1",
  ])("is not %s", (text) => {
    const ip = ipFromText(text);
    expect(ip).toBeDefined();
    expect(ip && specialAddress(ip)).toBeUndefined();
  });

  it("is the same one under all names of an IPv4 address", () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const ip = ipFromText(text);
        if (ip === undefined) throw new Error(text);
        const kind = specialAddress(ip);
        const hex = ip.value.toString(16).padStart(8, "0");
        const groups = `${hex.slice(0, 4)}:${hex.slice(4)}`;
        for (const form of [`::ffff:${text}`, `64:ff9b::${text}`, `2002:${groups}::1`, `2002:${groups}:ffff::`]) {
          const other = ipFromText(form);
          expect(other && specialAddress(other), form).toBe(kind);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
