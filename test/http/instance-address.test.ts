import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fault, Reason } from "../../src/fault.ts";
import { hopByHopHeaders } from "../../src/http/hop-by-hop.ts";
import { httpStatusFromReason } from "../../src/http/http-status.ts";
import { isInstanceName, namedPathFrom, nameFromHost } from "../../src/http/instance-address.ts";

const names = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);

describe("an instance's name", () => {
  test("is found in every host and path that is made of it", () => {
    fc.assert(
      fc.property(names, fc.nat(65_535), fc.webPath(), fc.webQueryParameters(), (name, port, path, query) => {
        expect(isInstanceName(name)).toBe(true);
        expect(nameFromHost(`${name}.localhost`)).toBe(name);
        expect(nameFromHost(`${name.toUpperCase()}.localhost:${String(port)}`)).toBe(name);
        const rest = path.startsWith("/") ? path : `/${path}`;
        expect(namedPathFrom(`/-/${name}${rest}?${query}`)).toEqual({ name, rest: `${rest}?${query}` });
      }),
      { numRuns: 1_000 },
    );
  });

  test("alone in a path leaves the guest its root, with the query", () => {
    expect(namedPathFrom("/-/a")).toEqual({ name: "a", rest: "/" });
    expect(namedPathFrom("/-/a?x=/-/b")).toEqual({ name: "a", rest: "/?x=/-/b" });
  });

  test.each(["/", "/a", "/-", "/x/-/a", ""])("is not in the path %j", (path) => {
    expect(namedPathFrom(path)).toBeUndefined();
  });

  test.each(["localhost", "a.b.localhost", "a.localhost.example.com", "127.0.0.1", ".localhost"])(
    "is not in the host %s",
    (host) => {
      expect(nameFromHost(host)).toBeUndefined();
    },
  );

  test.each(["", "-a", "a-", "A", "a_b", "a".repeat(64)])("cannot be %j", (name) => {
    expect(isInstanceName(name)).toBe(false);
  });
});

test("headers of one connection are the standard ones and those that it names, as far as they are header names", () => {
  expect(hopByHopHeaders("")).toContain("transfer-encoding");
  expect([...hopByHopHeaders("close, X-Private ,bad name")]).toEqual(expect.arrayContaining(["close", "x-private"]));
  expect(hopByHopHeaders("bad name")).not.toContain("bad name");
});

test("a refusal that no HTTP request can meet is an error of ours", () => {
  expect(httpStatusFromReason(Reason.NAME_NOT_SERVED)).toBe(404);
  expect(httpStatusFromReason(fault(Reason.CURSOR_INVALID, "x").reason)).toBe(500);
});
