/** The whole agent with its real parts, over real ports. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Reason } from "../../src/fault.ts";
import {
  CapabilityType,
  GuestKind,
  InstanceSpecSchema,
  InstanceState,
  LogStream,
  RestartMode,
  TerminationCause,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { ProviderState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { dataFolder, digestOf, exampleModule, idOf, push, query, rpcTo, runAgent, start } from "./real-agent.ts";

const counter = exampleModule("http-counter");
const misbehave = exampleModule("misbehave");
const functions = exampleModule("functions");
const stats = exampleModule("stats");
const allowKv = { assignments: [{ type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] }] };
const denyKv = {
  assignments: [{ type: CapabilityType.KV, deniedPermissions: ["kv:read", "kv:write", "kv:delete"] }],
};
const onFailure = { restartPolicy: { mode: RestartMode.ON_FAILURE, backoff: durationFromMs(50) } };
const withReason = (reason: Reason) => expect.objectContaining({ reason });
const encoder = new TextEncoder();

describe("an agent", () => {
  test("starts an HTTP service that counts in key-value, and shows it through the ingress", async () => {
    const agent = await runAgent();
    const instance = await start(agent.rpc, "counter", counter, { name: "counter", ...allowKv });
    expect(instance).toMatchObject({
      state: InstanceState.RUNNING,
      kind: GuestKind.HTTP,
      nodeId: agent.nodeId,
      name: "counter",
    });
    expect(await (await fetch(`${agent.ingressUrl}/-/counter/`)).text()).toContain("1");
    expect(await (await fetch(`${agent.ingressUrl}/-/counter/`)).text()).toContain("2");
    const { kv } = await agent.rpc.invokeCapability({
      instanceId: idOf("counter"),
      generation: 1n,
      kv: { operation: { case: "listKeys", value: {} } },
    });
    expect(kv?.result.case).toBe("page");
  });

  test("refuses the next operation once a grant is revoked, and counts the refusal", async () => {
    const { rpc, ingressUrl } = await runAgent();
    await start(rpc, "counter", counter, { name: "counter", ...allowKv });
    expect((await fetch(`${ingressUrl}/-/counter/`)).status).toBe(200);
    await rpc.revokeCapability({
      instanceId: idOf("counter"),
      assignment: { type: CapabilityType.KV, permissions: ["kv:write"] },
    });
    expect((await fetch(`${ingressUrl}/-/counter/`)).status).toBe(403);
    expect((await query(rpc, "counter")).deniedCount).toBeGreaterThan(0n);
    await rpc.assignCapability({
      instanceId: idOf("counter"),
      assignment: { type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] },
    });
    expect((await fetch(`${ingressUrl}/-/counter/`)).status).toBe(200);
    await rpc.stopProvider({ providerId: "kv" });
    const { providers } = await rpc.listProviders({});
    expect(providers.filter(({ type }) => type === CapabilityType.KV)).toMatchObject([
      { id: "kv", state: ProviderState.STOPPED },
      { id: "kv-memory", state: ProviderState.RUNNING },
    ]);
    await expect(
      rpc.invokeCapability({
        instanceId: idOf("counter"),
        generation: 1n,
        kv: { operation: { case: "get", value: { key: "k" } } },
      }),
    ).rejects.toEqual(withReason(Reason.PROVIDER_STOPPED));
    await rpc.startProvider({ providerId: "kv" });
    expect((await fetch(`${ingressUrl}/-/counter/`)).status).toBe(200);
  });

  test("streams a body through a guest while it arrives", async () => {
    const { rpc, ingressUrl } = await runAgent();
    await start(rpc, "counter", counter, { name: "counter", ...denyKv });
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    const writer = writable.getWriter();
    const init: RequestInit & { duplex: "half" } = { method: "POST", body: readable, duplex: "half" };
    const responding = fetch(`${ingressUrl}/-/counter/echo`, init);
    await writer.write(encoder.encode("first"));
    const reader = (await responding).body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("first");
    await writer.write(encoder.encode("second"));
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("second");
    await writer.close();
    expect((await reader?.read())?.done).toBe(true);
  });

  test("holds limits: size of bodies, time of a call, length of the queue", async () => {
    const { rpc, ingressUrl } = await runAgent();
    const limits = { callTimeoutMs: 1_000, queuedCallsMax: 1, requestBodyMaxBytes: 1_000n };
    await start(rpc, "bad", misbehave, { name: "bad", limits, ...onFailure });
    await start(rpc, "good", counter, { name: "good", limits: { requestBodyMaxBytes: 1_000n }, ...denyKv });
    expect((await fetch(`${ingressUrl}/-/good/echo`, { method: "POST", body: "x".repeat(1_000) })).status).toBe(200);
    expect((await fetch(`${ingressUrl}/-/good/echo`, { method: "POST", body: "x".repeat(1_001) })).status).toBe(413);
    const looping = fetch(`${ingressUrl}/-/bad/loop`);
    const crowd = Promise.all(
      Array.from({ length: 8 }, async () => (await fetch(`${ingressUrl}/-/bad/ok`)).headers.get("x-wasmatrix-reason")),
    );
    expect((await fetch(`${ingressUrl}/-/good/healthz`)).status).toBe(200);
    const late = await looping;
    expect(late.status).toBe(504);
    expect(late.headers.get("x-wasmatrix-reason")).toBe("CALL_TIMED_OUT");
    expect(await crowd).toContain("CALL_QUEUE_FULL");
    await vi.waitFor(
      async () => expect(await query(rpc, "bad")).toMatchObject({ state: InstanceState.RUNNING, restartCount: 1 }),
      { timeout: 10_000 },
    );
    expect(await query(rpc, "bad")).toMatchObject({
      lastTermination: { cause: TerminationCause.LIMIT, limit: "call_timeout_ms" },
    });
    expect((await fetch(`${ingressUrl}/-/bad/ok`)).status).toBe(200);
  });

  test("restarts after a trap with a growing backoff and gives up after max_retries", async () => {
    const { rpc, ingressUrl } = await runAgent();
    const restartPolicy = { mode: RestartMode.ALWAYS, maxRetries: 2, backoff: durationFromMs(20) };
    await start(rpc, "trap", misbehave, { name: "trap", restartPolicy });
    for (let round = 0; round < 3; round++) {
      await vi.waitFor(
        async () =>
          expect(await query(rpc, "trap")).toMatchObject({ state: InstanceState.RUNNING, restartCount: round }),
        { timeout: 10_000 },
      );
      expect((await fetch(`${ingressUrl}/-/trap/trap`)).status).toBe(502);
    }
    await vi.waitFor(async () => expect((await query(rpc, "trap")).state).toBe(InstanceState.FAILED), {
      timeout: 10_000,
    });
    expect(await query(rpc, "trap")).toMatchObject({
      restartCount: 2,
      lastTermination: { cause: TerminationCause.TRAPPED },
    });
    expect((await fetch(`${ingressUrl}/-/trap/ok`)).status).toBe(404);
  });

  test("shares the requests of one name among its instances", async () => {
    const { rpc, ingressUrl } = await runAgent();
    for (const id of ["one", "two"]) await start(rpc, id, misbehave, { name: "web" });
    const slow = fetch(`${ingressUrl}/-/web/slow?ms=1500`);
    const quick = await Promise.race([
      slow.then(() => "slow"),
      fetch(`${ingressUrl}/-/web/ok`).then(({ status }) => status),
    ]);
    expect(quick).toBe(200);
    await slow;
  });

  test("lets a call in flight finish when its instance is stopped, and takes no new one", async () => {
    const { rpc, ingressUrl } = await runAgent();
    await start(rpc, "web", misbehave, { name: "web", ...onFailure });
    const slow = fetch(`${ingressUrl}/-/web/drip?lines=3&ms=150`);
    const response = await slow;
    const stopping = rpc.stopInstance({ instanceId: idOf("web"), grace: durationFromMs(20_000) });
    await vi.waitFor(async () => expect((await query(rpc, "web")).state).toBe(InstanceState.STOPPING));
    expect((await fetch(`${ingressUrl}/-/web/ok`)).status).toBe(503);
    expect((await response.text()).trim().split("\n")).toHaveLength(3);
    expect((await stopping).instance?.state).toBe(InstanceState.STOPPED);
    expect((await rpc.stopInstance({ instanceId: idOf("web") })).instance?.state).toBe(InstanceState.STOPPED);
  });

  test("runs a command on its input and streams what it wrote", async () => {
    const { rpc } = await runAgent();
    await start(rpc, "stats", stats, { stdin: encoder.encode("1\n2\n3\nfour\n") });
    await vi.waitFor(async () => expect((await query(rpc, "stats")).state).toBe(InstanceState.EXITED), {
      timeout: 10_000,
    });
    const lines = [];
    for await (const message of rpc.tailLogs({ instanceId: idOf("stats"), follow: true })) lines.push(...message.lines);
    expect(
      lines
        .filter(({ stream }) => stream === LogStream.STDOUT)
        .map(({ text }) => text)
        .join("\n"),
    ).toMatch(/mean.*2/);
    expect(lines.some(({ stream }) => stream === LogStream.STDERR)).toBe(true);
    expect(lines.map(({ sequence }) => Number(sequence))).toEqual(lines.map((_, index) => index + 1));
    const last = [];
    for await (const message of rpc.tailLogs({ instanceId: idOf("stats"), lastLines: 1 })) last.push(...message.lines);
    expect(last).toHaveLength(1);
  });

  test("follows the log of a service until it ends for good", async () => {
    const { rpc, ingressUrl } = await runAgent();
    await start(rpc, "web", misbehave, { name: "web" });
    let seen = 0;
    const following = (async () => {
      for await (const { lines } of rpc.tailLogs({ instanceId: idOf("web"), follow: true })) seen += lines.length;
    })();
    await fetch(`${ingressUrl}/-/web/flood?mib=1`);
    await vi.waitFor(() => expect(seen).toBeGreaterThan(0));
    await rpc.stopInstance({ instanceId: idOf("web"), grace: durationFromMs(0) });
    await following;
  });

  test("calls exported functions with arguments, and says what is wrong with others", async () => {
    const { rpc } = await runAgent();
    await start(rpc, "calc", functions, {});
    const invoke = async (fn: string, argsJson: string) =>
      (await rpc.invokeInstance({ instanceId: idOf("calc"), function: fn, argsJson })).resultsJson;
    expect(await invoke("add", "[2, 3]")).toBe("[5]");
    expect(await invoke("count", "")).toMatch(/^\[\d+\]$/);
    await expect(invoke("nope", "[]")).rejects.toEqual(withReason(Reason.FUNCTION_NOT_FOUND));
    await expect(invoke("add", "[1]")).rejects.toEqual(withReason(Reason.ARGUMENT_INVALID));
    await expect(invoke("add", "{}")).rejects.toEqual(withReason(Reason.ARGUMENT_INVALID));
    await expect(invoke("add", "[")).rejects.toEqual(withReason(Reason.ARGUMENT_INVALID));
  });

  test("refuses bad modules with their reason and keeps nothing of them", async () => {
    const { rpc } = await runAgent();
    await expect(start(rpc, "a", encoder.encode("hello, I am no module"))).rejects.toEqual(
      withReason(Reason.MODULE_NOT_WASM),
    );
    await expect(start(rpc, "b", functions.slice(0, functions.length - 5))).rejects.toEqual(
      withReason(Reason.MODULE_MALFORMED),
    );
    const spec = create(InstanceSpecSchema, { moduleDigest: digestOf(encoder.encode("never pushed")) });
    await expect(rpc.startInstance({ instanceId: idOf("c"), generation: 1n, spec })).rejects.toEqual(
      withReason(Reason.MODULE_NOT_FOUND),
    );
    await expect(rpc.startInstance({ instanceId: idOf("d"), generation: 1n, spec: {} })).rejects.toEqual(
      withReason(Reason.INVALID_REQUEST),
    );
    await expect(rpc.startInstance({ instanceId: "short", generation: 1n, spec })).rejects.toEqual(
      withReason(Reason.INVALID_REQUEST),
    );
    await expect(start(rpc, "e", functions, { limits: { memoryMaxBytes: 1n } })).rejects.toEqual(
      withReason(Reason.LIMIT_INVALID),
    );
    expect((await rpc.listInstances({})).instances).toEqual([]);
  });

  test("takes and gives modules, and refuses what has another digest or none", async () => {
    const { rpc } = await runAgent();
    const digest = await push(rpc, functions);
    const parts: Uint8Array[] = [];
    for await (const { chunk } of rpc.pullModule({ digest })) parts.push(chunk);
    expect(digestOf(Buffer.concat(parts))).toBe(digest);
    const pushing = (first: { digest: string; chunk: Uint8Array<ArrayBuffer> }) =>
      rpc.pushModule(
        (async function* () {
          yield first;
        })(),
      );
    await expect(pushing({ digest, chunk: encoder.encode("other") })).rejects.toEqual(
      withReason(Reason.MODULE_DIGEST_MISMATCH),
    );
    await expect(pushing({ digest: "", chunk: functions })).rejects.toEqual(withReason(Reason.INVALID_REQUEST));
    const pulling = async () => {
      for await (const _ of rpc.pullModule({ digest: digestOf(encoder.encode("x")) }));
    };
    await expect(pulling()).rejects.toEqual(withReason(Reason.MODULE_NOT_FOUND));
  });

  test("lists instances in pages", async () => {
    const { rpc } = await runAgent();
    for (const id of ["a", "b", "c"]) await start(rpc, id, functions);
    const first = await rpc.listInstances({ pageSize: 2 });
    expect(first.instances.map(({ id }) => id)).toEqual([idOf("a"), idOf("b")]);
    const second = await rpc.listInstances({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second).toMatchObject({ instances: [{ id: idOf("c") }], nextPageToken: "" });
    await expect(rpc.listInstances({ pageToken: "Ä?" })).rejects.toEqual(withReason(Reason.CURSOR_INVALID));
    await expect(query(rpc, "nobody")).rejects.toEqual(withReason(Reason.INSTANCE_NOT_FOUND));
  });

  test("refuses capability calls of an older generation and of ended instances", async () => {
    const { rpc } = await runAgent();
    await start(rpc, "web", counter, allowKv);
    const call = (generation: bigint) =>
      rpc.invokeCapability({
        instanceId: idOf("web"),
        generation,
        kv: { operation: { case: "exists", value: { key: "k" } } },
      });
    expect((await call(1n)).kv?.result.case).toBe("exists");
    await expect(call(0n)).rejects.toEqual(withReason(Reason.INSTANCE_NOT_RUNNING));
    await rpc.stopInstance({ instanceId: idOf("web") });
    await expect(call(1n)).rejects.toEqual(withReason(Reason.INSTANCE_NOT_RUNNING));
  });
});

describe("running an agent", () => {
  test("comes back with its instances and data after an orderly shutdown, under the same name", async () => {
    const dataDir = dataFolder();
    const first = await runAgent({ dataDir });
    await start(first.rpc, "counter", counter, { name: "counter", ...allowKv, ...onFailure });
    await start(first.rpc, "calc", functions);
    await start(first.rpc, "stats", stats, { stdin: encoder.encode("1\n2\n") });
    await vi.waitFor(async () => expect((await query(first.rpc, "stats")).state).toBe(InstanceState.EXITED), {
      timeout: 10_000,
    });
    await fetch(`${first.ingressUrl}/-/counter/`);
    await first.close(1_000);
    await first.close(1_000);
    const second = await runAgent({ dataDir });
    expect(second.nodeId).toBe(first.nodeId);
    await vi.waitFor(async () => expect((await query(second.rpc, "counter")).state).toBe(InstanceState.RUNNING), {
      timeout: 10_000,
    });
    expect(await query(second.rpc, "counter")).toMatchObject({ restartCount: 1, generation: 1n });
    expect(await (await fetch(`${second.ingressUrl}/-/counter/`)).text()).toContain("2");
    expect(await query(second.rpc, "calc")).toMatchObject({ state: InstanceState.LOST });
    let written = "";
    for await (const { lines } of second.rpc.tailLogs({ instanceId: idOf("stats"), follow: true })) {
      written += lines.map(({ text }) => `${text}\n`).join("");
    }
    expect(written).toMatch(/mean/);
  });

  test("on a folder that another agent uses is refused, and leaves that one alone", async () => {
    const dataDir = dataFolder();
    const { rpc } = await runAgent({ dataDir });
    await expect(runAgent({ dataDir })).rejects.toThrow(`the agent with process id ${process.pid} uses it`);
    expect((await rpc.listInstances({})).instances).toEqual([]);
  });

  test("on a taken port names the flag and frees the folder", async () => {
    const { url, ingressUrl } = await runAgent();
    const dataDir = dataFolder();
    await expect(runAgent({ dataDir, port: Number(new URL(url).port) })).rejects.toThrow("choose another with --port");
    await expect(runAgent({ dataDir, ingressPort: Number(new URL(ingressUrl).port) })).rejects.toThrow(
      "choose another with --ingress-port",
    );
    await runAgent({ dataDir });
  });

  test("beyond loopback needs a token; with one, callers need it as well", async () => {
    await expect(runAgent({ host: "0.0.0.0" })).rejects.toThrow("no token is set");
    const { url, rpc } = await runAgent({ token: "s3cret" });
    expect((await rpc.listInstances({})).instances).toEqual([]);
    await expect(rpcTo(url).listInstances({})).rejects.toEqual(withReason(Reason.UNAUTHENTICATED));
    await expect(rpcTo(url, "wrong").listInstances({})).rejects.toEqual(withReason(Reason.UNAUTHENTICATED));
  });

  test("with an address that is no URL, or a folder that cannot be made, is refused", async () => {
    await expect(runAgent({ controlPlanes: ["localhost"] })).rejects.toThrow('Cannot use control plane "localhost"');
    await expect(runAgent({ advertise: "ftp://x" })).rejects.toThrow("is not an http or https URL");
    const dataDir = dataFolder();
    await mkdir(join(dataDir, "journal.sqlite"));
    await expect(runAgent({ dataDir })).rejects.toThrow("Cannot open journal");
  });
});
