import { createVirtualClock } from "../../agent/virtual-clock.ts";
import { once } from "node:events";
import { describe, expect, it, vi } from "vitest";
import type { Socket } from "node:net";
import { Reason } from "../../../src/fault.ts";
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

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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

describe("back-pressure", () => {
  it("makes the peer wait for a reader that does not read", async () => {
    const whole = 64 * 1024 * 1024;
    const server = await serve((_, outgoing) => {
      let left = whole;
      const pour = (): void => {
        while (left > 0) {
          left -= 64 * 1024;
          if (!outgoing.write(new Uint8Array(64 * 1024))) {
            outgoing.once("drain", pour);
            return;
          }
        }
        outgoing.end();
      };
      pour();
    });
    const response = await send(openProvider(), request(`a.test:${server.port}`));
    // The peer's kernel and ours take some of it; then nothing moves any more.
    let before = -1;
    await vi.waitFor(
      () => {
        const now = server.sockets[0]?.bytesWritten ?? 0;
        const isStill = now === before;
        before = now;
        expect(isStill).toBe(true);
      },
      { interval: 200, timeout: 10_000 },
    );
    expect(before).toBeLessThan(whole / 2);
    let got = 0;
    for await (const part of response.body) got += part.byteLength;
    expect(got).toBe(whole);
  });

  it("asks the guest for no more of its body than the peer takes", async () => {
    let socketOf: (socket: Socket) => void = () => undefined;
    const accepted = new Promise<Socket>((resolve) => {
      socketOf = resolve;
    });
    const server = await serveRaw((socket) => {
      socket.pause();
      socketOf(socket);
    });
    let given = 0;
    const whole = 64;
    const body = (async function* () {
      for (; given < whole; given += 1) yield new Uint8Array(1024 * 1024);
    })();
    const response = send(openProvider(), request(`a.test:${server.port}`, { method: "POST", body }));
    const socket = await accepted;
    let before = -1;
    await vi.waitFor(
      () => {
        const isStill = given === before;
        before = given;
        expect(isStill).toBe(true);
      },
      { interval: 200, timeout: 10_000 },
    );
    expect(before).toBeLessThan(whole / 2);
    let tail = "";
    socket.on("data", (chunk: Buffer) => {
      tail = `${tail}${chunk.subarray(-8).toString("latin1")}`.slice(-5);
      if (tail === "0\r\n\r\n") socket.write(OK);
    });
    socket.resume();
    expect(await textOf(await response)).toBe("ok");
    expect(given).toBe(whole);
  });

  it("lets a response come before the request has been sent whole", async () => {
    const server = await serve((_, outgoing) => outgoing.end("early"));
    const response = await send(
      openProvider(),
      request(`a.test:${server.port}`, { method: "POST", body: stalled("some") }),
    );
    expect(await textOf(response)).toBe("early");
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  });
});

describe("giving a request up", () => {
  it("ends it at any moment", async () => {
    const server = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const silent = await serveRaw(() => undefined);
    const provider = openProvider();
    expect(await failureOf(provider.send(request("a.test:1"), ANYWHERE, AbortSignal.abort()))).toBe(
      "CANCELED connection-terminated",
    );

    const waiting = new AbortController();
    const answer = failureOf(provider.send(request(`a.test:${silent.port}`), ANYWHERE, waiting.signal));
    await vi.waitFor(() => expect(silent.connections()).toBe(1));
    waiting.abort();
    expect(await answer).toBe("CANCELED connection-terminated");
    await vi.waitFor(() => expect(silent.sockets[0]?.destroyed).toBe(true));

    const reading = new AbortController();
    const response = await provider.send(request(`a.test:${server.port}`), ANYWHERE, reading.signal);
    reading.abort();
    expect(await failureOf(textOf(response))).toBe("CANCELED connection-terminated");
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  });

  it("also ends the name resolution and the body's source", async () => {
    const stuck = openProvider({}, { lookup: () => new Promise(() => undefined) });
    const resolving = new AbortController();
    const answer = failureOf(stuck.send(request("a.test"), ANYWHERE, resolving.signal));
    resolving.abort();
    expect(await answer).toBe("CANCELED connection-terminated");

    const silent = await serveRaw(() => undefined);
    const sourceEnded = vi.fn();
    const source: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: async () => {
          sourceEnded();
          return { done: true, value: undefined };
        },
      }),
    };
    const sending = new AbortController();
    const post = request(`a.test:${silent.port}`, { method: "POST", body: source });
    const failed = failureOf(openProvider().send(post, ANYWHERE, sending.signal));
    await vi.waitFor(() => expect(silent.connections()).toBe(1));
    sending.abort();
    expect(await failed).toBe("CANCELED connection-terminated");
    await vi.waitFor(() => expect(sourceEnded).toHaveBeenCalledOnce());
  });

  it("is what a body does that breaks off", async () => {
    const server = await serve((incoming) => incoming.resume());
    const broken = (async function* () {
      yield Buffer.from("a");
      throw new Error("the guest has trapped");
    })();
    await expect(
      send(openProvider(), request(`a.test:${server.port}`, { method: "POST", body: broken })),
    ).rejects.toMatchObject({ reason: Reason.CANCELED, message: expect.stringContaining("the guest has trapped") });
  });

  it("is what returning a body early does", async () => {
    const server = await serveRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    const response = await send(openProvider(), request(`a.test:${server.port}`));
    for await (const part of response.body) {
      expect(Buffer.from(part).toString()).toBe("half");
      break;
    }
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  });
});

