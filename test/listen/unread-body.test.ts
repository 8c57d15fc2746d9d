import { once } from "node:events";
import * as http from "node:http";
import { connect, type AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { closeUnlessRead, drainRest } from "../../src/listen/unread-body.ts";

let server: http.Server | undefined;
afterEach(() => server?.close());

/** Answers before it has read anything, and drains for `drainMaxMs`. */
async function listen(drainMaxMs: number): Promise<number> {
  server = http.createServer((request, response) => {
    response.once("finish", () => drainRest(request, drainMaxMs));
    response.end("enough");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const head = (bytes: number): string => `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${String(bytes)}\r\n\r\n`;

test("a body that nobody wanted is read away, and the next request on the connection is answered", async () => {
  const socket = connect(await listen(60_000), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(
    head(10_000_000) + "x".repeat(10_000_000) + head(0).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"),
  );
  await once(socket, "close");
  expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
});

test("a client that goes on sending for too long is cut", async () => {
  const socket = connect(await listen(50), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  socket.write(`${head(10)}abc`);
  await once(socket, "close");
});

test("an answer to half a request takes the connection along, an answer to a whole one does not", async () => {
  server = http.createServer((request, response) => {
    closeUnlessRead(request, response);
    request.once("data", () => setImmediate(() => response.end("answer")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const whole = await fetch(`http://127.0.0.1:${String(port)}`, { method: "POST", body: "abc" });
  expect(whole.headers.get("connection")).toBe("keep-alive");
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.write(`${head(10)}abc`);
  await once(socket, "close");
  expect(text).toMatch(/connection: close/i);
});
