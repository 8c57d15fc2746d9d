import * as http from "node:http";
import * as http2 from "node:http2";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { Reason } from "../../src/fault.ts";
import { assertMayBind, isLoopback } from "../../src/listen/bind-rule.ts";
import { listenOnePort, type OnePort, type OnePortOptions } from "../../src/listen/one-port.ts";

const opened: OnePort[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((port) => port.close(0)));
});

async function listen(options: Partial<OnePortOptions> = {}): Promise<OnePort> {
  const port = await listenOnePort({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--port",
    handler: (request, response) => void response.end(`HTTP/${request.httpVersion} ${request.url ?? ""}`),
    ...options,
  });
  opened.push(port);
  return port;
}

describe("one port", () => {
  test("serves HTTP/1.1", async () => {
    const { url } = await listen();
    expect(await (await fetch(`${url}/a`)).text()).toBe("HTTP/1.1 /a");
  });

  test("serves HTTP/2 with prior knowledge", async () => {
    const { url } = await listen();
    const session = http2.connect(url);
    const stream = session.request({ ":path": "/b" });
    let body = "";
    for await (const chunk of stream) body += String(chunk);
    session.close();
    expect(body).toBe("HTTP/2.0 /b");
  });

  test("serves a peer that sends its first bytes one by one", async () => {
    const { port } = await listen();
    const socket = connect(port, "127.0.0.1").setNoDelay(true);
    for (const byte of "GET /c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") {
      socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await readAll(socket)).toContain("HTTP/1.1 /c");
  });

  test("tells a method that begins like the HTTP/2 preface from the preface", async () => {
    const { port } = await listen();
    const socket = connect(port, "127.0.0.1");
    socket.write("PRI * HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(await readAll(socket)).toContain("400 Bad Request");
  });

  test("cuts a peer that says nothing, and one that stops inside the preface", async () => {
    const { port } = await listen({ headersTimeoutMs: 50 });
    for (const said of ["", "PRI * HT"]) {
      const socket = connect(port, "127.0.0.1");
      socket.write(said);
      expect(await readAll(socket)).toBe("");
    }
  });

  test("ends what an HTTP/2 peer had open when it goes away", async () => {
    const closed = Promise.withResolvers<void>();
    const { port } = await listen({
      handler(_, response) {
        response.once("close", closed.resolve);
        // It is never ended.
        if (response instanceof http2.Http2ServerResponse) response.write("the first of many");
      },
    });
    const socket = connect(port, "127.0.0.1");
    socket.write(FIRST_HTTP2_REQUEST);
    await once(socket, "data");
    // As the kernel does for a process that was killed.
    socket.end();
    await closed.promise;
  });

  test("cuts an HTTP/2 peer that asks for nothing, and leaves one that has asked", async () => {
    const { port, url } = await listen({ headersTimeoutMs: 50 });
    const session = http2.connect(url);
    const first = session.request({ ":path": "/first" });
    first.resume();
    await once(first, "close");
    const silent = connect(port, "127.0.0.1");
    silent.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    silent.resume();
    await once(silent, "close");
    const second = session.request({ ":path": "/second" });
    let body = "";
    for await (const chunk of second) body += String(chunk);
    session.close();
    expect(body).toBe("HTTP/2.0 /second");
  });

  test("that is taken is refused with the flag that chooses another", async () => {
    const { port } = await listen();
    await expect(listen({ port, portFlag: "--ingress-port" })).rejects.toMatchObject({
      reason: Reason.INVALID_REQUEST,
      message: `Cannot listen on 127.0.0.1:${String(port)}: port is taken; choose another with --ingress-port`,
    });
  });

  test("of a foreign address is refused", async () => {
    await expect(listen({ host: "203.0.113.1" })).rejects.toMatchObject({
      message: expect.stringContaining("the address does not belong to this machine"),
    });
  });

  test("lets a request in flight finish when it closes, and cuts one that takes longer than the grace time", async () => {
    const waiting: http.ServerResponse[] = [];
    const handler: OnePortOptions["handler"] = (_, response) => {
      if (response instanceof http.ServerResponse) waiting.push(response);
    };
    const patient = await listen({ handler });
    const answered = fetch(patient.url);
    await expect.poll(() => waiting.length).toBe(1);
    const closed = patient.close(60_000);
    waiting[0]?.end("done");
    expect(await (await answered).text()).toBe("done");
    await closed;

    const impatient = await listen({ handler });
    const cut = expect(fetch(impatient.url)).rejects.toThrow();
    await expect.poll(() => waiting.length).toBe(2);
    await impatient.close(1);
    await impatient.close(1);
    await cut;
  });
});

describe("binding", () => {
  const request = { token: undefined, what: "the control plane", hostFlag: "--host" };

  test("to loopback needs no token", () => {
    for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]) {
      expect(isLoopback(host)).toBe(true);
      assertMayBind({ ...request, host });
    }
  });

  test("to another address without a token is refused and says what to set", () => {
    for (const host of ["0.0.0.0", "::", "192.0.2.1", "127.0.0.1.example.com", "localhost.example.com"]) {
      expect(isLoopback(host)).toBe(false);
      expect(() => assertMayBind({ ...request, host })).toThrow(/set --token or WASMATRIX_TOKEN/);
    }
  });

  test("to another address with a token is allowed", () => {
    assertMayBind({ ...request, host: "0.0.0.0", token: "t" });
  });
});

/** Preface, empty SETTINGS, and HEADERS of `GET / http` to host `x` that end stream 1. */
const FIRST_HTTP2_REQUEST: Buffer = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from("000000040000000000", "hex"),
  Buffer.from("000006010500000001828684410178", "hex"),
]);

async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => void (text += chunk.toString()));
  socket.on("error", () => undefined);
  await once(socket, "close");
  return text;
}
