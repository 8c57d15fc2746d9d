import { connect as connectHttp2 } from "node:http2";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import type { RunningControlPlane } from "../../../src/cp/entry/node.ts";
import { FactKind } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { idOf, instanceOf } from "../node-history.ts";

import { curl, joinAgent, running, serve } from "./one-port-fleet.ts";

const ORDINARY = ["GET", "HEAD", "POST"];
const METHOD = "/wasmatrix.v1.ControlPlaneService/ListNodes";

describe("the gateway on the same port", () => {
  async function serveGuest(): Promise<RunningControlPlane> {
    const guest = createServer((request, response) => {
      if (request.url?.endsWith("/break")) {
        response.write("half");
        setImmediate(() => response.destroy());
        return;
      }
      response.writeHead(200, { "x-url": request.url ?? "" });
      if (!ORDINARY.includes(request.method ?? "")) response.write(`${request.method} `);
      request.pipe(response);
    });
    await new Promise<void>((resolve) => guest.listen(0, "127.0.0.1", resolve));
    running.push({ close: () => new Promise((resolve) => guest.close(resolve).closeAllConnections()) });
    const controlPlane = await serve();
    const agent = await joinAgent(controlPlane, {
      ingressAddress: `http://127.0.0.1:${(guest.address() as AddressInfo).port}`,
    });
    agent.change(instanceOf({ id: idOf(1), name: "web" }), FactKind.INSTANCE_RUNNING);
    await agent.settled();
    return controlPlane;
  }

  it("takes requests by host before anything of the control plane's own, and by path", async () => {
    const { url } = await serveGuest();
    const body = "x".repeat(100_000);
    for (const path of [METHOD, "/healthz", "/metrics"])
      expect((await curl("-H", "host: web.localhost", "-d", "hi", url + path)).body).toBe("hi");
    expect((await curl("-d", body, `${url}/-/web/echo`)).body).toBe(body);
    expect(await curl(`${url}/-/nobody/`)).toEqual({
      status: 404,
      body: 'NAME_NOT_SERVED: Cannot pass request on: no live HTTP instance has the name "nobody"\n',
    });
    expect((await curl("-I", `${url}/-/web/`)).status).toBe(200);
    for (const method of ["PURGE", "PROPFIND", "REPORT"])
      expect(await curl("-X", method, "-d", "hi", `${url}/-/web/`)).toEqual({ status: 200, body: `${method} hi` });
    expect(await curl("-X", "TRACE", `${url}/-/web/`)).toEqual({
      status: 400,
      body: "INVALID_REQUEST: Cannot read request: method TRACE is not served\n",
    });
  });

  it("takes them over HTTP/2 as well", async () => {
    const { url } = await serveGuest();
    expect((await curl("--http2-prior-knowledge", "-d", "hi", `${url}/-/web/`)).body).toBe("hi");
    const session = connectHttp2(url);
    const stream = session.request({ ":path": "/-/web/a", ":method": "GET" });
    const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
    expect([headers[":status"], headers["x-url"]]).toEqual([200, "/-/web/a"]);
    stream.resume();
    session.close();
  });

  it("sends no faster than it is read, and all of it", async () => {
    const sizeBytes = 30 * 1024 ** 2;
    const guest = createServer((_, response) => response.end(Buffer.alloc(sizeBytes)));
    await new Promise<void>((resolve) => guest.listen(0, "127.0.0.1", resolve));
    running.push({ close: () => new Promise((resolve) => guest.close(resolve).closeAllConnections()) });
    const controlPlane = await serve();
    const ingressAddress = `http://127.0.0.1:${(guest.address() as AddressInfo).port}`;
    const agent = await joinAgent(controlPlane, { ingressAddress });
    agent.change(instanceOf({ id: idOf(1), name: "web" }), FactKind.INSTANCE_RUNNING);
    await agent.settled();
    const response = await fetch(`${controlPlane.url}/-/web/`);
    let received = 0;
    for await (const chunk of response.body ?? []) {
      received += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(received).toBe(sizeBytes);
    // A client that goes away half-way disturbs nobody.
    const abort = new AbortController();
    await fetch(`${controlPlane.url}/-/web/`, { signal: abort.signal });
    abort.abort();
    expect((await fetch(`${controlPlane.url}/-/web/`, { method: "DELETE" })).status).toBe(200);
  });

  it("cuts the connection when an instance breaks off in the midst of its answer, rather than ending it as if whole", async () => {
    const { url } = await serveGuest();
    await expect(curl(`${url}/-/web/break`)).rejects.toThrow(/transfer closed|chunked/i);
  });
});
