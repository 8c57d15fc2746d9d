import { describe, expect, it } from "vitest";
import { createGivingWay } from "../../../src/runtime/host/giving-way.ts";
import { httpInterfaces } from "../../../src/runtime/host/wasi-http.ts";
import { ioInterfaces } from "../../../src/runtime/host/wasi-io.ts";
import { callHost, dropResource, okOf } from "./host-calls.ts";
import { MemorySource } from "./memory-bytes.ts";
import { memoryLine } from "./memory-line.ts";

const giveWay = createGivingWay();
const line = memoryLine();
const host = { ...ioInterfaces(giveWay), ...httpInterfaces(line, giveWay) };
const http = (name: string, ...args: readonly unknown[]): unknown => callHost(host, `wasi:http/types#${name}`, ...args);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const variant = (tag: string, val?: string): object => ({ tag, val });
const OK = { tag: "ok", val: undefined };
const ERR = { tag: "err", val: undefined };

type Setters = {
  method?: object;
  scheme?: object;
  authority?: string;
  path?: string;
  headers?: readonly (readonly [string, string])[];
};

function requestWith({ method, scheme, authority, path, headers = [] }: Setters): unknown {
  const fields = okOf(
    http(
      "[static]fields.from-list",
      headers.map(([name, value]) => [name, bytes(value)]),
    ),
  );
  const request = http("[constructor]outgoing-request", fields);
  if (method !== undefined) expect(http("[method]outgoing-request.set-method", request, method)).toEqual(OK);
  if (scheme !== undefined) expect(http("[method]outgoing-request.set-scheme", request, scheme)).toEqual(OK);
  if (authority !== undefined) expect(http("[method]outgoing-request.set-authority", request, authority)).toEqual(OK);
  if (path !== undefined) expect(http("[method]outgoing-request.set-path-with-query", request, path)).toEqual(OK);
  return request;
}

const send = (request: unknown, options?: unknown): unknown =>
  callHost(host, "wasi:http/outgoing-handler#handle", request, options);
const last = (): (typeof line.sent)[number] => {
  const request = line.sent.at(-1);
  if (request === undefined) throw new Error("nothing was sent");
  return request;
};

describe("a request of a guest", () => {
  it("goes out with all of its parts", async () => {
    const options = http("[constructor]request-options");
    http("[method]request-options.set-connect-timeout", options, 1_500_001n);
    http("[method]request-options.set-first-byte-timeout", options, 0n);
    http("[method]request-options.set-between-bytes-timeout", options, 2n ** 64n - 1n);
    expect(http("[method]request-options.connect-timeout", options)).toBe(1_500_001n);
    expect(http("[method]request-options.first-byte-timeout", options)).toBe(0n);
    expect(http("[method]request-options.between-bytes-timeout", options)).toBe(2n ** 64n - 1n);
    const request = requestWith({
      method: variant("put"),
      scheme: variant("HTTP"),
      authority: "api.example.com:81",
      path: "/a?b",
      headers: [["x-a", "1"]],
    });
    expect(http("[method]outgoing-request.method", request)).toEqual(variant("put"));
    expect(http("[method]outgoing-request.scheme", request)).toEqual(variant("HTTP"));
    expect(http("[method]outgoing-request.authority", request)).toBe("api.example.com:81");
    expect(http("[method]outgoing-request.path-with-query", request)).toBe("/a?b");
    expect(http("[method]fields.has", http("[method]outgoing-request.headers", request), "X-A")).toBe(true);
    const body = okOf(http("[method]outgoing-request.body", request));
    expect(http("[method]outgoing-request.body", request)).toEqual(ERR);
    const stream = okOf(http("[method]outgoing-body.write", body));
    callHost(host, "wasi:io/streams#[method]output-stream.write", stream, bytes("early "));
    okOf(send(request, options));
    expect(last().head).toEqual({
      method: "PUT",
      scheme: "http",
      authority: "api.example.com:81",
      pathWithQuery: "/a?b",
      headers: [["x-a", "1"]],
      hasBody: true,
      connectTimeoutMs: 2,
      firstByteTimeoutMs: 1,
      betweenBytesTimeoutMs: 2 ** 31 - 1,
    });
    callHost(host, "wasi:io/streams#[method]output-stream.write", stream, bytes("late"));
    expect(last().body.finished).toBeUndefined();
    expect(http("[static]outgoing-body.finish", body, undefined)).toEqual(OK);
    expect(last().body.text).toBe("early late");
    expect(last().body.finished).toBeDefined();
  });

  it("asks by https for / without a body, unless it says otherwise", () => {
    okOf(send(requestWith({ authority: "example.com" })));
    expect(last().head).toMatchObject({ method: "GET", scheme: "https", pathWithQuery: "/", hasBody: false });
    expect(last().body.finished).toBeDefined();
    okOf(send(requestWith({ authority: "example.com", path: "?q" })));
    expect(last().head.pathWithQuery).toBe("/?q");
    okOf(
      send(
        requestWith({ authority: "example.com", method: variant("other", "PURGE"), scheme: variant("other", "HTTP") }),
      ),
    );
    expect(last().head).toMatchObject({ method: "PURGE", scheme: "http" });
  });

  it("is refused at once when nobody could send it", () => {
    const sent = line.sent.length;
    expect(send(requestWith({}))).toEqual({ tag: "err", val: { tag: "HTTP-request-URI-invalid", val: undefined } });
    expect(send(requestWith({ authority: "a", scheme: variant("other", "ftp") }))).toMatchObject({
      tag: "err",
      val: { tag: "HTTP-protocol-error" },
    });
    expect(line.sent).toHaveLength(sent);
  });

  it.each([
    ["method", variant("other", "GET /")],
    ["method", variant("other", "")],
    ["scheme", variant("other", "1a")],
    ["authority", "user:password@example.com"],
    ["authority", "example.com/path"],
    ["authority", "a b"],
    ["path-with-query", "/a b"],
    ["path-with-query", "/a\r\nx: y"],
    ["path-with-query", `/${"x".repeat(9_000)}`],
  ])("cannot have the %s %j", (part, value) => {
    expect(http(`[method]outgoing-request.set-${part}`, requestWith({}), value)).toEqual(ERR);
  });

  it.each(["[::1]:80", "10.0.0.1", "example.com:", "a-b.c_d"])("can have the authority %j", (authority) => {
    expect(http("[method]outgoing-request.set-authority", requestWith({}), authority)).toEqual(OK);
  });
});

