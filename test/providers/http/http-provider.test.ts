import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { HttpHeaders, HttpRequest } from "../../../src/providers/http/http.ts";
import {
  caller,
  failureOf,
  header,
  openProvider,
  parts,
  request,
  send,
  serve,
  serveRaw,
  textOf,
} from "./http-fixtures.ts";

describe("a request to the outside", () => {
  it("carries method, path, headers and body, and brings back status, headers and body", async () => {
    const server = await serve((incoming, outgoing) => {
      let body = "";
      incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
      incoming.on("end", () => {
        outgoing.writeHead(201, [
          ["x-One", "1"],
          ["Set-Cookie", "a=1"],
          ["set-cookie", "b=2"],
        ]);
        outgoing.end(
          JSON.stringify([incoming.method, incoming.url, incoming.headers.host, incoming.headers["x-two"], body]),
          "latin1",
        );
      });
    });
    const response = await send(
      openProvider(),
      request(`api.example.com:${server.port}`, {
        method: "PATCH",
        pathWithQuery: "/a%20b?c=d",
        headers: [
          ["X-Two", "zwö"],
          ["x-two", "drei"],
        ],
        body: parts("hello ", "", "world"),
      }),
    );
    expect(response.status).toBe(201);
    expect(response.headers.filter(([name]) => /^(?:x-|set-cookie)/i.test(name))).toEqual([
      ["x-One", "1"],
      ["Set-Cookie", "a=1"],
      ["set-cookie", "b=2"],
    ]);
    expect(JSON.parse(await textOf(response))).toEqual([
      "PATCH",
      "/a%20b?c=d",
      `api.example.com:${server.port}`,
      "zwö, drei",
      "hello world",
    ]);
  });

  it.each<[string, Partial<HttpRequest>, string]>([
    ["an empty path", { pathWithQuery: "" }, "/"],
    ["a query alone", { pathWithQuery: "?a=1" }, "/?a=1"],
  ])("takes %s", async (_, over, url) => {
    const server = await serve((incoming, outgoing) => outgoing.end(incoming.url));
    expect(await textOf(await send(openProvider(), request(`a.test:${server.port}`, over)))).toBe(url);
  });

  it("is not followed to where a redirect leads, nor does it keep cookies", async () => {
    const seen: (string | undefined)[] = [];
    const server = await serve((incoming, outgoing) => {
      seen.push(`${incoming.url} ${incoming.headers.cookie}`);
      outgoing.writeHead(302, { location: "http://denied.test/", "set-cookie": "a=1" }).end();
    });
    const provider = openProvider();
    const first = await send(provider, request(`a.test:${server.port}`));
    expect([first.status, header(first.headers, "location")]).toEqual([302, "http://denied.test/"]);
    await textOf(first);
    await textOf(await send(provider, request(`a.test:${server.port}`, { pathWithQuery: "/2" })));
    expect(seen).toEqual(["/ undefined", "/2 undefined"]);
  });

  it("takes no proxy and no credentials from the environment, and none from the authority", async () => {
    const server = await serve((incoming, outgoing) => outgoing.end(JSON.stringify(incoming.headers)));
    vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:1");
    vi.stubEnv("http_proxy", "http://127.0.0.1:1");
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    try {
      const response = await send(openProvider(), request(`a.test:${server.port}`));
      expect(Object.keys(JSON.parse(await textOf(response)))).toEqual(["host", "connection"]);
      expect(await failureOf(send(openProvider(), request(`user:secret@a.test:${server.port}`)))).toBe(
        "ARGUMENT_INVALID HTTP-request-URI-invalid",
      );
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("leaves out headers that concern only the connection, both ways", async () => {
    const server = await serve((incoming, outgoing) => {
      outgoing.writeHead(200, {
        connection: "keep-alive, x-hop",
        "x-hop": "1",
        "proxy-authenticate": "Basic",
        "x-end": "1",
      });
      outgoing.end(JSON.stringify(incoming.headers));
    });
    const headers: HttpHeaders = [
      ["Connection", "close, X-Mine"],
      ["x-mine", "1"],
      ["Host", "other.test"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "websocket"],
      ["Expect", "100-continue"],
      ["TE", "trailers"],
      ["Proxy-Authorization", "Basic eA=="],
      ["x-end", "1"],
    ];
    const response = await send(openProvider(), request(`a.test:${server.port}`, { headers }));
    const names = response.headers.map(([name]) => name.toLowerCase());
    expect(names).toContain("x-end");
    for (const hop of ["connection", "x-hop", "transfer-encoding", "keep-alive", "proxy-authenticate"]) {
      expect(names).not.toContain(hop);
    }
    expect(JSON.parse(await textOf(response))).toEqual({
      host: `a.test:${server.port}`,
      connection: "keep-alive",
      "x-end": "1",
    });
  });

  it("gives the trailers when the body has been read", async () => {
    const server = await serveRaw((socket) => {
      socket.end(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\nx-b: \xe4\r\n\r\n",
        "latin1",
      );
    });
    const response = await send(openProvider(), request(`a.test:${server.port}`));
    expect(await textOf(response)).toBe("ok");
    expect(response.trailers?.()).toEqual([
      ["X-Sum", "42"],
      ["x-b", "\xe4"],
    ]);
  });

  it("does not mistake interim responses for the response", async () => {
    const server = await serveRaw((socket) => {
      socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    const response = await send(openProvider(), request(`a.test:${server.port}`));
    expect([response.status, await textOf(response)]).toEqual([200, "ok"]);
  });

  it.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n", 204],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304],
  ])("reads no body after %s and %j", async (method, answer, status) => {
    const server = await serveRaw((socket) => {
      socket.write(answer);
    });
    const response = await send(openProvider(), request(`a.test:${server.port}`, { method }));
    expect([response.status, await textOf(response)]).toEqual([status, ""]);
  });

  it("is a whole request to a server that closes half of the connection, with bodies of any size, both ways", async () => {
    const server = await serve((incoming, outgoing) => {
      outgoing.writeHead(200, { connection: "close" });
      incoming.pipe(outgoing);
    });
    const provider = openProvider();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(70_000), { maxLength: 5 }), async (lengths) => {
        const chunks = lengths.map((length, index) => new Uint8Array(length).map((_, at) => (at + index) % 251));
        const body = (async function* () {
          yield* chunks;
        })();
        const response = await send(provider, request(`a.test:${server.port}`, { method: "POST", body }));
        expect(Buffer.from(await textOf(response), "latin1").equals(Buffer.concat(chunks))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

describe("where a request may go", () => {
  it("is refused before anything is resolved or connected, if its name is not granted", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const lookup = vi.fn(async () => ["127.0.0.1"]);
    const provider = openProvider({}, { lookup });
    const what = request(`b.test:${server.port}`);
    expect(await failureOf(send(provider, what, caller(["http:domain:a.test", "http:domain:127.0.0.1"])))).toBe(
      "CAPABILITY_DENIED HTTP-request-denied",
    );
    expect(
      await failureOf(send(provider, what, caller(["http:request", "http:domain:127.0.0.1"], ["http:domain:*.test"]))),
    ).toBe("CAPABILITY_DENIED HTTP-request-denied");
    expect([lookup.mock.calls.length, server.connections()]).toEqual([0, 0]);
    expect(await textOf(await send(provider, what, caller(["http:domain:b.test", "http:domain:127.0.0.1"])))).toBe(
      "ok",
    );
  });

  it("is refused for an address inside that was not granted by itself, whatever name leads there", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const what = request(`rebound.example.com:${server.port}`);
    for (const address of [
      "127.0.0.1",
      "::1",
      "::ffff:127.0.0.1",
      "169.254.169.254",
      "10.0.0.1",
      "fd00::1",
      "100.64.0.1",
    ]) {
      const provider = openProvider({}, { lookup: async () => [address] });
      expect(await failureOf(send(provider, what, caller(["http:request"]))), address).toBe(
        "CAPABILITY_DENIED destination-IP-prohibited",
      );
    }
    expect(server.connections()).toBe(0);
    const permitted = caller(["http:domain:rebound.example.com", `http:domain:127.0.0.1:${server.port}`]);
    expect(await textOf(await send(openProvider(), what, permitted))).toBe("ok");
  });

  it("names the permission that is needed as the subject of the refusal", async () => {
    await expect(send(openProvider(), request("a.test:8080"), caller(["http:request"]))).rejects.toMatchObject({
      subject: "http:domain:127.0.0.1:8080",
      message: expect.stringContaining('takes the permission "http:domain:127.0.0.1:8080" by itself'),
    });
    await expect(send(openProvider(), request("a.test:8080"), caller([]))).rejects.toMatchObject({
      subject: "http:domain:a.test:8080",
    });
    await expect(
      send(openProvider(), request("a.test"), caller(["http:request"], ["http:domain:a.test"])),
    ).rejects.toMatchObject({ subject: "http:domain:a.test" });
  });

  it.each(["127.0.0.1", "localhost"])("is %s only by a permission for it, also as the host itself", async (host) => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const what = request(`${host}:${server.port}`);
    expect(await failureOf(send(openProvider(), what, caller(["http:request"])))).toContain("CAPABILITY_DENIED");
    for (const permission of [`http:domain:${host}`, `http:domain:${host}:${server.port}`]) {
      expect(await textOf(await send(openProvider(), what, caller([permission])))).toBe("ok");
    }
    expect(await failureOf(send(openProvider(), what, caller([`http:domain:${host}:1`])))).toContain(
      "CAPABILITY_DENIED",
    );
  });

  it("is the address that was checked: a second answer of the resolver is not asked for", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    let calls = 0;
    const lookup = async (): Promise<readonly string[]> => ((calls += 1) === 1 ? ["127.0.0.1"] : ["169.254.169.254"]);
    const provider = openProvider({}, { lookup });
    expect(await textOf(await send(provider, request(`a.test:${server.port}`)))).toBe("ok");
    expect(calls).toBe(1);
  });

  it("skips addresses that are not permitted, and tries the next one if one cannot be reached", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const lookup = async (): Promise<readonly string[]> => ["10.0.0.1", "::1", "127.0.0.1"];
    expect(await textOf(await send(openProvider({}, { lookup }), request(`a.test:${server.port}`)))).toBe("ok");
    expect(
      await failureOf(
        send(openProvider({ limits: { addressesTriedMax: 1 } }, { lookup }), request(`a.test:${server.port}`)),
      ),
    ).toMatch(/^PROVIDER_UNAVAILABLE (?:connection-refused|destination-IP-unroutable)$/);
  });

  it.each<[Partial<HttpRequest> & { authority?: string }, string]>([
    [{ authority: "2130706433" }, "HTTP-request-URI-invalid"],
    [{ authority: "a.test/x" }, "HTTP-request-URI-invalid"],
    [{ authority: "" }, "HTTP-request-URI-invalid"],
    [{ pathWithQuery: "http://b.test/" }, "HTTP-request-URI-invalid"],
    [{ pathWithQuery: "/ HTTP/1.1\r\nx: y" }, "HTTP-request-URI-invalid"],
    [{ pathWithQuery: "/€" }, "HTTP-request-URI-invalid"],
    [{ method: "CONNECT" }, "HTTP-request-method-invalid"],
    [{ method: "GET /x" }, "HTTP-request-method-invalid"],
    [{ method: "" }, "HTTP-request-method-invalid"],
    [{ headers: [["a b", "c"]] }, "HTTP-protocol-error"],
    [{ headers: [["a", "c\r\nd: e"]] }, "HTTP-protocol-error"],
    [{ headers: [["a", "€"]] }, "HTTP-protocol-error"],
    [
      {
        headers: [
          ["content-length", "1"],
          ["Content-Length", "2"],
        ],
      },
      "HTTP-protocol-error",
    ],
    [{ headers: [["content-length", "-1"]] }, "HTTP-protocol-error"],
    [{ headers: [["content-length", "1,1"]] }, "HTTP-protocol-error"],
  ])("cannot be changed by %j", async (over, code) => {
    expect(await failureOf(send(openProvider(), request("a.test:1", over)))).toBe(`ARGUMENT_INVALID ${code}`);
  });
});
