import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it } from "vitest";
import { gatewayTargetFromUrl } from "../../../src/cp/gateway/gateway-route.ts";
import type { ControlPlaneLimits } from "../../../src/cp/limits.ts";
import { FactKind } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { GuestKind, InstanceState, LimitsSchema, type Instance } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { createJsonLog, silentLog, type Log } from "../../../src/log.ts";
import type { MemoryAgent } from "../memory-agent.ts";
import { idOf, instanceOf } from "../node-history.ts";
import { createTestFleet, eventually, type TestFleet } from "../test-fleet.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function createGatewayFleet(limits: Partial<ControlPlaneLimits> = {}, log: Log = silentLog): TestFleet {
  return createTestFleet({ fetch: (url, init) => fetch(url, init), limits, log });
}

/** A node whose ingress is `ingressAddress`, with running HTTP instances of the name `web`. */
async function addServingNode(
  fleet: TestFleet,
  nodeId: string,
  ingressAddress: string,
  ids: readonly string[],
  fields: Pick<Instance, "limits"> = {},
): Promise<MemoryAgent> {
  const agent = await fleet.addAgent({ nodeId, ingressAddress });
  for (const id of ids) agent.change(instanceOf({ ...fields, id, nodeId, name: "web" }), FactKind.INSTANCE_RUNNING);
  await agent.settled();
  return agent;
}

const ask = (fleet: TestFleet, url: string, init?: RequestInit & { duplex?: "half" }): Promise<Response> =>
  fleet.controlPlane.fetch(new Request(url, init));

describe("the target of a request", () => {
  const targetOf = (url: string): unknown => gatewayTargetFromUrl(new URL(url));

  it("is named by path or by host; anything else is for the control plane", () => {
    expect(targetOf("http://127.0.0.1:7420/-/web/a/b?c=d")).toEqual({ name: "web", pathWithQuery: "/a/b?c=d" });
    expect(targetOf("http://127.0.0.1:7420/-/web")).toEqual({ name: "web", pathWithQuery: "/" });
    expect(targetOf("http://127.0.0.1:7420/-/web?x")).toEqual({ name: "web", pathWithQuery: "/?x" });
    expect(targetOf("http://web.localhost:7420/a?b")).toEqual({ name: "web", pathWithQuery: "/a?b" });
    expect(targetOf("http://WEB.localhost/healthz")).toEqual({ name: "web", pathWithQuery: "/healthz" });
    for (const url of [
      "http://localhost:7420/a",
      "http://127.0.0.1/healthz",
      "http://a.b.localhost/",
      "http://web.example/",
    ])
      expect(targetOf(url)).toBeUndefined();
  });

  it("is the path's if both name one", () => {
    expect(targetOf("http://web.localhost/-/other/a")).toEqual({ name: "other", pathWithQuery: "/a" });
  });
});

