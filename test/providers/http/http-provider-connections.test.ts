import { describe, expect, it, vi } from "vitest";
import type { HttpRequest } from "../../../src/providers/http/http.ts";
import {
  ANYWHERE,
  caller,
  failureOf,
  openProvider,
  parts,
  request,
  send,
  serve,
  serveTls,
  TEST_CA,
  textOf,
} from "./http-fixtures.ts";

describe("TLS", () => {
  it("is verified against the name, with authorities that the node was given", async () => {
    const server = await serveTls((_, outgoing) => outgoing.end("ok"));
    const provider = openProvider({ extraCa: [TEST_CA] });
    const to = (host: string): HttpRequest => request(`${host}:${server.port}`, { scheme: "https" });
    expect(await textOf(await send(provider, to("secure.test")))).toBe("ok");
    expect(await textOf(await send(provider, to("a.wild.test")))).toBe("ok");
    expect(await textOf(await send(provider, to("127.0.0.1")))).toBe("ok");
    expect(await failureOf(send(provider, to("other.test")))).toBe("PROVIDER_UNAVAILABLE TLS-certificate-error");
  });

  it("is not believed without the authority, whatever the environment says", async () => {
    const server = await serveTls((_, outgoing) => outgoing.end("ok"));
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    try {
      const what = request(`secure.test:${server.port}`, { scheme: "https" });
      expect(await failureOf(send(openProvider(), what))).toBe("PROVIDER_UNAVAILABLE TLS-certificate-error");
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("is not there on a server without it, and a server with it speaks nothing else", async () => {
    const plain = await serve((_, outgoing) => outgoing.end("ok"));
    const secure = await serveTls((_, outgoing) => outgoing.end("ok"));
    expect(await failureOf(send(openProvider(), request(`a.test:${plain.port}`, { scheme: "https" })))).toMatch(
      /^PROVIDER_UNAVAILABLE (?:TLS-protocol-error|connection-terminated)$/,
    );
    expect(await failureOf(send(openProvider(), request(`secure.test:${secure.port}`)))).toMatch(
      /^PROVIDER_UNAVAILABLE (?:HTTP-protocol-error|connection-terminated|HTTP-response-incomplete)$/,
    );
  });
});

describe("connections", () => {
  it("are used again by the same instance for the same place, and never by another instance", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const provider = openProvider();
    for (let count = 0; count < 3; count += 1) await textOf(await send(provider, request(`a.test:${server.port}`)));
    expect(server.connections()).toBe(1);
    const other = caller(ANYWHERE.permissions, [], "b2");
    await textOf(await send(provider, request(`a.test:${server.port}`), other));
    expect(server.connections()).toBe(2);
    await textOf(await send(provider, request(`b.test:${server.port}`)));
    expect(server.connections()).toBe(3);
  });

  it("that a peer closed in the meantime cost nothing", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const provider = openProvider();
    await textOf(await send(provider, request(`a.test:${server.port}`)));
    for (const socket of server.sockets) socket.destroy();
    expect(await textOf(await send(provider, request(`a.test:${server.port}`)))).toBe("ok");
    expect(server.connections()).toBe(2);
  });

  it("that a peer closes instead of a second answer are retried if that is harmless, once", async () => {
    let isEveryRequestCut = false;
    const server = await serve((incoming, outgoing) => {
      const isFirst = server.sockets.at(-1) === incoming.socket && !used.has(incoming.socket);
      used.add(incoming.socket);
      if (!isFirst || isEveryRequestCut) incoming.socket.destroy();
      else outgoing.end("ok");
    });
    const used = new Set<unknown>();
    const provider = openProvider();
    const what = request(`a.test:${server.port}`);
    await textOf(await send(provider, what));
    expect(await textOf(await send(provider, what))).toBe("ok");
    expect(server.connections()).toBe(2);
    const post = { ...what, method: "POST", body: parts("x") };
    expect(await failureOf(send(provider, post))).toBe("PROVIDER_UNAVAILABLE connection-terminated");
    await textOf(await send(provider, what));
    isEveryRequestCut = true;
    const before = server.connections();
    expect(await failureOf(send(provider, what))).toBe("PROVIDER_UNAVAILABLE connection-terminated");
    expect(server.connections()).toBe(before + 1);
  });

  it("are bounded while idle, and in what they carry", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const provider = openProvider({ limits: { idleConnectionsMax: 1, requestsPerConnectionMax: 2 } });
    const [one, two] = [request(`a.test:${server.port}`), request(`b.test:${server.port}`)];
    await textOf(await send(provider, one));
    await textOf(await send(provider, two));
    await textOf(await send(provider, two));
    expect(server.connections()).toBe(2);
    await textOf(await send(provider, two));
    expect(server.connections()).toBe(3);
    await textOf(await send(provider, one));
    expect(server.connections()).toBe(4);
    await vi.waitFor(() => expect(server.sockets.filter((socket) => !socket.destroyed)).toHaveLength(1));
  });

  it("end when they have been idle long enough", async () => {
    const server = await serve((_, outgoing) => outgoing.end("ok"));
    const provider = openProvider({ limits: { idleConnectionMaxMs: 20 } });
    await textOf(await send(provider, request(`a.test:${server.port}`)));
    await vi.waitFor(() => expect(server.sockets[0]?.destroyed).toBe(true));
  });
});
