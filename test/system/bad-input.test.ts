/** What a user may get wrong: each answers with a code, a typed reason and a sentence, and disturbs nothing. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import wabt from "wabt";
import { serveAgent, type RunningAgent } from "../../src/agent/serve.ts";
import { serveControlPlane, type RunningControlPlane } from "../../src/cp/entry/node.ts";
import { instanceIdFromKey } from "../../src/cp/start/instance-id.ts";
import { codeName } from "../../src/rpc/code-name.ts";
import { Fault, Reason, reasonName } from "../../src/fault.ts";
import { ControlPlaneService, type ModuleSourceSchema } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { CapabilityType, type InstanceSpecSchema } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { silentLog } from "../../src/log.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";

type Start = {
  readonly spec?: MessageInitShape<typeof InstanceSpecSchema>;
  readonly module?: MessageInitShape<typeof ModuleSourceSchema>;
  readonly idempotencyKey?: string;
  readonly uniqueName?: boolean;
  readonly nodeId?: string;
  readonly nodeLabels?: Record<string, string>;
};

const functions: Uint8Array = readFileSync(join(import.meta.dirname, "../../examples/functions/functions.wasm"));
const MODULE_MAX_BYTES = 64 * 1024 * 1024;

const dataDir: string = mkdtempSync(join(tmpdir(), "wasmatrix-bad-input-"));
let web: Server;
let webUrl: string;
let controlPlane: RunningControlPlane;
let agent: RunningAgent | undefined;
let api: Client<typeof ControlPlaneService>;
let neighbour: string;

beforeAll(async () => {
  web = createServer((request, response) => {
    if (request.url === "/functions.wasm") return void response.end(functions);
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  webUrl = `http://127.0.0.1:${String((web.address() as AddressInfo).port)}`;
  controlPlane = await serveControlPlane({ port: 0, log: silentLog });
  api = createClient(
    ControlPlaneService,
    faultTransport(createConnectTransport({ baseUrl: controlPlane.url, httpVersion: "2" })),
  );
  const ports = { port: 0, ingressPort: 0 };
  agent = await serveAgent({ dataDir, controlPlanes: [controlPlane.url], ...ports, instancesMax: 3, log: silentLog });
  await agent.joined;
  neighbour = await start({ spec: { name: "neighbour" } });
});
afterAll(async () => {
  await agent?.close(0);
  await controlPlane.close(0);
  web.close();
  rmSync(dataDir, { recursive: true, force: true });
});
afterEach(async () => {
  const { instances } = await api.listInstances({});
  expect(instances.map(({ id }) => id)).toEqual([neighbour]);
  const { resultsJson } = await api.invokeInstance({ instance: neighbour, function: "add", argsJson: "[1, 2]" });
  expect(resultsJson, "the neighbour goes on").toBe("[3]");
});

const imports = '(module (import "env" "launch_missiles" (func)) (func (export "f")))';
const kv = { type: CapabilityType.KV, permissions: ["kv:fly"] };
const url = (path: string, digest = ""): Required<Start>["module"] => ({
  source: { case: "url", value: { url: webUrl + path, digest } },
});

const refusedStarts: readonly (readonly [
  what: string,
  request: () => Start | Promise<Start>,
  code: Code,
  reason: Reason,
  says: RegExp,
])[] = [
  [
    "not Wasm",
    () => inline(Buffer.from("hello, world")),
    Code.InvalidArgument,
    Reason.MODULE_NOT_WASM,
    /does not begin like Wasm/,
  ],
  ["truncated", () => inline(functions.subarray(0, -5)), Code.InvalidArgument, Reason.MODULE_MALFORMED, /cut off/],
  [
    "an empty module",
    () => inline(functions.subarray(0, 8)),
    Code.FailedPrecondition,
    Reason.MODULE_KIND_UNSUPPORTED,
    /hosted are/,
  ],
  [
    "an unknown import",
    async () => inline(await wat(imports)),
    Code.FailedPrecondition,
    Reason.MODULE_IMPORT_UNKNOWN,
    /launch_missiles/,
  ],
  [
    "an unknown digest",
    () => ({ module: { source: { case: "digest", value: digest("0") } } }),
    Code.NotFound,
    Reason.MODULE_NOT_FOUND,
    /0{8}/,
  ],
  [
    "an unreachable URL",
    () => ({ module: { source: { case: "url", value: { url: "http://127.0.0.1:9/x.wasm" } } } }),
    Code.FailedPrecondition,
    Reason.MODULE_UNREACHABLE,
    /127\.0\.0\.1:9/,
  ],
  [
    "a URL that has nothing",
    () => ({ module: url("/nothing.wasm") }),
    Code.FailedPrecondition,
    Reason.MODULE_UNREACHABLE,
    /404/,
  ],
  [
    "a digest mismatch",
    () => ({ module: url("/functions.wasm", digest("1")) }),
    Code.FailedPrecondition,
    Reason.MODULE_DIGEST_MISMATCH,
    /1{8}/,
  ],
  [
    "a bad permission",
    () => ({ spec: { assignments: [kv] } }),
    Code.InvalidArgument,
    Reason.PERMISSION_INVALID,
    /kv:fly/,
  ],
  [
    "an unknown provider",
    () => ({ spec: { assignments: [{ ...kv, providerId: "nope" }] } }),
    Code.NotFound,
    Reason.PROVIDER_NOT_FOUND,
    /"nope"/,
  ],
  [
    "an over-long name",
    () => ({ spec: { name: "a".repeat(64) } }),
    Code.InvalidArgument,
    Reason.INVALID_REQUEST,
    /spec\.name/,
  ],
  [
    "a name that is taken",
    () => ({ spec: { name: "neighbour" }, uniqueName: true }),
    Code.AlreadyExists,
    Reason.INSTANCE_NAME_TAKEN,
    /"neighbour"/,
  ],
  [
    "a limit beyond the node's",
    () => ({ spec: { limits: { callTimeoutMs: 4_000_000_000 } } }),
    Code.InvalidArgument,
    Reason.LIMIT_INVALID,
    /call_timeout_ms/,
  ],
  [
    "more memory than any node has",
    () => ({ spec: { limits: { memoryMaxBytes: 2n ** 50n } } }),
    Code.ResourceExhausted,
    Reason.NODE_AT_CAPACITY,
    /1 without .* of memory left/,
  ],
  ["an unknown node", () => ({ nodeId: "nowhere" }), Code.NotFound, Reason.NODE_NOT_FOUND, /"nowhere"/],
  [
    "labels that no node has",
    () => ({ nodeLabels: { zone: "moon" } }),
    Code.FailedPrecondition,
    Reason.NO_NODE_FITS,
    /zone/,
  ],
];

describe("a start with", () => {
  test.each(refusedStarts)("%s is refused", async (_, request, code, reason, says) => {
    const before = await recordsKept();
    const fault = await refusal(api.startInstance(whole(await request())));
    expect(await recordsKept(), "nothing half-started remains").toBe(before);
    expect([fault.code, reasonName(fault.reason)]).toEqual([codeName(code), reasonName(reason)]);
    expect(fault.message).toMatch(/^Cannot /);
    expect(fault.message).toMatch(says);
  });

  test("a module over the size limit is refused while it is uploaded, and the rest is not read", async () => {
    let sentBytes = 0;
    const pieces = async function* (): AsyncGenerator<{ chunk: Uint8Array }> {
      for (; sentBytes < 4 * MODULE_MAX_BYTES; sentBytes += 2 ** 20)
        yield { chunk: new Uint8Array(2 ** 20).fill(sentBytes === 0 ? 0 : 1) };
    };
    const magic = async function* (): AsyncGenerator<{ chunk: Uint8Array }> {
      yield { chunk: functions };
      yield* pieces();
    };
    const fault = await refusal(api.uploadModule(magic()));
    expect(reasonName(fault.reason)).toBe("MODULE_TOO_LARGE");
    expect(sentBytes).toBeLessThan(4 * MODULE_MAX_BYTES);
  });

  test("a node at capacity is refused, and taken when there is room again", async () => {
    const [second, third] = [await start({}), await start({})];
    const fault = await refusal(api.startInstance(whole({})));
    expect(reasonName(fault.reason)).toBe("NODE_AT_CAPACITY");
    expect(fault.message).toContain("of 1 known: 1 with as many instances as it takes");
    await api.stopInstance({ instance: third });
    const fourth = await start({});
    for (const instance of [second, fourth]) await api.stopInstance({ instance });
  });

  test("an idempotency key of another start is refused, and with the same start answers the same instance", async () => {
    const first = await start({ idempotencyKey: "k", spec: { name: "one" } });
    const fault = await refusal(api.startInstance(whole({ idempotencyKey: "k", spec: { name: "two" } })));
    expect(reasonName(fault.reason)).toBe("IDEMPOTENCY_CONFLICT");
    expect(await start({ idempotencyKey: "k", spec: { name: "one" } })).toBe(first);
    await api.stopInstance({ instance: first });
  });
});

describe("a request about", () => {
  test.each([
    ["an unknown id", "nobody", Reason.INSTANCE_NOT_FOUND],
    ["an empty id", "", Reason.INVALID_REQUEST],
    ["an over-long id", "x".repeat(64), Reason.INVALID_REQUEST],
  ])("%s is refused by every method that takes one", async (_, instance, reason) => {
    const assignment = { type: CapabilityType.KV, permissions: ["kv:read"] };
    const faults = await Promise.all([
      refusal(api.queryInstance({ instance })),
      refusal(api.stopInstance({ instance })),
      refusal(api.invokeInstance({ instance, function: "add", argsJson: "[]" })),
      refusal(api.assignCapability({ instance, assignment })),
      refusal(api.revokeCapability({ instance, assignment })),
      refusal(drained(api.tailLogs({ instance }))),
    ]);
    expect(faults.map((fault) => reasonName(fault.reason))).toEqual(faults.map(() => reasonName(reason)));
  });

  test("a prefix that fits two is refused and names them, and a longer one tells them apart", async () => {
    const [one, two] = await keysOfOnePrefix(neighbour.slice(0, 1));
    const [first, second] = [await start({ idempotencyKey: one }), await start({ idempotencyKey: two })];
    const fault = await refusal(api.queryInstance({ instance: first.slice(0, 1) }));
    expect(reasonName(fault.reason)).toBe("INSTANCE_AMBIGUOUS");
    expect(fault.message).toContain(first);
    expect(fault.message).toContain(second);
    expect((await api.queryInstance({ instance: first.slice(0, 12) })).instance?.id).toBe(first);
    for (const instance of [first, second]) await api.stopInstance({ instance });
  });

  test.each([
    ["no such function", "nothing", "[]", Reason.FUNCTION_NOT_FOUND, /exports add/],
    ["too few arguments", "add", "[1]", Reason.ARGUMENT_INVALID, /takes 2 arguments/],
    ["an argument of the wrong type", "add", '[1, "two"]', Reason.ARGUMENT_INVALID, /argument 2 must be i32/],
    ["arguments that are not JSON", "add", "[1,", Reason.ARGUMENT_INVALID, /JSON/],
    ["arguments that are no array", "add", "{}", Reason.ARGUMENT_INVALID, /array/],
  ])("an invocation with %s is refused", async (_, name, argsJson, reason, says) => {
    const fault = await refusal(api.invokeInstance({ instance: neighbour, function: name, argsJson }));
    expect(reasonName(fault.reason)).toBe(reasonName(reason));
    expect(fault.message).toMatch(says);
  });
});

test("without any node a start says so", async () => {
  const alone = await serveControlPlane({ port: 0, log: silentLog });
  const client = createClient(
    ControlPlaneService,
    faultTransport(createConnectTransport({ baseUrl: alone.url, httpVersion: "2" })),
  );
  const fault = await refusal(client.startInstance(whole({})));
  expect(reasonName(fault.reason)).toBe("NO_NODE_FITS");
  expect(fault.message).toMatch(/no node/);
  await alone.close(0);
});

function whole(request: Start): Required<Pick<Start, "spec" | "module">> & Start {
  return { spec: {}, module: { source: { case: "inline", value: functions } }, ...request };
}

function inline(value: Uint8Array): Start {
  return { module: { source: { case: "inline", value: new Uint8Array(value) } } };
}

async function start(request: Start): Promise<string> {
  const { instance } = await api.startInstance(whole(request));
  return instance?.id ?? "";
}

/** Two idempotency keys whose instances' ids begin alike, and not like `other`. */
async function keysOfOnePrefix(other: string): Promise<readonly [string, string]> {
  const seen = new Map<string, string>();
  for (let count = 0; ; count++) {
    const key = `prefix-${String(count)}`;
    const first = (await instanceIdFromKey(key)).slice(0, 1);
    const known = seen.get(first);
    if (known !== undefined && first !== other) return [known, key];
    seen.set(first, key);
  }
}

async function recordsKept(): Promise<number> {
  return (await api.listInstances({ includeEnded: true, pageSize: 1000 })).instances.length;
}

async function wat(text: string): Promise<Uint8Array> {
  return (await wabt()).parseWat("guest.wat", text).toBinary({}).buffer;
}

function digest(digit: string): string {
  return `sha256:${digit.repeat(64)}`;
}

async function drained(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _message of messages);
}

async function refusal(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw new Error("Expected a refusal with a fault", { cause: error });
}
