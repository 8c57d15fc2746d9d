/** One contract, each protocol, independent clients, a real control plane and a real agent. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveAgent, type RunningAgent } from "../../src/agent/serve.ts";
import { serveControlPlane, type RunningControlPlane } from "../../src/cp/entry/node.ts";
import { silentLog } from "../../src/log.ts";
import { createApiClients, type ApiAnswer, type ApiClient } from "./api-clients.ts";

const functionsModule: string = readFileSync(
  join(import.meta.dirname, "..", "..", "examples", "functions", "functions.wasm"),
).toString("base64");

const dataDir: string = mkdtempSync(join(tmpdir(), "wasmatrix-protocols-"));
let controlPlane: RunningControlPlane;
let agent: RunningAgent;
let clients: readonly ApiClient[] = [];

beforeAll(async () => {
  controlPlane = await serveControlPlane({ port: 0, log: silentLog });
  agent = await serveAgent({ dataDir, controlPlanes: [controlPlane.url], port: 0, ingressPort: 0, log: silentLog });
  await agent.joined;
  clients = createApiClients(controlPlane.url);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await agent.close(0);
  await controlPlane.close(0);
  rmSync(dataDir, { recursive: true, force: true });
});

const names: readonly string[] = createApiClients("http://127.0.0.1:1").map((client) => {
  client.close();
  return client.name;
});

describe.each(names)("%s", (name) => {
  const client = (): ApiClient => find(name);

  test("starts, invokes, finds and stops an instance", async () => {
    const started = only(await client().call("StartInstance", start(`key-${name}`)));
    const instance = read(started, "instance", "id");
    expect(read(started, "instance", "state")).toBe("INSTANCE_STATE_RUNNING");
    const again = only(await client().call("StartInstance", start(`key-${name}`)));
    expect(read(again, "instance", "id")).toBe(instance);

    const invoked = only(await client().call("InvokeInstance", { instance, function: "add", argsJson: "[2, 40]" }));
    expect(JSON.parse(read(invoked, "resultsJson"))).toEqual([42]);
    const listed = only(await client().call("ListInstances", { states: ["INSTANCE_STATE_RUNNING"] }));
    expect(JSON.stringify(listed)).toContain(instance);
    const stopped = only(await client().call("StopInstance", { instance }));
    expect(read(stopped, "instance", "state")).toBe("INSTANCE_STATE_STOPPED");
  });

  test.each([
    ["not_found", "INSTANCE_NOT_FOUND", "QueryInstance", { instance: "nobody" }],
    ["invalid_argument", "INVALID_REQUEST", "QueryInstance", { instance: "" }],
    ["invalid_argument", "MODULE_NOT_WASM", "StartInstance", { spec: {}, module: { inline: "bm90IHdhc20=" } }],
    ["failed_precondition", "NO_NODE_FITS", "StartInstance", { ...start(""), nodeLabels: { zone: "nowhere" } }],
  ])("is told %s with the reason %s", async (code, reason, method, request) => {
    expect(await client().call(method, request)).toEqual({ kind: "error", code, reason });
  });

  test("watches facts", async () => {
    if (!client().streamsOut) return expect(client().name).toBe("curl");
    const answer = await client().call("WatchFacts", { follow: false });
    expect(JSON.stringify(answer)).toContain("FACT_KIND_NODE_STARTED");
  });

  test("uploads a module in pieces", async () => {
    if (!client().streamsIn) return expect(client().name).toMatch(/curl|connect-web/);
    const half = (functionsModule.length >> 3) << 2;
    const pieces = [functionsModule.slice(0, half), functionsModule.slice(half)].map((chunk) => ({ chunk }));
    const uploaded = only(await client().call("UploadModule", ...pieces));
    expect(read(uploaded, "digest")).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});

function find(name: string): ApiClient {
  const client = clients.find((each) => each.name === name);
  if (client === undefined) throw new Error(`Cannot find the client ${name}`);
  return client;
}

function start(idempotencyKey: string): { [key: string]: JsonValue } {
  return { idempotencyKey, spec: { name: "calculator" }, module: { inline: functionsModule } };
}

function only(answer: ApiAnswer): JsonValue {
  if (answer.kind === "error") throw new Error(`Expected an answer, got ${answer.code} ${answer.reason}`);
  const last = answer.messages.at(-1);
  if (last === undefined) throw new Error("Expected an answer, got none");
  return last;
}

function read(value: JsonValue, ...path: readonly string[]): string {
  let current: JsonValue | undefined = value;
  for (const key of path)
    current = typeof current === "object" && current !== null && !Array.isArray(current) ? current[key] : undefined;
  return typeof current === "string" ? current : JSON.stringify(current);
}
