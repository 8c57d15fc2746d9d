import * as http from "node:http";
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openIngress, type Ingress, type IngressTargets } from "../../src/agent/ingress.ts";
import { fault, Reason } from "../../src/fault.ts";
import { createJsonLog, silentLog, type Log } from "../../src/log.ts";
import type { CallerSignal, Guest, GuestRequest, GuestResponse } from "../../src/runtime/runtime.ts";
import { createPlainEntropy } from "./virtual-clock.ts";

type Handler = (request: GuestRequest, signal: CallerSignal | undefined) => Promise<GuestResponse> | GuestResponse;

const encoder = new TextEncoder();
let ingress: Ingress | undefined;
afterEach(async () => {
  await ingress?.close(0);
  await ingress?.close(0);
});

/** An ingress before guests that answer as `handlers` say; `known` names are live and do not run. */
async function serve(
  handlers: Readonly<Record<string, Handler>>,
  options: { known?: readonly string[]; requestBodyMaxBytes?: number; log?: Log } = {},
): Promise<string> {
  const names = Object.keys(handlers);
  const targets: IngressTargets = {
    running: (name) =>
      names
        .filter((key) => key.split("#")[0] === name)
        .map((id) => ({
          id,
          guest: guestOf(handlers[id] ?? unreachable),
          requestBodyMaxBytes: options.requestBodyMaxBytes ?? 1_000_000,
        })),
    isKnown: (name) => (options.known ?? []).includes(name),
  };
  ingress = await openIngress({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--ingress-port",
    targets,
    entropy: createPlainEntropy(),
    log: options.log ?? silentLog,
  });
  return ingress.url;
}

function guestOf(handler: Handler): Guest {
  return {
    kind: "http",
    ended: new Promise(() => undefined),
    fetch: async (request, signal) => handler(request, signal),
    invoke: async () => [],
    deliver: async () => undefined,
    setRights: async () => undefined,
    drain: async () => undefined,
    kill: async () => undefined,
  };
}

const unreachable: Handler = () => {
  throw new Error("unreachable");
};

function answer(text: string, fields: Partial<GuestResponse> = {}): GuestResponse {
  return { status: 200, headers: [], body: bodyOf(text), trailers: Promise.resolve(undefined), ...fields };
}

async function* bodyOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield encoder.encode(text);
}

async function textOf(body: AsyncIterable<Uint8Array> | undefined): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of body ?? []) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe("the ingress's log", () => {
  const trapping: Handler = () => {
    throw fault(Reason.GUEST_TRAPPED, "Cannot finish call: the guest trapped");
  };

  test.each([
    ["info", [{ message: "ingress refused", requestId: "r-2", reason: "GUEST_TRAPPED", instance: "bad", name: "bad" }]],
    [
      "debug",
      [
        { message: "ingress", requestId: "r-1", status: 200, instance: "web", name: "web" },
        { message: "ingress refused", requestId: "r-2" },
        { message: "ingress refused", requestId: "r-3", reason: "NAME_NOT_SERVED" },
      ],
    ],
  ] as const)("has at level %s, under the caller's request id, what became of a request", async (level, expected) => {
    const lines: unknown[] = [];
    const log = createJsonLog({ level, write: (line) => void lines.push(JSON.parse(line)) });
    const url = await serve({ web: () => answer("hi"), bad: trapping }, { log });
    for (const [id, name] of [
      ["r-1", "web"],
      ["r-2", "bad"],
      ["r-3", "nobody"],
    ] as const)
      await (await fetch(`${url}/-/${name}/`, { headers: { "x-request-id": id } })).text();
    await vi.waitFor(() => expect(lines).toMatchObject(expected));
  });
});

