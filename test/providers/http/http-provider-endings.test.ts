import { once } from "node:events";
import { describe, expect, it, vi } from "vitest";
import type { Socket } from "node:net";
import { Reason } from "../../../src/fault.ts";
import { ANYWHERE, failureOf, openProvider, parts, request, send, serve, serveRaw, textOf } from "./http-fixtures.ts";

/** A body that never comes to its next part. */
async function* stalled(...first: readonly string[]): AsyncGenerator<Uint8Array> {
  yield* parts(...first);
  await new Promise(() => undefined);
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

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
