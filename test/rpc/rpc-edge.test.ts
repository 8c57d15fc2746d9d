/** The interceptors and the fault transport, over a real port and in each protocol that Node serves. */
import { Code, ConnectError, createClient, type Client, type ConnectRouter, type Transport } from "@connectrpc/connect";
import {
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { codeFromReason, Fault, fault, Reason, reasonName } from "../../src/fault.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { listenOnePort, type OnePort } from "../../src/listen/one-port.ts";
import { createJsonLog } from "../../src/log.ts";
import { requestIdHeaders, rpcClientInterceptors } from "../../src/rpc/client-interceptors.ts";
import { faultFromConnect, RemoteFault } from "../../src/rpc/fault-to-connect.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { requestIdKey } from "../../src/rpc/request-id.ts";
import { RPC_READ_MAX_BYTES } from "../../src/rpc/rpc-limits.ts";
import { rpcServerInterceptors, type RpcCallMeasure } from "../../src/rpc/server-interceptors.ts";

const TOKEN = "correct horse battery staple".replaceAll(" ", "-");
const reasons: ReadonlyMap<string, Reason> = new Map(Object.entries(Reason));
const logged: string[] = [];
const measured: RpcCallMeasure[] = [];
let port: OnePort;

function routes(router: ConnectRouter): void {
  const log = createJsonLog({ write: (line) => void logged.push(line), level: "debug" });
  const interceptors = rpcServerInterceptors({
    log,
    clock: systemClock,
    entropy: systemEntropy,
    token: TOKEN,
    onCall: (call) => void measured.push(call),
  });
  router.service(
    ControlPlaneService,
    {
      listNodes: () => ({}),
      queryInstance: ({ instance }) => {
        throw fault(reasons.get(instance) ?? Reason.UNSPECIFIED, `Cannot do it: ${instance}`, {
          subject: instance,
          cause: new Error("secret cause"),
        });
      },
      stopInstance: () => {
        throw new Error("secret in an unexpected error");
      },
      invokeInstance: (_, context) => ({ resultsJson: context.values.get(requestIdKey) }),
      uploadModule: async (pieces) => {
        let sizeBytes = 0n;
        for await (const piece of pieces) sizeBytes += BigInt(piece.chunk.length);
        return { sizeBytes };
      },
      async *watchFacts() {
        yield {};
        throw fault(Reason.CURSOR_INVALID, "Cannot resume: midway", { subject: "cursor" });
      },
    },
    { interceptors, readMaxBytes: RPC_READ_MAX_BYTES },
  );
}

beforeAll(async () => {
  port = await listenOnePort({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--port",
    handler: connectNodeAdapter({ routes }),
  });
});
afterAll(() => port.close());

const interceptors = rpcClientInterceptors({ token: TOKEN });
const transports: readonly (readonly [string, () => Transport])[] = [
  ["Connect over HTTP/1.1", () => createConnectTransport({ baseUrl: port.url, httpVersion: "1.1", interceptors })],
  ["Connect over HTTP/2", () => createConnectTransport({ baseUrl: port.url, httpVersion: "2", interceptors })],
  ["gRPC", () => createGrpcTransport({ baseUrl: port.url, interceptors })],
  ["gRPC-Web", () => createGrpcWebTransport({ baseUrl: port.url, httpVersion: "1.1", interceptors })],
];

describe.each(transports)("by %s", (_, transport) => {
  const client = (): Client<typeof ControlPlaneService> =>
    createClient(ControlPlaneService, faultTransport(transport()));

  test("every reason arrives as itself, with its code, subject and request id, and without its cause", async () => {
    for (const [localName, reason] of reasons) {
      const error = await rejection(client().queryInstance({ instance: localName }));
      expect(error).toBeInstanceOf(RemoteFault);
      expect(reasonName(error.reason)).toBe(localName);
      expect(error.code).toBe(codeFromReason(reason));
      expect(error).toMatchObject({ subject: localName, message: `Cannot do it: ${localName}` });
      expect(error).toHaveProperty("requestId", expect.stringMatching(/^[0-9a-f]{16}$/));
      expect(JSON.stringify(error)).not.toContain("secret");
    }
  });

  test("an unexpected error says only under which id it was logged, and is logged once with its cause", async () => {
    logged.length = 0;
    const requestId = "from-the-caller.1";
    const error = await rejection(client().stopInstance({ instance: "x" }, { headers: requestIdHeaders(requestId) }));
    expect(error).toMatchObject({ reason: Reason.INTERNAL, requestId });
    expect(error.message).toBe(`Internal error: the log has it under request id ${requestId}`);
    const lines = logged.filter((line) => line.includes("secret in an unexpected error"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(requestId);
  });

  test("a fault in the middle of a stream arrives after the messages before it", async () => {
    let messages = 0;
    const error = await rejection(
      (async () => {
        for await (const _message of client().watchFacts({})) messages += 1;
      })(),
    );
    expect(messages).toBe(1);
    expect(error).toMatchObject({ reason: Reason.CURSOR_INVALID, subject: "cursor" });
  });

  test("a field that breaks its rule is refused and named", async () => {
    const error = await rejection(client().queryInstance({ instance: "x".repeat(64) }));
    expect(error).toMatchObject({ reason: Reason.INVALID_REQUEST, subject: "instance" });
    expect(error.message).toMatch(/^Cannot accept QueryInstanceRequest: instance: .*63/);
  });

  test("a field that breaks its rule inside a client stream is refused too, and one that keeps it passes", async () => {
    const upload = (digest: string): Promise<{ sizeBytes: bigint }> =>
      client().uploadModule(once({ digest, chunk: new Uint8Array(1024) }));
    await expect(upload("")).resolves.toMatchObject({ sizeBytes: 1024n });
    expect(await rejection(upload("md5:1"))).toMatchObject({ reason: Reason.INVALID_REQUEST, subject: "digest" });
  });

  test("a message over the size limit is refused, and one under it passes", async () => {
    const invoke = (bytes: number): Promise<unknown> =>
      client().uploadModule(once({ digest: "", chunk: new Uint8Array(bytes) }));
    expect((await rejection(invoke(RPC_READ_MAX_BYTES + 1))).reason).toBe(Reason.BODY_TOO_LARGE);
    await invoke(1024 * 1024);
    const unary = (bytes: number): Promise<unknown> => client().queryInstance({ instance: "x".repeat(bytes) });
    expect((await rejection(unary(RPC_READ_MAX_BYTES + 1))).reason).toBe(Reason.BODY_TOO_LARGE);
    expect((await rejection(unary(RPC_READ_MAX_BYTES / 2))).reason).toBe(Reason.INVALID_REQUEST);
  });
});

describe("the token", () => {
  test.each([
    ["missing", undefined, "no token was sent"],
    ["wrong", "wrong", "the token is wrong"],
  ])("when %s is asked for, and never shown", async (_, token, why) => {
    const transport = createConnectTransport({
      baseUrl: port.url,
      httpVersion: "1.1",
      interceptors: rpcClientInterceptors({ token }),
    });
    const error = await rejection(createClient(ControlPlaneService, faultTransport(transport)).listNodes({}));
    expect(error).toMatchObject({ reason: Reason.UNAUTHENTICATED, message: `Cannot call ListNodes: ${why}` });
    expect(logged.join("\n") + JSON.stringify(error)).not.toContain(TOKEN);
  });
});

describe("every call", () => {
  test("carries its caller's request id into the handler, and a fresh one where the caller's is not fit for a log", async () => {
    const client = createClient(ControlPlaneService, faultTransport(transports[0]?.[1]() ?? expect.unreachable()));
    const request = { instance: "x", function: "f", argsJson: "[]" };
    const idOf = async (id: string): Promise<string> =>
      (await client.invokeInstance(request, { headers: requestIdHeaders(id) })).resultsJson;
    expect(await idOf("mine-1")).toBe("mine-1");
    expect(await idOf("a".repeat(65))).toMatch(/^[0-9a-f]{16}$/);
    expect(await idOf('mine","level":"error')).toMatch(/^[0-9a-f]{16}$/);
  });

  test("is measured with its method and code", async () => {
    const client = createClient(ControlPlaneService, faultTransport(transports[0]?.[1]() ?? expect.unreachable()));
    measured.length = 0;
    await client.listNodes({});
    await rejection(client.queryInstance({ instance: "INSTANCE_NOT_FOUND" }));
    const named = measured.map(({ method, code }) => `${method} ${code}`);
    expect(named).toEqual(["ListNodes ok", "QueryInstance not_found"]);
  });
});

test("a server that is not there is a node that cannot be reached", async () => {
  const gone = await listenOnePort({
    host: "127.0.0.1",
    port: 0,
    portFlag: "--port",
    handler: connectNodeAdapter({ routes }),
  });
  await gone.close();
  const transport = createConnectTransport({ baseUrl: gone.url, httpVersion: "1.1" });
  const error = await rejection(createClient(ControlPlaneService, faultTransport(transport)).listNodes({}));
  expect(error.reason).toBe(Reason.NODE_UNREACHABLE);
});

test("a server that takes no new calls because it shuts down cannot be reached; another broken stream is an error", () => {
  const reasonOf = (code: string): Reason => {
    const cause = Object.assign(new Error(`Stream closed with error code ${code}`), { code: "ERR_HTTP2_STREAM_ERROR" });
    return faultFromConnect(new ConnectError(cause.message, Code.Internal, undefined, undefined, cause)).reason;
  };
  expect(reasonOf("NGHTTP2_REFUSED_STREAM")).toBe(Reason.NODE_UNREACHABLE);
  expect(reasonOf("NGHTTP2_INTERNAL_ERROR")).toBe(Reason.INTERNAL);
});

async function* once<T>(message: T): AsyncGenerator<T> {
  yield message;
}

async function rejection(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw new Error("Expected a rejection with a fault", { cause: error });
}