describe("its response", () => {
  it("comes by the future, once, with its body and trailers", async () => {
    const future = okOf(send(requestWith({ authority: "example.com" })));
    const pollable = http("[method]future-incoming-response.subscribe", future);
    expect(await http("[method]future-incoming-response.get", future)).toBeUndefined();
    const blocked = callHost(host, "wasi:io/poll#[method]pollable.block", pollable);
    const source = new MemorySource("body").end([["x-t", "1"]]);
    last().respond({ tag: "ok", val: { status: 404, headers: [["x-a", "b"]], body: source } });
    await blocked;
    const response = okOf(okOf(await http("[method]future-incoming-response.get", future)));
    expect(await http("[method]future-incoming-response.get", future)).toEqual(ERR);
    expect(http("[method]incoming-response.status", response)).toBe(404);
    expect(http("[method]fields.entries", http("[method]incoming-response.headers", response))).toEqual([
      ["x-a", bytes("b")],
    ]);
    const body = okOf(http("[method]incoming-response.consume", response));
    expect(http("[method]incoming-response.consume", response)).toEqual(ERR);
    const stream = okOf(http("[method]incoming-body.stream", body));
    expect(okOf(callHost(host, "wasi:io/streams#[method]input-stream.read", stream, 9n))).toEqual(bytes("body"));
    dropResource(host, "wasi:http/types", "incoming-response", response);
    expect(source.isCancelled).toBe(false);
    const trailers = okOf(okOf(await http("[method]future-trailers.get", http("[static]incoming-body.finish", body))));
    expect(http("[method]fields.get", trailers, "x-t")).toEqual([bytes("1")]);
    dropResource(host, "wasi:http/types", "future-incoming-response", future);
    expect(last().isAbandoned).toBe(false);
  });

  it.each([
    ["HTTP-request-denied", { tag: "HTTP-request-denied", val: undefined }],
    ["DNS-error", { tag: "DNS-error", val: { rcode: undefined, "info-code": undefined } }],
    [
      "HTTP-response-header-size",
      { tag: "HTTP-response-header-size", val: { "field-name": undefined, "field-size": undefined } },
    ],
    ["of-another-world", { tag: "internal-error", val: "why" }],
  ])("may be the error %s", async (code, expected) => {
    const future = okOf(send(requestWith({ authority: "example.com" })));
    last().respond({ tag: "err", val: { code, message: "why" } });
    await callHost(
      host,
      "wasi:io/poll#[method]pollable.block",
      http("[method]future-incoming-response.subscribe", future),
    );
    expect(okOf(await http("[method]future-incoming-response.get", future))).toEqual({ tag: "err", val: expected });
  });

  it("is given up when the guest drops what it would come by, or does not take its body", async () => {
    const future = okOf(send(requestWith({ authority: "example.com" })));
    dropResource(host, "wasi:http/types", "future-incoming-response", future);
    expect(last().isAbandoned).toBe(true);
    const other = okOf(send(requestWith({ authority: "example.com" })));
    const source = new MemorySource("body");
    last().respond({ tag: "ok", val: { status: 200, headers: [], body: source } });
    await callHost(
      host,
      "wasi:io/poll#[method]pollable.block",
      http("[method]future-incoming-response.subscribe", other),
    );
    const response = okOf(okOf(await http("[method]future-incoming-response.get", other)));
    dropResource(host, "wasi:http/types", "incoming-response", response);
    expect(source.isCancelled).toBe(true);
  });
});
