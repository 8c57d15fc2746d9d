import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkHttpAddress, checkHttpTarget, httpRulesFromGrants } from "../../../src/providers/http/check-http.ts";
import type { HttpRules } from "../../../src/providers/http/http.ts";
import { httpTargetFromAuthority, type HttpTarget } from "../../../src/providers/http/http-domain.ts";
import type { Grant } from "../../../src/providers/permissions.ts";

const rules = (permissions: readonly string[], deniedPermissions: readonly string[] = []): HttpRules => ({
  permissions,
  deniedPermissions,
});
const to = (host: string, port = 443, scheme: "http" | "https" = "https"): HttpTarget => ({ scheme, host, port });

const LABELS = ["a", "b", "example", "com"];
const anyName = fc.array(fc.constantFrom(...LABELS), { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
const ADDRESSES = ["127.0.0.1", "10.0.0.5", "1.1.1.1", "::1", "2606:4700::1111", "64:ff9b::a00:5", "169.254.169.254"];
const anyAddress = fc.constantFrom(...ADDRESSES);
const anyPort = fc.constantFrom(80, 443, 8080);
const anyTarget: fc.Arbitrary<HttpTarget> = fc.record({
  scheme: fc.constantFrom("http", "https"),
  host: fc.oneof(anyName, anyAddress, fc.constant("localhost")),
  port: anyPort,
});
const portSuffix = fc.oneof(
  fc.constant(""),
  anyPort.map((port) => `:${port}`),
);
const anyPermission = fc.oneof(
  fc.constant("http:request"),
  fc
    .tuple(
      fc.oneof(
        anyName,
        anyName.map((name) => `*.${name}`),
        anyAddress.map((one) => (one.includes(":") ? `[${one}]` : one)),
        fc.constant("localhost"),
      ),
      portSuffix,
    )
    .map(([host, port]) => `http:domain:${host}${port}`),
);
const anyRules: fc.Arbitrary<HttpRules> = fc.record({
  permissions: fc.array(anyPermission, { maxLength: 4 }),
  deniedPermissions: fc.array(anyPermission, { maxLength: 2 }),
});
const anyCase = fc.record({ rules: anyRules, target: anyTarget, address: anyAddress, more: anyPermission });

const isAllowed = (given: HttpRules, target: HttpTarget, address: string): boolean =>
  checkHttpTarget(given, target).kind === "allowed" && checkHttpAddress(given, target, address).kind === "allowed";

describe("checking where a request goes", () => {
  it("says which permission let it pass", () => {
    expect(checkHttpTarget(rules(["http:domain:b.com", "http:domain:*.example.com"]), to("api.example.com"))).toEqual({
      kind: "allowed",
      permission: "http:domain:*.example.com",
    });
    expect(checkHttpTarget(rules(["http:request"]), to("api.example.com"))).toEqual({
      kind: "allowed",
      permission: "http:request",
    });
  });

  it.each<[string, HttpTarget]>([
    ["http:domain:api.example.com", to("api.example.com")],
    ["http:domain:api.example.com", to("api.example.com", 80, "http")],
    ["http:domain:api.example.com:8443", to("api.example.com", 8443)],
    ["http:domain:api.example.com:443", to("api.example.com", 443, "http")],
    ["http:domain:[::1]:8080", to("::1", 8080, "http")],
  ])("says that without grants %s would be needed, or more", (permission, target) => {
    const verdict = checkHttpTarget(rules([]), target);
    expect(verdict).toMatchObject({ kind: "denied", deniedBy: undefined });
    if (verdict.kind === "denied") {
      expect(permission.startsWith(verdict.needed)).toBe(true);
      expect(checkHttpTarget(rules([verdict.needed]), target).kind).toBe("allowed");
      expect(checkHttpTarget(rules([permission]), target).kind).toBe("allowed");
    }
  });

  it.each<[string, HttpTarget, boolean]>([
    ["http:domain:*.example.com", to("example.com"), false],
    ["http:domain:*.example.com", to("a.b.example.com"), true],
    ["http:domain:*.example.com", to("badexample.com"), false],
    ["http:domain:example.com", to("a.example.com"), false],
    ["http:domain:example.com:443", to("example.com", 443), true],
    ["http:domain:example.com:443", to("example.com", 80, "http"), false],
    ["http:domain:EXAMPLE.com", to("example.com"), true],
    ["http:domain:10.0.0.5", to("10.0.0.5"), true],
    ["http:domain:[::ffff:10.0.0.5]", to("10.0.0.5"), true],
    ["kv:read", to("example.com"), false],
    ["http:domain:not valid", to("example.com"), false],
  ])("%s for %j: %s", (permission, target, isPermitted) => {
    expect(checkHttpTarget(rules([permission]), target).kind).toBe(isPermitted ? "allowed" : "denied");
    // As a denial the same string takes away the same targets (what is no permission of this type denies nothing or all).
    if (permission.startsWith("http:") && !permission.includes(" ")) {
      expect(checkHttpTarget(rules(["http:request"], [permission]), target).kind).toBe(
        isPermitted ? "denied" : "allowed",
      );
    }
  });

  it("denies all by a denial that it does not understand", () => {
    expect(checkHttpTarget(rules(["http:request"], ["http:domain:no good"]), to("a.com"))).toMatchObject({
      kind: "denied",
      deniedBy: "http:domain:no good",
    });
    expect(checkHttpAddress(rules(["http:request"], ["http:?"]), to("a.com"), "1.1.1.1").kind).toBe("denied");
  });

  it("matches wildcards as a slow comparison of labels does", () => {
    fc.assert(
      fc.property(anyName, anyName, (base, host) => {
        const [want, have] = [base.split(".").toReversed(), host.split(".").toReversed()];
        const isBelow = have.length > want.length && want.every((label, index) => label === have[index]);
        expect(checkHttpTarget(rules([`http:domain:*.${base}`]), to(host)).kind).toBe(isBelow ? "allowed" : "denied");
      }),
      { numRuns: 1000 },
    );
  });
});

describe("checking the address behind a name", () => {
  it.each([
    "127.0.0.1",
    "10.0.0.5",
    "169.254.169.254",
    "::1",
    "fd00:ec2::254",
    "64:ff9b::a00:5",
    "0.0.0.0",
    "::ffff:10.0.0.5",
  ])("refuses %s unless it is granted by itself", (address) => {
    const target = to("inside.example.com");
    const open = rules(["http:request", "http:domain:inside.example.com", "http:domain:*.com"]);
    const verdict = checkHttpAddress(open, target, address);
    expect(verdict).toMatchObject({ kind: "denied", deniedBy: undefined });
    if (verdict.kind !== "denied") return;
    expect(verdict.special).toBeDefined();
    expect(checkHttpAddress(rules([...open.permissions, verdict.needed]), target, address)).toEqual({
      kind: "allowed",
    });
    expect(checkHttpAddress(rules([...open.permissions, `${verdict.needed}:80`]), target, address).kind).toBe("denied");
  });

  it("lets public addresses pass, and none that is malformed or has a zone", () => {
    expect(checkHttpAddress(rules([]), to("a.com"), "1.1.1.1")).toEqual({ kind: "allowed" });
    expect(checkHttpAddress(rules(["http:request"]), to("a.com"), "fe80::1%eth0")).toMatchObject({
      special: "malformed",
    });
  });

  it("takes localhost for loopback addresses, and for a target of that name only", () => {
    const local = rules(["http:domain:localhost:8080", "http:domain:evil.com"]);
    expect(checkHttpAddress(local, to("localhost", 8080), "127.0.0.1").kind).toBe("allowed");
    expect(checkHttpAddress(local, to("localhost", 8080), "::1").kind).toBe("allowed");
    expect(checkHttpAddress(local, to("localhost", 8080), "10.0.0.1").kind).toBe("denied");
    expect(checkHttpAddress(local, to("localhost", 8081), "127.0.0.1").kind).toBe("denied");
    expect(checkHttpAddress(local, to("evil.com", 8080), "127.0.0.1").kind).toBe("denied");
  });

  it("denies an address under every name, also in the forms that carry it through a gateway", () => {
    const denied = rules(
      ["http:request", "http:domain:[64:ff9b::a00:5]", "http:domain:127.0.0.1"],
      ["http:domain:10.0.0.5", "http:domain:1.1.1.1:443", "http:domain:localhost"],
    );
    expect(checkHttpAddress(denied, to("a.com"), "10.0.0.5")).toMatchObject({ deniedBy: "http:domain:10.0.0.5" });
    expect(checkHttpAddress(denied, to("a.com"), "64:ff9b::a00:5")).toMatchObject({ deniedBy: "http:domain:10.0.0.5" });
    expect(checkHttpAddress(denied, to("a.com"), "1.1.1.1").kind).toBe("denied");
    expect(checkHttpAddress(denied, to("a.com", 80), "1.1.1.1").kind).toBe("allowed");
    expect(checkHttpAddress(denied, to("127.0.0.1"), "127.0.0.1")).toMatchObject({ deniedBy: "http:domain:localhost" });
  });
});

describe("rules of requests", () => {
  it("never permit more for a denial more", () => {
    fc.assert(
      fc.property(anyCase, ({ rules: given, target, address, more }) => {
        const stricter = rules(given.permissions, [...given.deniedPermissions, more]);
        if (isAllowed(stricter, target, address)) expect(isAllowed(given, target, address)).toBe(true);
        if (checkHttpTarget(rules([more]), target).kind === "allowed") {
          expect(isAllowed(stricter, target, address)).toBe(false);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("never permit less for a grant more", () => {
    fc.assert(
      fc.property(anyCase, ({ rules: given, target, address, more }) => {
        const wider = rules([...given.permissions, more], given.deniedPermissions);
        if (isAllowed(given, target, address)) expect(isAllowed(wider, target, address)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("permit nothing that was not granted", () => {
    fc.assert(
      fc.property(anyCase, ({ rules: given, target, address }) => {
        expect(isAllowed(rules([], given.deniedPermissions), target, address)).toBe(false);
      }),
    );
  });

  it("come from the instance's own grants of that provider, denials from all of the type", () => {
    const grant = (
      providerId: string,
      permissions: readonly string[],
      deniedPermissions: readonly string[],
    ): Grant => ({
      providerId,
      type: "http",
      bucket: "",
      permissions,
      deniedPermissions,
    });
    const kv: Grant = {
      providerId: "http",
      type: "kv",
      bucket: "b",
      permissions: ["kv:read"],
      deniedPermissions: ["kv:read"],
    };
    expect(
      httpRulesFromGrants(
        [kv, grant("http", ["http:request"], []), grant("other", ["http:domain:a.com"], ["http:domain:b.com"])],
        "http",
      ),
    ).toEqual({ permissions: ["http:request"], deniedPermissions: ["http:domain:b.com"] });
  });
});

describe("the authority of a request", () => {
  it.each<[string, HttpTarget | undefined]>([
    ["Example.COM", to("example.com")],
    ["example.com.", to("example.com")],
    ["example.com:8443", to("example.com", 8443)],
    ["example.com:", to("example.com")],
    ["[::1]:80", to("::1", 80)],
    ["[::FFFF:7f00:1]", to("127.0.0.1")],
    ["127.0.0.1", to("127.0.0.1")],
    ["::1", undefined],
    ["user@example.com", undefined],
    ["user:secret@example.com", undefined],
    ["example.com/x", undefined],
    ["example.com:0", undefined],
    ["example.com:99999", undefined],
    ["example.com:80:80", undefined],
    ["2130706433", undefined],
    ["0x7f.1", undefined],
    ["127.1", undefined],
    ["0177.0.0.1", undefined],
    ["a b.com", undefined],
    ["", undefined],
    ["..", undefined],
    ["%6c.com", undefined],
  ])("%j", (authority, target) => {
    expect(httpTargetFromAuthority("https", authority)).toEqual(target);
  });

  it("has the usual port of its scheme", () => {
    expect(httpTargetFromAuthority("http", "a.com")?.port).toBe(80);
  });
});