describe("a peer that misbehaves", () => {
  it.each([
    ["closes at once", "", "PROVIDER_UNAVAILABLE connection-terminated"],
    ["closes within the head", "HTTP/1.1 200 OK\r\nContent-Le", "PROVIDER_UNAVAILABLE connection-terminated"],
    ["does not speak HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "PROVIDER_UNAVAILABLE HTTP-protocol-error"],
    [
      "sends two lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
      "PROVIDER_UNAVAILABLE HTTP-protocol-error",
    ],
    [
      "switches protocols unasked",
      "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      "PROVIDER_UNAVAILABLE connection-terminated",
    ],
  ])("%s", async (_, answer, failure) => {
    const server = await serveRaw((socket) => {
      socket.end(answer);
    });
    expect(await failureOf(send(openProvider(), request(`a.test:${server.port}`)))).toBe(failure);
  });

  it.each([
    [
      "closes within the body",
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
      "PROVIDER_UNAVAILABLE HTTP-response-incomplete",
    ],
    [
      "closes within a chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf",
      "PROVIDER_UNAVAILABLE HTTP-response-incomplete",
    ],
    [
      "sends a broken chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalfXX",
      "PROVIDER_UNAVAILABLE HTTP-protocol-error",
    ],
  ])("%s: what came is given, then the error", async (_, answer, failure) => {
    const server = await serveRaw((socket) => {
      socket.end(answer);
    });
    const response = await send(openProvider(), request(`a.test:${server.port}`));
    const got: string[] = [];
    const read = async (): Promise<void> => {
      for await (const part of response.body) got.push(Buffer.from(part).toString());
    };
    expect(await failureOf(read())).toBe(failure);
    expect(got).toEqual(["half"]);
  });

  it("cannot put the answer to one request before another", async () => {
    const server = await serveRaw((socket) => {
      socket.on("data", () => socket.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`));
    });
    const provider = openProvider();
    for (let count = 0; count < 3; count += 1) {
      expect(await textOf(await send(provider, request(`a.test:${server.port}`)))).toBe("ok");
    }
    expect(server.connections()).toBe(3);
  });

  it("is not there", async () => {
    const server = await serve((_, outgoing) => outgoing.end());
    const { port } = server;
    for (const socket of server.sockets) socket.destroy();
    expect(await failureOf(send(openProvider(), request(`a.test:${port === 1 ? 2 : 1}`)))).toBe(
      "PROVIDER_UNAVAILABLE connection-refused",
    );
    const nameless = openProvider(
      {},
      { lookup: () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })) },
    );
    expect(await failureOf(send(nameless, request("a.test")))).toBe("PROVIDER_UNAVAILABLE DNS-error");
    expect(await failureOf(send(openProvider({}, { lookup: async () => [] }), request("a.test")))).toBe(
      "PROVIDER_UNAVAILABLE DNS-error",
    );
  });
});

describe("stopping the provider", () => {
  it("lets what is under way finish, and takes nothing new", async () => {
    const held: (() => void)[] = [];
    const server = await serve((_, outgoing) => {
      held.push(() => outgoing.end("ok"));
    });
    const provider = openProvider();
    const response = send(provider, request(`a.test:${server.port}`));
    await vi.waitFor(() => expect(held).toHaveLength(1));
    const closed = provider.close(60_000);
    expect(await failureOf(send(provider, request(`a.test:${server.port}`)))).toBe("PROVIDER_STOPPED internal-error");
    held[0]?.();
    expect(await textOf(await response)).toBe("ok");
    await closed;
    await provider.close(0);
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  });

  it("cuts what does not finish in time", async () => {
    const server = await serve((_, outgoing) => {
      outgoing.write("half");
    });
    const provider = openProvider();
    const response = await send(provider, request(`a.test:${server.port}`));
    const [first] = await Promise.all([failureOf(textOf(response)), provider.close(20), provider.close(10)]);
    expect(first).toBe("PROVIDER_STOPPED internal-error");
    const socket = server.sockets[0];
    if (socket !== undefined && !socket.destroyed) await once(socket, "close");
  });
});