describe("the gateway", () => {
  it("passes method, path, query, headers and body on, and status, headers and body back", async () => {
    const fleet = createGatewayFleet();
    const seen: {
      url: string | undefined;
      method: string | undefined;
      headers: IncomingMessage["headers"];
      body: string;
    }[] = [];
    const ingress = await listen((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen.push({ url: request.url, method: request.method, headers: request.headers, body });
        response
          .writeHead(201, { "x-guest": "yes", "set-cookie": ["a=1", "b=2"], "keep-alive": "timeout=9" })
          .end("made");
      });
    });
    await addServingNode(fleet, "n1", ingress, [idOf(1)]);
    const response = await ask(fleet, "http://web.localhost:7420/things?x=1", {
      method: "POST",
      body: "thing",
      headers: {
        "x-client": "me",
        "x-request-id": "r-1",
        "proxy-authorization": "secret",
        "x-wasmatrix-instance": "forged",
        "content-length": "5",
      },
    });
    expect([
      response.status,
      await response.text(),
      response.headers.get("x-guest"),
      response.headers.getSetCookie(),
    ]).toEqual([201, "made", "yes", ["a=1", "b=2"]]);
    expect(response.headers.get("x-request-id")).toBe("r-1");
    expect(response.headers.get("keep-alive")).toBeNull();
    expect(seen[0]).toMatchObject({ url: "/-/web/things?x=1", method: "POST", body: "thing" });
    expect(seen[0]?.headers).toMatchObject({
      "x-client": "me",
      "x-request-id": "r-1",
      "x-wasmatrix-instance": idOf(1),
      "x-forwarded-host": "web.localhost:7420",
      "content-length": "5",
    });
    expect(seen[0]?.headers["proxy-authorization"]).toBeUndefined();
  });

  it("streams both ways: the answer begins while the question still goes on", async () => {
    const fleet = createGatewayFleet();
    const ingress = await listen((request, response) => void request.pipe(response));
    await addServingNode(fleet, "n1", ingress, [idOf(1)]);
    const question = new TransformStream<Uint8Array, Uint8Array>();
    const writer = question.writable.getWriter();
    const first = writer.write(new TextEncoder().encode("one"));
    const response = await ask(fleet, "http://web.localhost/", {
      method: "POST",
      body: question.readable,
      duplex: "half",
    });
    const reader = response.body?.getReader();
    await first;
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("one");
    await writer.write(new TextEncoder().encode("two"));
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("two");
    await writer.close();
    expect((await reader?.read())?.done).toBe(true);
  });

  it("does not follow an instance's redirects, and hands on what was compressed in plain", async () => {
    const fleet = createGatewayFleet();
    const ingress = await listen((request, response) => {
      if (request.url?.endsWith("/gzip"))
        response.writeHead(200, { "content-encoding": "gzip" }).end(Buffer.from(new Uint8Array(GZIPPED_HELLO)));
      else response.writeHead(302, { location: "/elsewhere" }).end();
    });
    await addServingNode(fleet, "n1", ingress, [idOf(1)]);
    const redirect = await ask(fleet, "http://web.localhost/");
    expect([redirect.status, redirect.headers.get("location")]).toEqual([302, "/elsewhere"]);
    const plain = await ask(fleet, "http://web.localhost/gzip");
    expect([await plain.text(), plain.headers.get("content-encoding")]).toEqual(["hello", null]);
  });

  it("shares the load over nodes and instances, and gives the next request to the least busy", async () => {
    const fleet = createGatewayFleet();
    const waiting: { readonly id: string; readonly response: ServerResponse }[] = [];
    const ingress = await listen((request, response) => {
      waiting.push({ id: String(request.headers["x-wasmatrix-instance"]), response });
    });
    await addServingNode(fleet, "n1", ingress, [idOf(1), idOf(2)]);
    await addServingNode(fleet, "n2", ingress, [idOf(3)]);
    const answers: Promise<string>[] = [];
    let ended = 0;
    const send = async (): Promise<void> => {
      const before = waiting.length;
      const answer = ask(fleet, "http://web.localhost/").then((response) => response.text());
      answers.push(answer.finally(() => (ended += 1)));
      await eventually(() => expect(waiting).toHaveLength(before + 1));
    };
    for (let count = 0; count < 6; count++) await send();
    expect(waiting.map(({ id }) => id).sort()).toEqual([idOf(1), idOf(1), idOf(2), idOf(2), idOf(3), idOf(3)]);
    for (const { id, response } of waiting) if (id === idOf(2)) response.end("done");
    await eventually(() => expect(ended).toBe(2));
    for (let count = 0; count < 2; count++) await send();
    expect(waiting.slice(6).map(({ id }) => id)).toEqual([idOf(2), idOf(2)]);
    for (const { response } of waiting) response.end();
    await Promise.all(answers);
  });

  it("tells an unknown name from one that does not run just now", async () => {
    const fleet = createGatewayFleet();
    const agent = await addServingNode(fleet, "n1", "http://127.0.0.1:1", [idOf(1)]);
    const said = async (): Promise<unknown[]> => {
      const response = await ask(fleet, "http://x/-/web/");
      return [response.status, response.headers.get("x-wasmatrix-reason"), await response.text()];
    };
    agent.change(instanceOf({ id: idOf(1), name: "web", state: InstanceState.BACKOFF }), FactKind.INSTANCE_RESTARTING);
    await agent.settled();
    expect(await said()).toEqual([
      503,
      "INSTANCE_NOT_RUNNING",
      'INSTANCE_NOT_RUNNING: Cannot pass request on: no instance of "web" can take it (1 live: backoff)\n',
    ]);
    agent.change(instanceOf({ id: idOf(1), name: "web", state: InstanceState.STOPPED }), FactKind.INSTANCE_STOPPED);
    await agent.settled();
    expect((await said()).slice(0, 2)).toEqual([404, "NAME_NOT_SERVED"]);
    agent.change(instanceOf({ id: idOf(2), name: "web", kind: GuestKind.FUNCTIONS }), FactKind.INSTANCE_RUNNING);
    await agent.settled();
    expect((await said()).slice(0, 2)).toEqual([404, "NAME_NOT_SERVED"]);
  });

  it("passes over a node that nobody can connect to, and says so if there is no other", async () => {
    const fleet = createGatewayFleet();
    const closed = await listen(() => undefined);
    servers.pop()?.close();
    await addServingNode(fleet, "n1", closed, [idOf(1)]);
    const alone = await ask(fleet, "http://web.localhost/");
    expect([alone.status, alone.headers.get("x-wasmatrix-reason")]).toEqual([503, "NODE_UNREACHABLE"]);
    await addServingNode(fleet, "n2", await listen((_, response) => response.end("here")), [idOf(2)]);
    for (let count = 0; count < 4; count++)
      expect(
        await (
          await ask(fleet, "http://web.localhost/", { method: "POST", body: "x", headers: { "content-length": "1" } })
        ).text(),
      ).toBe("here");
  });

  it.each([
    ["the gateway's limit", { gatewayRequestBodyMaxBytes: 100_000 }, {}],
    ["the limit of the instance", {}, { limits: create(LimitsSchema, { requestBodyMaxBytes: 100_000n }) }],
  ])("refuses a body over %s, announced or not, and passes one of just that size", async (_, limits, fields) => {
    const fleet = createGatewayFleet(limits);
    const ingress = await listen((request, response) => {
      let sizeBytes = 0;
      request.on("data", (chunk: Buffer) => (sizeBytes += chunk.length));
      request.on("end", () => response.end(String(sizeBytes)));
      request.on("error", () => undefined);
    });
    await addServingNode(fleet, "n1", ingress, [idOf(1)], fields);
    const post = (sizeBytes: number, announced: boolean): Promise<Response> =>
      ask(fleet, "http://web.localhost/", {
        method: "POST",
        body: new Uint8Array(sizeBytes),
        ...(announced ? { headers: { "content-length": String(sizeBytes) } } : {}),
      });
    for (const announced of [true, false]) {
      expect(await (await post(100_000, announced)).text()).toBe("100000");
      const refused = await post(100_001, announced);
      expect([refused.status, refused.headers.get("x-wasmatrix-reason")]).toEqual([413, "BODY_TOO_LARGE"]);
    }
  });

  it.each([
    ["info", ["r-2 gateway refused NODE_UNREACHABLE"]],
    ["debug", ["r-1 gateway ", "r-2 gateway refused NODE_UNREACHABLE", "r-3 gateway NAME_NOT_SERVED"]],
  ] as const)("logs at level %s, under the caller's request id, what became of a request", async (level, expected) => {
    const lines: string[] = [];
    const write = (line: string): void => {
      const { requestId, message, reason = "" }: Record<string, string> = JSON.parse(line);
      if (message?.startsWith("gateway") === true) lines.push(`${requestId} ${message} ${reason}`);
    };
    const fleet = createGatewayFleet({}, createJsonLog({ level, write }));
    await addServingNode(fleet, "n1", await listen((_, response) => response.end("here")), [idOf(1)]);
    const askAs = (id: string, name: string): Promise<Response> =>
      ask(fleet, `http://${name}.localhost/`, { headers: { "x-request-id": id } });
    expect((await askAs("r-1", "web")).status).toBe(200);
    for (const server of servers.splice(0)) server.close().closeAllConnections();
    expect((await askAs("r-2", "web")).status).toBe(503);
    expect((await askAs("r-3", "nobody")).status).toBe(404);
    expect(lines).toEqual(expected);
  });

  it("gives up on an instance that does not begin to answer", async () => {
    const fleet = createGatewayFleet({ gatewayTimeoutMs: 2_000 });
    let asked = false;
    await addServingNode(fleet, "n1", await listen(() => (asked = true)), [idOf(1)]);
    const pending = ask(fleet, "http://web.localhost/");
    await eventually(() => expect(asked).toBe(true));
    fleet.clock.advance(2_000);
    const response = await pending;
    expect([response.status, response.headers.get("x-wasmatrix-reason")]).toEqual([504, "CALL_TIMED_OUT"]);
  });

  it("takes no more requests at once than its limit, and takes others when some have ended or been given up", async () => {
    const fleet = createGatewayFleet({ gatewayRequestsMax: 1 });
    await addServingNode(fleet, "n1", await listen((_, response) => void response.write("begun")), [idOf(1)]);
    const first = await ask(fleet, "http://web.localhost/");
    expect((await ask(fleet, "http://web.localhost/")).status).toBe(503);
    await first.body?.cancel();
    const again = await ask(fleet, "http://web.localhost/");
    expect(again.status).toBe(200);
    await again.body?.cancel();
    expect((await ask(fleet, "http://unknown.localhost/")).status).toBe(404);
    expect((await ask(fleet, "http://web.localhost/")).status).toBe(200);
  });
});

/** `hello`, compressed by gzip. */
const GZIPPED_HELLO = [31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 203, 72, 205, 201, 201, 7, 0, 134, 166, 16, 54, 5, 0, 0, 0];