describe("the ingress", () => {
  test("passes method, path, headers and body on, and the answer back", async () => {
    const url = await serve({
      web: async (request) =>
        answer(
          JSON.stringify({
            ...request,
            body: await textOf(request.body),
            headers: Object.fromEntries(request.headers),
          }),
          {
            status: 201,
            headers: [
              ["x-a", "1"],
              ["set-cookie", "a"],
              ["set-cookie", "b"],
            ],
          },
        ),
    });
    const response = await fetch(`${url}/-/web/path?q=1`, {
      method: "POST",
      body: "hello",
      headers: { "x-mine": "yes" },
    });
    expect(response.status).toBe(201);
    expect(response.headers.getSetCookie()).toEqual(["a", "b"]);
    const requestId = response.headers.get("x-request-id");
    expect(await response.json()).toMatchObject({
      method: "POST",
      scheme: "http",
      pathWithQuery: "/path?q=1",
      body: "hello",
      headers: { "x-mine": "yes", "x-forwarded-prefix": "/-/web", "x-request-id": requestId },
    });
  });

  test("takes over a request id", async () => {
    const url = await serve({ web: () => answer("") });
    const response = await fetch(`${url}/-/web/`, { headers: { "x-request-id": "abc-1" } });
    expect(response.headers.get("x-request-id")).toBe("abc-1");
  });

  test("routes by host", async () => {
    const url = new URL(await serve({ web: (request) => answer(`${request.authority}${request.pathWithQuery}`) }));
    const request = http.get({ host: url.hostname, port: url.port, path: "/x", headers: { host: "web.localhost" } });
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    expect(await textOf(response)).toBe("web.localhost/x");
  });

  test.each([
    ["/", 404, "NAME_NOT_SERVED"],
    ["/-/nobody/", 404, "NAME_NOT_SERVED"],
    ["/-/known/", 503, "INSTANCE_NOT_RUNNING"],
    ["/-/late/", 504, "CALL_TIMED_OUT"],
    ["/-/trap/", 502, "GUEST_TRAPPED"],
    ["/-/full/", 503, "CALL_QUEUE_FULL"],
    ["/-/big/", 413, "BODY_TOO_LARGE"],
    ["/-/bug/", 500, "INTERNAL"],
    ["/-/switch/", 502, "GUEST_TRAPPED"],
    ["/-/badheader/", 502, "GUEST_TRAPPED"],
  ])("answers %s with %i and the reason %s in one plain sentence", async (path, status, reason) => {
    const refusing =
      (why: Reason): Handler =>
      () => {
        throw fault(why, "Cannot do it");
      };
    const url = await serve(
      {
        late: refusing(Reason.CALL_TIMED_OUT),
        trap: refusing(Reason.GUEST_TRAPPED),
        full: refusing(Reason.CALL_QUEUE_FULL),
        big: refusing(Reason.BODY_TOO_LARGE),
        bug: unreachable,
        switch: () => answer("", { status: 101 }),
        badheader: () => answer("", { headers: [["x", "a\r\nb: c"]] }),
      },
      { known: ["known"] },
    );
    const response = await fetch(url + path);
    expect(response.status).toBe(status);
    expect(response.headers.get("x-wasmatrix-reason")).toBe(reason);
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.headers.get("x-request-id")).not.toBeNull();
    const text = await response.text();
    expect(text.startsWith(`${reason}: `)).toBe(true);
    expect(text.trimEnd()).not.toContain("\n");
  });

  test("streams both ways: a part of the answer is there before the request has ended", async () => {
    const url = new URL(await serve({ web: (request) => answer("", { body: request.body ?? bodyOf() }) }));
    const request = http.request({ host: url.hostname, port: url.port, path: "/-/web/", method: "POST" });
    request.write("first");
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    const parts = response[Symbol.asyncIterator]();
    expect(String((await parts.next()).value)).toBe("first");
    request.write("second");
    expect(String((await parts.next()).value)).toBe("second");
    request.end();
    expect((await parts.next()).done).toBe(true);
  });

  test("does not let a guest run ahead of a slow client", async () => {
    let produced = 0;
    const chunk = new Uint8Array(64 * 1024);
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        produced += chunk.length;
        yield chunk;
      }
    }
    const url = new URL(await serve({ web: () => answer("", { body: endless() }) }));
    const socket = connect(Number(url.port), url.hostname);
    socket.pause();
    socket.write("GET /-/web/ HTTP/1.1\r\nhost: x\r\n\r\n");
    let before = -1;
    // The sockets' buffers fill; then nothing more is asked of the guest.
    await vi.waitFor(
      () => {
        const grown = produced !== before || produced === 0;
        before = produced;
        expect(grown).toBe(false);
      },
      { timeout: 10_000, interval: 300 },
    );
    expect(produced).toBeLessThan(64 * 1024 * 1024);
    const grown = produced;
    socket.resume();
    await vi.waitFor(() => expect(produced).toBeGreaterThan(grown));
    socket.destroy();
  });

  test("tells the guest that the client has gone, before and amid the answer", async () => {
    const signals: CallerSignal[] = [];
    let returned = 0;
    async function* waiting(signal: CallerSignal | undefined): AsyncGenerator<Uint8Array> {
      try {
        yield encoder.encode("start");
        await new Promise<void>((resolve) => signal?.addEventListener("abort", resolve));
      } finally {
        returned += 1;
      }
    }
    const url = await serve({
      silent: (_, signal) => {
        if (signal !== undefined) signals.push(signal);
        return new Promise((_resolve, reject) =>
          signal?.addEventListener("abort", () => reject(fault(Reason.CANCELED, "gone"))),
        );
      },
      talking: (_, signal) => {
        if (signal !== undefined) signals.push(signal);
        return answer("", { body: waiting(signal) });
      },
    });
    const first = new AbortController();
    const silent = fetch(`${url}/-/silent/`, { signal: first.signal }).catch(() => undefined);
    await vi.waitFor(() => expect(signals).toHaveLength(1));
    first.abort();
    await silent;
    await vi.waitFor(() => expect(signals[0]?.aborted).toBe(true));

    const second = new AbortController();
    const response = await fetch(`${url}/-/talking/`, { signal: second.signal });
    await response.body?.getReader().read();
    second.abort();
    await vi.waitFor(() => expect(signals[1]?.aborted).toBe(true));
    await vi.waitFor(() => expect(returned).toBe(1));
  });

  test("cuts the connection when a guest fails amid its answer, so that half is not taken for whole", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield encoder.encode("half");
      throw fault(Reason.GUEST_TRAPPED, "unreachable");
    }
    const url = await serve({ web: () => answer("", { body: failing() }) });
    const response = await fetch(`${url}/-/web/`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  test("does not let a guest write more than it announced into the connection", async () => {
    const url = await serve({
      web: () => answer("", { headers: [["content-length", "2"]], body: bodyOf("ok", "HTTP/1.1 200 forged\r\n\r\n") }),
    });
    const text = await fetch(`${url}/-/web/`)
      .then((response) => response.text())
      .catch(() => "cut");
    expect(text).not.toContain("forged");
  });

  test("refuses a body that is announced too long without asking the guest, and takes one of the longest length", async () => {
    let calls = 0;
    const url = await serve(
      {
        web: async (request) => {
          calls += 1;
          return answer(String((await textOf(request.body)).length));
        },
      },
      { requestBodyMaxBytes: 100_000 },
    );
    const post = (length: number) => fetch(`${url}/-/web/`, { method: "POST", body: "x".repeat(length) });
    expect(await (await post(100_000)).text()).toBe("100000");
    const refused = await post(100_001);
    expect(refused.status).toBe(413);
    expect(await refused.text()).toContain("its limit is 100000 bytes (got 100001)");
    expect(calls).toBe(1);
  });

  test("survives clients that vanish at any moment, and forgets them", async () => {
    let open = 0;
    async function* counted(body: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<Uint8Array> {
      open += 1;
      try {
        for (let index = 0; index < 50; index++) yield new Uint8Array(4_000);
        if (body !== undefined) yield* body;
      } finally {
        open -= 1;
      }
    }
    const url = new URL(await serve({ web: (request) => answer("", { body: counted(request.body) }) }));
    const head = "POST /-/web/ HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    const whole = `${head}${"x".repeat(100_000)}`;
    for (let round = 0; round < 60; round++) {
      const socket = connect(Number(url.port), url.hostname);
      socket.on("error", () => undefined);
      await once(socket, "connect");
      const sentBytes = (round * 7_919) % whole.length;
      socket.write(whole.slice(0, sentBytes));
      if (round % 3 === 0 && sentBytes >= head.length) await once(socket, "data").catch(() => undefined);
      if (round % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await vi.waitFor(() => expect(open).toBe(0), { timeout: 10_000 });
    expect((await fetch(`${url.origin}/-/web/`)).status).toBe(200);
  });

  test("leaves the connection usable when a guest does not read the body", async () => {
    const url = new URL(await serve({ web: () => answer("done") }));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let count = 0; count < 3; count++) {
      const request = http.request({ host: url.hostname, port: url.port, path: "/-/web/", method: "POST", agent });
      request.end("x".repeat(200_000));
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      expect(await textOf(response)).toBe("done");
    }
    agent.destroy();
  });

  test("answers HEAD and 204 without a body and lets the guest go on", async () => {
    let returned = 0;
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        yield encoder.encode("body");
      } finally {
        returned += 1;
      }
    }
    const url = await serve({
      web: (request) =>
        answer("", {
          status: request.method === "HEAD" ? 200 : 204,
          headers: [["content-length", "4"]].slice(request.method === "HEAD" ? 0 : 1) as [string, string][],
          body: started(body()),
        }),
    });
    expect(await (await fetch(`${url}/-/web/`, { method: "HEAD" })).text()).toBe("");
    expect((await fetch(`${url}/-/web/`)).status).toBe(204);
    await vi.waitFor(() => expect(returned).toBe(2));
  });

  test("shares load: the least busy instance first, equals in turn; a gateway may choose", async () => {
    const release = Promise.withResolvers<void>();
    const served: string[] = [];
    const slow =
      (id: string): Handler =>
      async (request) => {
        served.push(id);
        if (request.pathWithQuery === "/slow") await release.promise;
        return answer(id);
      };
    const url = await serve({ "web#1": slow("1"), "web#2": slow("2"), "web#3": slow("3") });
    const blocked = fetch(`${url}/-/web/slow`);
    await vi.waitFor(() => expect(served).toHaveLength(1));
    const busy = served[0];
    const quick: string[] = [];
    for (let count = 0; count < 6; count++) quick.push(await (await fetch(`${url}/-/web/`)).text());
    expect(quick).not.toContain(busy);
    expect(new Set(quick).size).toBe(2);
    const chosen = await fetch(`${url}/-/web/`, { headers: { "x-wasmatrix-instance": `web#${busy}` } });
    expect(await chosen.text()).toBe(busy);
    const gone = await fetch(`${url}/-/web/`, { headers: { "x-wasmatrix-instance": "web#9" } });
    expect(gone.status).toBe(503);
    release.resolve();
    await blocked;
  });

  test("says which flag chooses another port when its own is taken", async () => {
    await serve({});
    const port = ingress?.port ?? 0;
    const second = openIngress({
      host: "127.0.0.1",
      port,
      portFlag: "--ingress-port",
      targets: { running: () => [], isKnown: () => false },
      entropy: createPlainEntropy(),
      log: silentLog,
    });
    await expect(second).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${port}: port is taken; choose another with --ingress-port`,
    );
  });
});

/** A generator whose `finally` runs on return only once it has begun. */
function started(body: AsyncGenerator<Uint8Array>): AsyncIterable<Uint8Array> {
  void body.next();
  return body;
}
