import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../src/fault.ts";
import {
  assertPermissionsFit,
  canonicalPermission,
  capabilityTypeOf,
  parsePermission,
  permissionIfValid,
  type CapabilityType,
  type Permission,
} from "../../src/providers/permissions.ts";

const domain = (match: "name" | "below" | "address", host: string, port?: number): Permission => ({
  kind: "http-domain",
  domain: { match, host, port },
});

const messageOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (isFault(error, Reason.PERMISSION_INVALID)) return error.message;
    throw error;
  }
  throw new Error("was accepted");
};

describe("parsing a permission", () => {
  it.each<[string, Permission]>([
    ["kv:read", { kind: "kv", permission: "kv:read" }],
    ["kv:write", { kind: "kv", permission: "kv:write" }],
    ["kv:delete", { kind: "kv", permission: "kv:delete" }],
    ["http:request", { kind: "http-request" }],
    ["http:domain:API.example.com", domain("name", "api.example.com")],
    ["http:domain:API.example.com:8443", domain("name", "api.example.com", 8443)],
    ["http:domain:*.example.com", domain("below", "example.com")],
    ["http:domain:*.example.com:80", domain("below", "example.com", 80)],
    ["http:domain:localhost", domain("name", "localhost")],
    ["http:domain:127.0.0.1", domain("address", "127.0.0.1")],
    ["http:domain:127.0.0.1:65535", domain("address", "127.0.0.1", 65_535)],
    ["http:domain:[::1]", domain("address", "::1")],
    ["http:domain:[2001:DB8:0::1]:8080", domain("address", "2001:db8::1", 8080)],
    ["http:domain:[::ffff:127.0.0.1]", domain("address", "127.0.0.1")],
    ["fs:read:/srv/data", { kind: "folder", access: "read", hostPath: "/srv/data", guestPath: undefined }],
    [
      "fs:write:/srv/my data/::/data/",
      { kind: "folder", access: "write", hostPath: "/srv/my data", guestPath: "/data" },
    ],
    ["fs:read:/::/", { kind: "folder", access: "read", hostPath: "/", guestPath: "/" }],
    ["fs:read:/a:b", { kind: "folder", access: "read", hostPath: "/a:b", guestPath: undefined }],
    ["env:HOME", { kind: "env", name: "HOME" }],
    ["env:*", { kind: "env", name: "*" }],
    ["msg:publish:orders.*.created", { kind: "publish", topic: "orders.*.created" }],
    ["msg:subscribe:orders.>", { kind: "subscribe", topic: "orders.>" }],
    ["msg:subscribe:>", { kind: "subscribe", topic: ">" }],
    ["msg:publish:Bestellungen.größer", { kind: "publish", topic: "Bestellungen.größer" }],
  ])("understands %s", (text, permission) => {
    expect(parsePermission(text)).toEqual(permission);
  });

  it.each<[string, string]>([
    [
      "",
      "there is no such permission; there are kv:read, kv:write, kv:delete, http:request, http:domain:DOMAIN, msg:publish:TOPIC, msg:subscribe:TOPIC, fs:read:FOLDER, fs:write:FOLDER, env:NAME, env:*",
    ],
    ["kv:admin", "there is no such permission"],
    ["KV:READ", "there is no such permission"],
    [" kv:read", "there is no such permission"],
    ["kv:read ", "there is no such permission"],
    ["kv:read,kv:write", "there is no such permission"],
    ["constructor", "there is no such permission"],
    ["http:domain:", "a domain is missing after the colon"],
    ["http:domain:*.", "a domain is missing after the colon"],
    ["http:domain:*", "* may only stand at the beginning"],
    ["http:domain:a.*.com", "* may only stand at the beginning"],
    ["http:domain:*a.com", "* may only stand at the beginning"],
    ["http:domain:https://example.com", "without scheme or path"],
    ["http:domain:example.com/x", "without scheme or path"],
    ["http:domain:user@example.com", "without scheme or path"],
    ["http:domain:example.com:", '"" is not a port'],
    ["http:domain:example.com:0", '"0" is not a port'],
    ["http:domain:example.com:65536", '"65536" is not a port'],
    ["http:domain:example.com:https", '"https" is not a port'],
    ["http:domain:::1", "an IPv6 address stands in brackets"],
    ["http:domain:[::1", "an IPv6 address stands in brackets"],
    ["http:domain:[1.2.3.4]", "an IPv6 address stands in brackets"],
    ["http:domain:[fe80::1%eth0]", "an IPv6 address stands in brackets"],
    ["http:domain:*.127.0.0.1", "neither a domain nor an address"],
    ["http:domain:010.0.0.1", "neither a domain nor an address"],
    ["http:domain:127.1", "neither a domain nor an address"],
    ["http:domain:0x7f000001", "neither a domain nor an address"],
    ["http:domain:2130706433", "neither a domain nor an address"],
    ["fs:read:", "a folder is missing after the colon"],
    ["fs:read:data", "the folder is not absolute"],
    ["fs:read:/a/../b", "the folder has . or .. in it"],
    ["fs:read:/a/./b", "the folder has . or .. in it"],
    ["fs:read:/a//b", "the folder has // in it"],
    ["fs:read:/a\u0000", "the folder has a control character in it"],
    ["fs:write:/a::", "the path that the guest sees is not absolute"],
    ["fs:write:/a::b", "the path that the guest sees is not absolute"],
    ["fs:write:/a::/b/..", "the path that the guest sees has . or .."],
    ["fs:write:/a::/b::/c", "more than once"],
    ["fs:execute:/a", "there is no such permission"],
    ["env:", "a variable is missing after the colon"],
    ["env:A=B", "no =, *, white space"],
    ["env:A*", "no =, *, white space"],
    [`env:${"A".repeat(256)}`, "longer than 255 characters"],
    ["http:domain:example..com", '"" is not a label of a domain'],
    ["http:domain:example.com.", '"" is not a label of a domain'],
    ["http:domain:-a.com", '"-a" is not a label of a domain'],
    ["http:domain:müller.de", "in their xn-- form"],
    [`http:domain:${"a".repeat(64)}.com`, "1 to 63 letters"],
    [`http:domain:${"a.".repeat(130)}com`, "longer than 253 characters"],
    ["msg:publish:", "a topic is missing after the colon, as in msg:publish:orders.*"],
    ["msg:publish:a..b", "has an empty token"],
    ["msg:publish:.a", "has an empty token"],
    ["msg:publish:a.>.b", "> may only be the last token"],
    ["msg:publish:a.b*", "must be whole tokens"],
    ["msg:publish:a.**", "must be whole tokens"],
    ["msg:subscribe:a b", "white space"],
    ["msg:subscribe:a\u0000", "control character"],
    [`msg:subscribe:${"a".repeat(256)}`, "longer than 255 characters"],
    ["x".repeat(1025), "longer than 1024 characters"],
  ])("refuses %j with a sentence", (text, part) => {
    const message = messageOf(() => parsePermission(text));
    expect(message).toContain(part);
    expect(message).toMatch(/^Cannot accept permission ".*": /su);
    expect(message.length).toBeLessThan(700);
  });

  it("takes any text without failing in any other way", () => {
    const prefix = fc.constantFrom(
      "",
      "kv:",
      "http:domain:",
      "http:domain:*.",
      "http:domain:[",
      "msg:publish:",
      "fs:read:/",
      "env:",
    );
    fc.assert(
      fc.property(
        prefix,
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.string({ unit: fc.constantFrom("a", ".", "*", ">", "-", ":", "/", "1", "]") }),
        ),
        (start, rest) => {
          let permission: Permission;
          try {
            permission = parsePermission(start + rest);
          } catch (error) {
            expect(isFault(error, Reason.PERMISSION_INVALID)).toBe(true);
            return;
          }
          if (permission.kind === "http-domain" && permission.domain.match !== "address")
            expect(permission.domain.host).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/);
          if (permission.kind === "publish" || permission.kind === "subscribe")
            expect(permission.topic).not.toMatch(/\s|^\.|\.\.|\.$/);
          if (permission.kind === "folder") expect(`${permission.hostPath}/`).not.toMatch(/\/\.{1,2}\/|.\/\/$/);
          // One spelling, which means the same.
          const canonical = canonicalPermission(start + rest);
          expect(canonicalPermission(canonical)).toBe(canonical);
          expect(capabilityTypeOf(canonical)).toBe(capabilityTypeOf(start + rest));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("permissions of a capability type", () => {
  it.each<[CapabilityType, readonly string[]]>([
    ["kv", ["kv:read", "kv:delete"]],
    ["http", ["http:request", "http:domain:a.com"]],
    ["messaging", ["msg:publish:a", "msg:subscribe:b.>"]],
    ["files", ["fs:read:/a", "fs:write:/a::/b"]],
    ["environment", ["env:A", "env:*"]],
  ])("fit %s", (type, permissions) => {
    assertPermissionsFit(type, permissions);
  });

  it("do not fit another type, and the message says which would", () => {
    expect(messageOf(() => assertPermissionsFit("messaging", ["msg:publish:a", "kv:read"]))).toBe(
      'Cannot accept permission "kv:read": it belongs to the capability type kv, not to messaging; for messaging there are msg:publish:TOPIC, msg:subscribe:TOPIC',
    );
  });

  it("must be at least one", () => {
    expect(messageOf(() => assertPermissionsFit("kv", []))).toBe(
      "Cannot grant kv: no permission is named; there are kv:read, kv:write, kv:delete",
    );
  });

  it("may be denials alone, which are checked as well", () => {
    assertPermissionsFit("kv", [], ["kv:write"]);
    expect(messageOf(() => assertPermissionsFit("kv", ["kv:read"], ["http:request"]))).toContain("not to kv");
    expect(messageOf(() => assertPermissionsFit("kv", ["kv:read"], ["kv:x"]))).toContain("no such permission");
  });

  it("name a denied folder by its path on the node alone", () => {
    assertPermissionsFit("files", ["fs:read:/a::/b"], ["fs:read:/a/c"]);
    expect(messageOf(() => assertPermissionsFit("files", ["fs:read:/a"], ["fs:read:/a/c::/d"]))).toContain(
      "without ::",
    );
  });
});

describe("the one spelling of a permission", () => {
  it.each([
    ["kv:read", "kv:read"],
    ["http:request", "http:request"],
    ["http:domain:*.Example.COM:443", "http:domain:*.example.com:443"],
    ["http:domain:[0:0::1]:80", "http:domain:[::1]:80"],
    ["msg:publish:Orders.>", "msg:publish:Orders.>"],
    ["msg:subscribe:a", "msg:subscribe:a"],
    ["fs:read:/a/", "fs:read:/a"],
    ["fs:write:/a::/a/", "fs:write:/a"],
    ["fs:write:/a/::/b/", "fs:write:/a::/b"],
    ["env:*", "env:*"],
  ])("of %s is %s", (text, canonical) => {
    expect(canonicalPermission(text)).toBe(canonical);
  });

  it("does not exist for text that is none", () => {
    expect(messageOf(() => canonicalPermission("kv:x"))).toContain("no such permission");
    expect(permissionIfValid("kv:x")).toBeUndefined();
    expect(permissionIfValid("kv:read")).toEqual({ kind: "kv", permission: "kv:read" });
  });
});
