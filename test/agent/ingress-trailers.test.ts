import * as http from "node:http";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { openIngress } from "../../src/agent/ingress.ts";
import { silentLog } from "../../src/log.ts";
import type { HttpHeaders } from "../../src/providers/http/http.ts";
import type { Guest, GuestRequest, GuestResponse } from "../../src/runtime/runtime.ts";
import { createPlainEntropy } from "./virtual-clock.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) await close();
});

/** An ingress with one instance "x" in front of `fetch`. */
async function openOn(fetch: (request: GuestRequest) => Promise<GuestResponse>): Promise<string> {
  const guest: Guest = {
    kind: "http",
    ended: new Promise(() => undefined),
    fetch,
    invoke: async () => [],
    deliver: async () => undefined,
    setRights: async () => undefined,
    drain: async () => undefined,
    kill: async () => undefined,
  };
  const ingress = await openIngress({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--ingress-port",
    targets: { running: () => [{ id: "x", guest, requestBodyMaxBytes: 1_000 }], isKnown: () => true },
    entropy: createPlainEntropy(),
    log: silentLog,
  });
  closers.push(() => ingress.close(0));
  return `${ingress.url}/-/x/`;
}

const withTrailers = (trailers: Promise<HttpHeaders | undefined>, headers: HttpHeaders = []): GuestResponse => ({
  status: 200,
  headers,
  body: (async function* () {
    yield Buffer.from("body");
  })(),
  trailers,
});

async function get(
  url: string,
): Promise<{ readonly text: string; readonly trailers: http.IncomingMessage["trailers"] }> {
  const [response] = (await once(http.get(url, { agent: false }), "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { text, trailers: response.trailers };
}

describe("trailers at the ingress", () => {
  test("of a response follow its body, without those that would say where the message ends", async () => {
    const url = await openOn(async () =>
      withTrailers(
        Promise.resolve([
          ["grpc-status", "0"],
          ["x-sum", "abc"],
          ["content-length", "3"],
          ["transfer-encoding", "chunked"],
        ]),
      ),
    );
    expect(await get(url)).toEqual({ text: "body", trailers: { "grpc-status": "0", "x-sum": "abc" } });
  });

  test("are left out where there are none, or where the body's length was announced", async () => {
    expect(await get(await openOn(async () => withTrailers(Promise.resolve(undefined))))).toEqual({
      text: "body",
      trailers: {},
    });
    // It never settles: nobody waits for what cannot be sent.
    const url = await openOn(async () => withTrailers(new Promise(() => undefined), [["content-length", "4"]]));
    expect(await get(url)).toEqual({ text: "body", trailers: {} });
  });

  test("that are no headers, or of a guest that fails after its body, cut the connection", async () => {
    const invalid = async (): Promise<HttpHeaders> => [["x\r\ny", "z"]];
    const failing = () => Promise.reject(new Error("trapped"));
    for (const trailers of [invalid, failing]) {
      await expect(get(await openOn(async () => withTrailers(trailers())))).rejects.toThrow(/aborted|hang up/);
    }
  });

  test("of a request reach the guest once it has read the body", async () => {
    const seen: unknown[] = [];
    const url = await openOn(async (request) => {
      seen.push(request.trailers?.());
      for await (const chunk of request.body ?? []) seen.push(Buffer.from(chunk).toString());
      seen.push(request.trailers?.());
      return withTrailers(Promise.resolve(undefined));
    });
    const request = http.request(url, { method: "POST", agent: false, headers: { "transfer-encoding": "chunked" } });
    request.addTrailers({ "X-Sum": "abc", authorization: "x" });
    request.end("hello");
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    response.resume();
    await once(response, "end");
    expect(seen).toEqual([undefined, "hello", [["x-sum", "abc"]]]);
  });
});
