import { describe, expect, test } from "vitest";
import { clientView, forwardedHeaders, responseHeaders, routeFromRequest } from "../../src/agent/ingress-route.ts";

describe("a route", () => {
  test.each([
    ["web.localhost", "/a?b=c", "web", "/a?b=c", undefined],
    ["Web.LocalHost:7480", "/", "web", "/", undefined],
    ["web.localhost.", "/", "web", "/", undefined],
    ["web.localhost", "http://web.localhost/x?y", "web", "/x?y", undefined],
    ["web.localhost", "http://web.localhost", "web", "/", undefined],
    ["127.0.0.1:7480", "/-/web/a?b", "web", "/a?b", "/-/web"],
    ["127.0.0.1", "/-/web", "web", "/", "/-/web"],
    ["127.0.0.1", "/-/web?x=1", "web", "/?x=1", "/-/web"],
    ["other.localhost", "/-/web//x", "web", "//x", "/-/web"],
  ])("of host %s and path %s is %s", (host, url, name, pathWithQuery, prefix) => {
    expect(routeFromRequest({ host, url })).toEqual({ kind: "named", name, pathWithQuery, prefix });
  });

  test.each([
    ["127.0.0.1", "/"],
    ["localhost:7480", "/"],
    ["a.b.localhost", "/"],
    ["-bad.localhost", "/"],
    ["x", "/-//y"],
    ["x", "/-/UPPER/"],
    ["x", "/-/%2e%2e/"],
    ["", "*"],
  ])("of host %s and path %s there is none", (host, url) => {
    expect(routeFromRequest({ host, url })).toEqual({ kind: "none" });
  });
});

describe("how the client saw the instance", () => {
  test("is what a gateway says of it", () => {
    expect(clientView({ host: "h", prefix: "/-/web", gatewayHost: undefined })).toEqual({
      authority: "h",
      prefix: "/-/web",
    });
    expect(clientView({ host: "h", prefix: "/-/web", gatewayHost: "web.localhost:7420" })).toEqual({
      authority: "web.localhost:7420",
      prefix: undefined,
    });
    expect(clientView({ host: "h", prefix: "/-/web", gatewayHost: "cp:7420" })).toEqual({
      authority: "cp:7420",
      prefix: "/-/web",
    });
  });
});

describe("headers", () => {
  test("go on but for those of one connection and our own, repeated ones each", () => {
    const raw = [
      "Accept",
      "a",
      "accept",
      "b",
      "Connection",
      "keep-alive, X-Hop",
      "X-Hop",
      "1",
      "TE",
      "trailers",
      "x-wasmatrix-instance",
      "i",
      "X-Forwarded-Prefix",
      "/forged",
      "X-Request-Id",
      "forged",
    ];
    expect(forwardedHeaders(raw, [["x-request-id", "r1"]])).toEqual([
      ["accept", "a"],
      ["accept", "b"],
      ["x-request-id", "r1"],
    ]);
    expect(
      responseHeaders([
        ["Set-Cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["Transfer-Encoding", "chunked"],
      ]),
    ).toEqual([
      ["Set-Cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
  });
});
