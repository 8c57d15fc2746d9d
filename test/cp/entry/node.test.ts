import { connect as connectTcp } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createConnectTransport as createWebTransport } from "@connectrpc/connect-web";
import { describe, expect, it } from "vitest";
import { serveControlPlane } from "../../../src/cp/entry/node.ts";
import { Reason } from "../../../src/fault.ts";
import { ControlPlaneService } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { silentLog } from "../../../src/log.ts";
import { faultTransport } from "../../../src/rpc/fault-transport.ts";
import { idOf, instanceOf } from "../node-history.ts";
import { inline, reasonOf } from "../test-fleet.ts";

import { clientOf, curl, joinAgent, running, serve } from "./one-port-fleet.ts";

const METHOD = "/wasmatrix.v1.ControlPlaneService/ListNodes";

describe("a control plane's one port", () => {
  it("answers plain JSON by curl", async () => {
    const { url } = await serve();
    const { status, body } = await curl("-H", "content-type: application/json", "-d", "{}", url + METHOD);
    expect([status, JSON.parse(body)]).toEqual([200, {}]);
    const missing = await curl(
      "-H",
      "content-type: application/json",
      "-d",
      '{"instance":"nobody"}',
      `${url}/wasmatrix.v1.ControlPlaneService/QueryInstance`,
    );
    expect(missing.status).toBe(404);
    expect(JSON.parse(missing.body)).toMatchObject({
      code: "not_found",
      message: expect.stringContaining("no instance has this id") as string,
    });
  });

  it.each([
    ["Connect over HTTP/1.1", (baseUrl: string) => createConnectTransport({ httpVersion: "1.1", baseUrl })],
    ["Connect over HTTP/2", (baseUrl: string) => createConnectTransport({ httpVersion: "2", baseUrl })],
    ["gRPC over HTTP/2 cleartext", (baseUrl: string) => createGrpcTransport({ baseUrl })],
    ["gRPC-Web over HTTP/1.1", (baseUrl: string) => createGrpcWebTransport({ httpVersion: "1.1", baseUrl })],
    ["Connect by fetch", (baseUrl: string) => createWebTransport({ baseUrl })],
  ])("serves %s: unary, both streams, and typed errors", async (_, transportTo) => {
    const controlPlane = await serve();
    const agent = await joinAgent(controlPlane);
    const client = createClient(ControlPlaneService, faultTransport(transportTo(controlPlane.url)));
    const { instance } = await client.startInstance({ spec: { name: "web" }, module: inline() });
    expect(agent.instances.has(instance?.id ?? "")).toBe(true);
    const kinds: FactKind[] = [];
    for await (const { facts } of client.watchFacts({})) kinds.push(...facts.map(({ kind }) => kind));
    expect(kinds).toEqual([FactKind.INSTANCE_STARTING, FactKind.INSTANCE_RUNNING]);
    const lines: string[] = [];
    for await (const message of client.tailLogs({ instance: "web" }))
      lines.push(...message.lines.map(({ text }) => text));
    expect(lines).toEqual(["hello"]);
    expect(await reasonOf(client.queryInstance({ instance: "nobody" }))).toBe(Reason.INSTANCE_NOT_FOUND);
    expect(await reasonOf(client.queryInstance({ instance: "" }))).toBe(Reason.INVALID_REQUEST);
  });

  it("says that it lives, whether it is ready, and what it waits for", async () => {
    const controlPlane = await serve();
    expect(await curl(`${controlPlane.url}/healthz`)).toEqual({ status: 200, body: '{"status":"ok"}' });
    expect(await curl(`${controlPlane.url}/`)).toEqual({
      status: 404,
      body: expect.stringMatching(/^Nothing is served at \/: .*\/-\/NAME\/.*\/metrics\n$/) as string,
    });
    expect(await curl(`${controlPlane.url}/readyz`)).toEqual({
      status: 503,
      body: '{"status":"waiting for first reports","rebuilding":[]}',
    });
    const client = createClient(
      ControlPlaneService,
      createConnectTransport({ httpVersion: "1.1", baseUrl: controlPlane.url }),
    );
    await client.registerNode({ info: { nodeId: "n7", protocolVersion: 1 }, epoch: "e1" });
    expect(await curl(`${controlPlane.url}/readyz`)).toEqual({
      status: 503,
      body: '{"status":"rebuilding","rebuilding":["n7"]}',
    });
    await client.reportStatus({ info: { nodeId: "n7", protocolVersion: 1 }, epoch: "e1", snapshot: { pageCount: 1 } });
    expect(await curl(`${controlPlane.url}/readyz`)).toEqual({
      status: 200,
      body: '{"status":"ready","rebuilding":[]}',
    });
    expect((await curl(`${controlPlane.url}/nothing`)).status).toBe(404);
  });

  it("counts instances, nodes, calls and restarts for Prometheus", async () => {
    const controlPlane = await serve();
    const agent = await joinAgent(controlPlane);
    agent.change(instanceOf({ id: idOf(1) }), FactKind.INSTANCE_RESTARTING);
    agent.change(instanceOf({ id: idOf(1) }), FactKind.CAPABILITY_DENIED);
    await agent.settled();
    await curl(
      "-H",
      "content-type: application/json",
      "-d",
      '{"instance":"nobody"}',
      `${controlPlane.url}/wasmatrix.v1.ControlPlaneService/QueryInstance`,
    );
    await curl("-H", "host: nobody.localhost", controlPlane.url);
    const { body } = await curl(`${controlPlane.url}/metrics`);
    for (const line of [
      'wasmatrix_instances{state="running"} 1',
      'wasmatrix_instances{state="unknown"} 0',
      'wasmatrix_nodes{state="available"} 1',
      "wasmatrix_nodes_rebuilding 0",
      "wasmatrix_instance_restarts_total 1",
      "wasmatrix_capability_denials_total 1",
      'wasmatrix_gateway_requests_total{status="404"} 1',
      'wasmatrix_rpc_duration_seconds_count{service="ControlPlaneService",method="QueryInstance",code="not_found"} 1',
      'wasmatrix_rpc_duration_seconds_bucket{service="ControlPlaneService",method="QueryInstance",code="not_found",le="+Inf"} 1',
    ])
      expect(body.split("\n")).toContain(line);
    for (const line of body.split("\n").filter((each) => each !== ""))
      expect(line).toMatch(/^(# (HELP|TYPE) .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [\d.e+-]+)$/);
  });

  it("wants the token where one is set, for calls and metrics but not for health, and no other one", async () => {
    const controlPlane = await serve({ token: "s3cret" });
    const json = ["-H", "content-type: application/json", "-d", "{}"];
    expect((await curl(...json, controlPlane.url + METHOD)).status).toBe(401);
    expect((await curl(...json, "-H", "authorization: Bearer wrong", controlPlane.url + METHOD)).status).toBe(401);
    expect((await curl(...json, "-H", "authorization: Bearer s3cret", controlPlane.url + METHOD)).status).toBe(200);
    expect(await curl(`${controlPlane.url}/metrics`)).toEqual({
      status: 401,
      body: "UNAUTHENTICATED: Cannot read metrics: no token was sent\n",
    });
    expect((await curl("-H", "authorization: Bearer wrong", `${controlPlane.url}/metrics`)).body).toContain(
      "the token is wrong",
    );
    expect((await curl("-H", "authorization: Bearer s3cret", `${controlPlane.url}/metrics`)).status).toBe(200);
    expect((await curl(`${controlPlane.url}/healthz`)).status).toBe(200);
    const agent = await joinAgent(controlPlane, { token: "s3cret" });
    expect(agent.nodeId).toBe("n1");
  });

  it("refuses to be reached from elsewhere without a token, and says what to set", async () => {
    await expect(serveControlPlane({ host: "0.0.0.0", port: 0, log: silentLog })).rejects.toThrow(
      /set --token or WASMATRIX_TOKEN/,
    );
  });

  it("serves pages that were led here by another host name nothing but the gateway, unless they have a token", async () => {
    const call = ["-H", "content-type: application/json", "-d", "{}"];
    const open = await serve();
    const rebound = await curl(...call, "-H", "host: evil.example:7420", open.url + METHOD);
    expect(rebound.status).toBe(401);
    expect(rebound.body).toContain('Cannot answer for host "evil.example:7420"');
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:7420"])
      expect((await curl(...call, "-H", `host: ${host}`, open.url + METHOD)).status).toBe(200);
    expect((await curl("-H", "host: evil.example", `${open.url}/-/nobody/`)).status).toBe(404);
    const guarded = await serve({ token: "s3cret" });
    const authorized = await curl(
      ...call,
      "-H",
      "host: cp.example",
      "-H",
      "authorization: Bearer s3cret",
      guarded.url + METHOD,
    );
    expect(authorized.status).toBe(200);
  });

  it("starts on another node when nobody listens at the address of the first", async () => {
    const controlPlane = await serve();
    const gone = await joinAgent(controlPlane, { nodeId: "n1" });
    await running.pop()?.close();
    const other = await joinAgent(controlPlane, { nodeId: "n2" });
    const client = clientOf(controlPlane);
    expect((await client.startInstance({ spec: {}, module: inline() })).instance?.nodeId).toBe("n2");
    expect([gone.instances.size, other.instances.size]).toEqual([0, 1]);
  });

  it("says that an agent does not accept its token", async () => {
    const controlPlane = await serve();
    await joinAgent(controlPlane, { agentToken: "other" });
    const starting = clientOf(controlPlane).startInstance({ spec: {}, module: inline() });
    await expect(starting).rejects.toThrow(/node "n1" does not accept this control plane's token$/);
    expect(await reasonOf(starting)).toBe(Reason.NODE_UNREACHABLE);
  });

  it("names the flag when its port is taken", async () => {
    const { port } = await serve();
    await expect(serveControlPlane({ port, log: silentLog })).rejects.toThrow(
      /port is taken; choose another with --port$/,
    );
  });

  it("refuses a message over the limit, and the next request is none the worse for it", async () => {
    const { url, port } = await serve();
    const client = createClient(
      ControlPlaneService,
      faultTransport(createConnectTransport({ httpVersion: "1.1", baseUrl: url })),
    );
    const args = (bytes: number): { instance: string; function: string; argsJson: string } => ({
      instance: "x".repeat(bytes),
      function: "f",
      argsJson: "[]",
    });
    await expect(client.invokeInstance(args(5 * 1024 ** 2))).rejects.toMatchObject({ code: "resource_exhausted" });
    expect(await reasonOf(client.invokeInstance(args(10)))).toBe(Reason.INSTANCE_NOT_FOUND);
    // On one connection: what is left of the first body must not be taken for a request.
    const said = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connectTcp(port, "127.0.0.1", () => {
        socket.write(
          `POST ${METHOD} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 50000000\r\n\r\n${" ".repeat(5 * 1024 ** 2)}`,
        );
      });
      socket.on("data", (chunk) => (text += chunk.toString()));
      socket.on("close", () => resolve(text));
      socket.on("error", (error) => (text === "" ? reject(error) : resolve(text)));
    });
    expect(said).toMatch(/^HTTP\/1\.1 429 .*\r\n(?:.*\r\n)*connection: close\r\n/i);
    expect(said.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it("closes at once though streams are open, and twice is as good as once", async () => {
    const controlPlane = await serveControlPlane({ port: 0, log: silentLog });
    const client = createClient(
      ControlPlaneService,
      faultTransport(createConnectTransport({ httpVersion: "2", baseUrl: controlPlane.url })),
    );
    const stream = client.watchFacts({ follow: true })[Symbol.asyncIterator]();
    await stream.next();
    const ended = reasonOf(stream.next());
    await Promise.all([controlPlane.close(5_000), controlPlane.close(5_000)]);
    expect(await ended).toBe(Reason.SHUTTING_DOWN);
    await expect(curl(`${controlPlane.url}/healthz`)).rejects.toThrow(/connect/);
  });
});
