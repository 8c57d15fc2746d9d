import { createVirtualClock } from "../../agent/virtual-clock.ts";
import { describe, expect, it, vi } from "vitest";
import type { HttpRequest } from "../../../src/providers/http/http.ts";
import { createHttpProvider } from "../../../src/providers/http/http-provider.ts";
import {
  ANYWHERE,
  caller,
  failureOf,
  openProvider,
  parts,
  request,
  send,
  serve,
  serveRaw,
  textOf,
} from "./http-fixtures.ts";

/** A body that never comes to its next part. */
async function* stalled(...first: readonly string[]): AsyncGenerator<Uint8Array> {
  yield* parts(...first);
  await new Promise(() => undefined);
}

describe("limits of an HTTP provider", () => {
  it("are positive whole numbers", () => {
    expect(() => createHttpProvider({ limits: { requestsMax: 0 } })).toThrow(
      /requestsMax is not a positive whole number/,
    );
    expect(() => createHttpProvider({ limits: { totalMaxMs: 1.5 } })).toThrow(/totalMaxMs/);
  });

  it("bound the requests under way of an instance and of all, until bodies have ended or were returned", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const provider = openProvider({ limits: { requestsPerInstanceMax: 2, requestsMax: 3 } });
    const what = request(`a.test:${server.port}`);
    const other = caller(ANYWHERE.permissions, [], "b2");
    const mine = [await send(provider, what), await send(provider, what)];
    expect(await failureOf(send(provider, what))).toBe("PROVIDER_LIMIT connection-limit-reached");
    const theirs = await send(provider, what, other);
    expect(await failureOf(send(provider, what, other))).toBe("PROVIDER_LIMIT connection-limit-reached");
    for (const response of mine) await textOf(response);
    await textOf(await send(provider, what));
    await theirs.body[Symbol.asyncIterator]().return?.();
    await textOf(await send(provider, what, other));
    // Refused and failed requests gave their places back too.
    for (let count = 0; count < 4; count += 1) {
      expect(await failureOf(send(provider, request("a.test:1")))).toContain("PROVIDER_UNAVAILABLE");
    }
    await textOf(await send(provider, what));
  });

  it("bound the time until a name is resolved", async () => {
    const provider = openProvider({ limits: { connectMaxMs: 30 } }, { lookup: () => new Promise(() => undefined) });
    expect(await failureOf(send(provider, request("a.test")))).toBe("PROVIDER_UNAVAILABLE DNS-timeout");
  });

  it("bound the time until there is a connection, TLS included", async () => {
    const silent = await serveRaw(() => undefined);
    const what = request(`a.test:${silent.port}`, { scheme: "https", connectTimeoutMs: 50 });
    expect(await failureOf(send(openProvider(), what))).toBe("PROVIDER_UNAVAILABLE connection-timeout");
    expect(
      await failureOf(send(openProvider({ limits: { connectMaxMs: 50 } }), { ...what, connectTimeoutMs: 1e9 })),
    ).toBe("PROVIDER_UNAVAILABLE connection-timeout");
  });

  it("give each of several addresses its share of that time", async () => {
    const silent = await serveRaw((socket) => {
      if (silent.connections() > 0) socket.destroy();
    });
    const clock = createVirtualClock();
    const provider = openProvider({}, { lookup: async () => ["127.0.0.1", "127.0.0.1"], clock });
    const what = request(`a.test:${silent.port}`, { scheme: "https", connectTimeoutMs: 200 });
    const answer = failureOf(send(provider, what));
    await vi.waitFor(() => expect(silent.connections()).toBe(1));
    await clock.advance(100);
    expect(await answer).toBe("PROVIDER_UNAVAILABLE connection-terminated");
    expect(silent.connections()).toBe(2);
  });

  it("bound the time until a response begins, and not the time that the guest takes for its body", async () => {
    const silent = await serveRaw(() => undefined);
    const what = request(`a.test:${silent.port}`, { firstByteTimeoutMs: 50 });
    expect(await failureOf(send(openProvider(), what))).toBe("PROVIDER_UNAVAILABLE HTTP-response-timeout");
    expect(await failureOf(send(openProvider(), { ...what, method: "POST", body: parts("x") }))).toBe(
      "PROVIDER_UNAVAILABLE HTTP-response-timeout",
    );
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const clock = createVirtualClock();
    const slow = (async function* () {
      yield Buffer.from("a");
      // Longer than the peer may take; it is the guest that is slow.
      await clock.advance(10_000);
      yield Buffer.from("b");
    })();
    const patient = request(`a.test:${server.port}`, { method: "POST", firstByteTimeoutMs: 100, body: slow });
    expect(await textOf(await send(openProvider({}, { clock }), patient))).toBe("ok");
  });

  it("bound the time that interim responses can buy", async () => {
    const server = await serveRaw((socket) => {
      const timer = setInterval(() => socket.write("HTTP/1.1 102 Processing\r\n\r\n"), 5);
      socket.on("close", () => clearInterval(timer));
    });
    expect(await failureOf(send(openProvider(), request(`a.test:${server.port}`, { firstByteTimeoutMs: 60 })))).toBe(
      "PROVIDER_UNAVAILABLE HTTP-response-timeout",
    );
  });

  it("bound the time that a peer may let a body wait", async () => {
    const blocked = await serveRaw((socket) => socket.pause());
    const endless = (async function* () {
      for (;;) yield new Uint8Array(1024 * 1024);
    })();
    const what = request(`a.test:${blocked.port}`, { method: "POST", firstByteTimeoutMs: 100, body: endless });
    expect(await failureOf(send(openProvider(), what))).toBe("PROVIDER_UNAVAILABLE connection-write-timeout");
  });

  it("bound the time between parts of a response while they are wanted", async () => {
    const server = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const clock = createVirtualClock();
    const provider = openProvider({}, { clock });
    const response = await send(provider, request(`a.test:${server.port}`, { betweenBytesTimeoutMs: 50 }));
    const reader = response.body[Symbol.asyncIterator]();
    expect(Buffer.from((await reader.next()).value ?? []).toString()).toBe("half");
    // Nobody reads: nothing is late.
    await clock.advance(10_000);
    expect(server.sockets[0]?.destroyed).toBe(false);
    const answer = failureOf(reader.next());
    await clock.advance(50);
    expect(await answer).toBe("PROVIDER_UNAVAILABLE connection-read-timeout");
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  });

  it("bound the time of the whole, whoever takes so long, a reader included", async () => {
    const half = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const silent = await serveRaw(() => undefined);
    const clock = createVirtualClock();
    const provider = openProvider({ limits: { totalMaxMs: 60, requestsPerInstanceMax: 3 } }, { clock });
    const [unfinished, unread] = [
      await send(provider, request(`a.test:${half.port}`)),
      await send(provider, request(`a.test:${server.port}`)),
    ];
    const unsent = failureOf(send(provider, request(`a.test:${silent.port}`, { method: "POST", body: stalled() })));
    await vi.waitFor(() => expect(silent.connections()).toBe(1));
    await clock.advance(60);
    await vi.waitFor(() => expect(half.sockets[0]?.destroyed).toBe(true));
    expect(await failureOf(textOf(unfinished))).toBe("PROVIDER_LIMIT HTTP-response-timeout");
    expect(await failureOf(textOf(unread))).toBe("PROVIDER_LIMIT HTTP-response-timeout");
    expect(await unsent).toBe("PROVIDER_LIMIT HTTP-response-timeout");
    expect(await textOf(await send(provider, request(`a.test:${server.port}`)))).toBe("ok");
  });

  it("bound a request's path, headers and body, and let through what just fits", async () => {
    const server = await serve((incoming, outgoing) => {
      let bytes = 0;
      incoming.on("data", (chunk: Buffer) => (bytes += chunk.byteLength));
      incoming.on("end", () => outgoing.end(String(bytes)));
    });
    const provider = openProvider({ limits: { pathMaxBytes: 10, requestHeaderMaxBytes: 20, requestBodyMaxBytes: 10 } });
    const to = (over: Partial<HttpRequest>): HttpRequest =>
      request(`a.test:${server.port}`, { method: "POST", ...over });
    expect(await failureOf(send(provider, to({ pathWithQuery: "/1234567890" })))).toBe(
      "PROVIDER_LIMIT HTTP-request-URI-too-long",
    );
    expect(await failureOf(send(provider, to({ headers: [["x-1234", "1234567890a"]] })))).toBe(
      "PROVIDER_LIMIT HTTP-request-header-section-size",
    );
    expect(await failureOf(send(provider, to({ body: parts("12345", "678901") })))).toBe(
      "PROVIDER_LIMIT HTTP-request-body-size",
    );
    const fits = to({
      pathWithQuery: "/123456789",
      headers: [["x-1234", "1234567890"]],
      body: parts("12345", "67890"),
    });
    expect(await textOf(await send(provider, fits))).toBe("10");
  });

  it("hold a request to its content-length", async () => {
    const server = await serve((incoming, outgoing) => incoming.pipe(outgoing));
    const to = (length: string, body: HttpRequest["body"]): HttpRequest =>
      request(`a.test:${server.port}`, { method: "POST", headers: [["content-length", length]], body });
    expect(await textOf(await send(openProvider(), to("4", parts("ab", "cd"))))).toBe("abcd");
    expect(await failureOf(send(openProvider(), to("3", parts("ab", "cd"))))).toBe(
      "ARGUMENT_INVALID HTTP-request-body-size",
    );
    expect(await failureOf(send(openProvider(), to("5", parts("ab", "cd"))))).toBe(
      "ARGUMENT_INVALID HTTP-request-body-size",
    );
    expect(await failureOf(send(openProvider(), to("5", undefined)))).toBe("ARGUMENT_INVALID HTTP-request-body-size");
  });

  it("bound a response's headers and body, and let through what just fits", async () => {
    const server = await serve((incoming, outgoing) => {
      outgoing.sendDate = false;
      const [, headers = "0", body = "0"] = (incoming.url ?? "").split("/");
      outgoing.writeHead(200, { "x-h": "h".repeat(Number(headers)) });
      outgoing.end("b".repeat(Number(body)));
    });
    const provider = openProvider({ limits: { responseHeaderMaxBytes: 300, responseBodyMaxBytes: 100 } });
    const to = (pathWithQuery: string): HttpRequest => request(`a.test:${server.port}`, { pathWithQuery });
    expect(await textOf(await send(provider, to("/200/100")))).toHaveLength(100);
    expect(await failureOf(send(provider, to("/300/0")))).toBe("PROVIDER_LIMIT HTTP-response-header-section-size");
    expect(await failureOf(send(provider, to("/100000/0")))).toBe("PROVIDER_LIMIT HTTP-response-header-section-size");
    expect(await failureOf(textOf(await send(provider, to("/0/101"))))).toBe("PROVIDER_LIMIT HTTP-response-body-size");
  });
});
