import { once } from "node:events";
import * as http2 from "node:http2";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { listenOnePort, type OnePort } from "../../src/listen/one-port.ts";
import { cutStalledBody } from "../../src/listen/stalled-body.ts";

const opened: OnePort[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((port) => port.close(0)));
});

/** Reads the body, waits for `beforeAnswer`, and answers its length. */
async function listen(stallMaxMs: number, beforeAnswer: Promise<void> = Promise.resolve()): Promise<OnePort> {
  const port = await listenOnePort({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--port",
    handler(request, response) {
      cutStalledBody(request, stallMaxMs);
      let length = 0;
      request.on("error", () => undefined);
      request.on("data", (chunk: Buffer) => (length += chunk.length));
      request.on("end", () => void beforeAnswer.then(() => response.end(String(length))));
    },
  });
  opened.push(port);
  return port;
}

const HEAD = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n";

describe("a body that stops coming", () => {
  test("is cut over HTTP/1.1", async () => {
    const { port } = await listen(50);
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`${HEAD}abc`);
    socket.resume();
    await once(socket, "close");
  });

  test("is cut over HTTP/2, and its session goes on", async () => {
    const { url } = await listen(50);
    const session = http2.connect(url);
    const stalled = session.request({ ":path": "/", ":method": "POST" });
    stalled.on("error", () => undefined);
    stalled.write("abc");
    stalled.resume();
    await once(stalled, "close");
    expect(await answerTo(session)).toBe("6");
    session.close();
  });
});

describe("a body that comes to its end", () => {
  test("is answered over HTTP/1.1, and the connection is good for another", async () => {
    const { url } = await listen(60_000);
    for (const body of ["abc", "abcdef"]) {
      expect(await (await fetch(url, { method: "POST", body })).text()).toBe(String(body.length));
    }
  });

  test("may be answered long after", async () => {
    const answer = Promise.withResolvers<void>();
    const { url } = await listen(50, answer.promise);
    const session = http2.connect(url);
    const [byHttp1, byHttp2] = [fetch(url, { method: "POST", body: "abcdef" }), answerTo(session)];
    // A stalled one that begins later shows that the time is over for these, too.
    const { port } = await listen(100);
    const later = connect(port, "127.0.0.1").on("error", () => undefined);
    later.write(`${HEAD}abc`);
    later.resume();
    await once(later, "close");
    answer.resolve();
    expect(await (await byHttp1).text()).toBe("6");
    expect(await byHttp2).toBe("6");
    session.close();
  });
});

async function answerTo(session: http2.ClientHttp2Session): Promise<string> {
  const stream = session.request({ ":path": "/", ":method": "POST" });
  stream.end("abcdef");
  let body = "";
  for await (const chunk of stream) body += String(chunk);
  return body;
}
