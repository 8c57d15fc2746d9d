import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/cp/modules/module-bytes.ts";
import { PROTOCOL_VERSION } from "../../../src/protocol-version.ts";
import { Reason } from "../../../src/fault.ts";
import { FactKind, FactSchema, type Fact } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { CapabilityType, InstanceState } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../../src/gen/wasmatrix/v1/node_pb.ts";
import { idOf, instanceOf, nodeInfoOf } from "../node-history.ts";
import { createTestFleet, eventually, EMPTY_MODULE, moduleOf, reasonOf } from "../test-fleet.ts";
import { startedFleet } from "./started-fleet.ts";

describe("stopping an instance", () => {
  it("answers when it has ended, and the next read says so; a second stop answers the same", async () => {
    const { fleet, agent } = await startedFleet();
    const stopped = await fleet.client.stopInstance({ instance: "web" });
    expect(stopped.instance?.state).toBe(InstanceState.STOPPED);
    expect((await fleet.client.queryInstance({ instance: "web" })).instance?.state).toBe(InstanceState.STOPPED);
    expect((await fleet.client.stopInstance({ instance: "web" })).instance?.id).toBe(stopped.instance?.id);
    expect(agent.orders.filter((order) => order === "stopInstance")).toHaveLength(1);
  });

  it("is refused while its node is silent, and works once it reports again", async () => {
    const { fleet, agent } = await startedFleet();
    fleet.clock.advance(42_000);
    await expect(fleet.client.stopInstance({ instance: "web" })).rejects.toThrow(
      /^Cannot stop instance "\w{20}": node "n1" has been silent for 42 s$/,
    );
    expect(await reasonOf(fleet.client.stopInstance({ instance: "web" }))).toBe(Reason.NODE_UNREACHABLE);
    await agent.report();
    await fleet.client.stopInstance({ instance: "web" });
  });

  it("is refused if nobody answers at the node's address", async () => {
    const { fleet, agent } = await startedFleet();
    fleet.lines.set(agent.address, "refused");
    await expect(fleet.client.stopInstance({ instance: "web" })).rejects.toThrow(/node "n1" does not answer$/);
  });

  it.each(["", "nonsense", "ftp://n1.test"])("is refused if its node's address is %j", async (address) => {
    const { fleet, agent } = await startedFleet();
    const elsewhere = fleet.addSilentAgent({ nodeId: "n2", address });
    elsewhere.instances.set(idOf(7), instanceOf({ id: idOf(7), nodeId: "n2" }));
    await elsewhere.report();
    const stopping = fleet.client.stopInstance({ instance: idOf(7) });
    await expect(stopping).rejects.toMatchObject({
      reason: Reason.NODE_UNREACHABLE,
      message: `Cannot stop instance "${idOf(7)}": node "n2" has no address at which it can be dialled`,
    });
    expect(agent.orders).not.toContain("stopInstance");
  });

  it("answers although the report of it is late, and does not wait for ever", async () => {
    const { fleet, agent } = await startedFleet();
    agent.quiet = true;
    const stopping = fleet.client.stopInstance({ instance: "web" });
    let answered = false;
    void stopping.finally(() => (answered = true));
    await eventually(() => expect(agent.orders).toContain("stopInstance"));
    expect(answered).toBe(false);
    await eventually(() => {
      fleet.clock.advance(500);
      expect(answered).toBe(true);
    });
    expect((await stopping).instance?.state).toBe(InstanceState.STOPPED);
  });
});

describe("reading instances", () => {
  it("answers them in pages by id, without repeats or holes", async () => {
    const { fleet, ids } = await startedFleet(["a", "b", "c", "d", "e"]);
    const seen: string[] = [];
    let pageToken = "";
    let pages = 0;
    do {
      const page = await fleet.client.listInstances({ pageSize: 2, pageToken });
      seen.push(...page.instances.map(({ id }) => id));
      pageToken = page.nextPageToken;
      pages += 1;
    } while (pageToken !== "");
    expect(seen).toEqual([...ids].sort());
    expect(pages).toBe(3);
  });

  it("filters by name, labels, node and state, and leaves ended ones out unless asked", async () => {
    const { fleet } = await startedFleet(["a", "b"]);
    await fleet.client.stopInstance({ instance: "b" });
    const names = async (request: Parameters<typeof fleet.client.listInstances>[0]): Promise<string[]> =>
      (await fleet.client.listInstances(request)).instances.map(({ name }) => name).sort();
    expect(await names({})).toEqual(["a"]);
    expect(await names({ includeEnded: true })).toEqual(["a", "b"]);
    expect(await names({ states: [InstanceState.STOPPED] })).toEqual(["b"]);
    expect(await names({ name: "a" })).toEqual(["a"]);
    expect(await names({ labels: { name: "a" } })).toEqual(["a"]);
    expect(await names({ labels: { name: "x" } })).toEqual([]);
    expect(await names({ nodeId: "n1" })).toEqual(["a"]);
    expect(await names({ nodeId: "n2" })).toEqual([]);
  });

  it("refuses a page token that it did not give", async () => {
    const { fleet } = await startedFleet();
    expect(await reasonOf(fleet.client.listInstances({ pageToken: "nonsense" }))).toBe(Reason.CURSOR_INVALID);
  });

  it("ends a page before it grows too large for a message", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    agent.quiet = true;
    for (let index = 0; index < 16; index++) {
      agent.change(instanceOf({ id: idOf(index + 10), args: ["x".repeat(250_000)] }), FactKind.INSTANCE_RUNNING);
      await agent.report();
    }
    const first = await fleet.client.listInstances({});
    expect(first.instances).toHaveLength(12);
    expect((await fleet.client.listInstances({ pageToken: first.nextPageToken })).instances).toHaveLength(4);
  });

  it("says when they were last observed, and that they are unknown once their node is silent", async () => {
    const { fleet } = await startedFleet();
    const reportedMs = fleet.clock.nowMs();
    fleet.clock.advance(60_000);
    const { instance } = await fleet.client.queryInstance({ instance: "web" });
    expect(instance?.state).toBe(InstanceState.UNKNOWN);
    expect(instance?.observedTime && timestampMs(instance.observedTime)).toBe(reportedMs);
  });

  it("says that the list may be incomplete until the first snapshot is there", async () => {
    const fleet = createTestFleet();
    expect((await fleet.client.listInstances({})).rebuilding).toBe(true);
    await fleet.client.registerNode({ info: nodeInfoOf(), epoch: "e1" });
    fleet.clock.advance(8_000);
    expect((await fleet.client.listInstances({})).rebuilding).toBe(true);
    await fleet.addAgent();
    expect((await fleet.client.listInstances({})).rebuilding).toBe(false);
  });

  it("is whole again after a cold start with one report", async () => {
    const { agent, ids } = await startedFleet();
    const cold = createTestFleet();
    const revived = cold.addSilentAgent();
    for (const [id, instance] of agent.instances) revived.instances.set(id, instance);
    await revived.report();
    expect((await cold.client.queryInstance({ instance: "web" })).instance?.id).toBe(ids[0]);
  });
});

describe("invoking and tailing", () => {
  it("passes a call on and names the instance that answered", async () => {
    const { fleet, ids } = await startedFleet();
    const { resultsJson, instanceId } = await fleet.client.invokeInstance({
      instance: "web",
      function: "add",
      argsJson: "[1]",
    });
    expect(instanceId).toBe(ids[0]);
    expect(JSON.parse(resultsJson)).toEqual([ids[0], "add", "[1]"]);
    expect(await reasonOf(fleet.client.invokeInstance({ instance: "nobody", function: "f" }))).toBe(
      Reason.INSTANCE_NOT_FOUND,
    );
  });

  it("streams the agent's lines, beginning with its empty message", async () => {
    const { fleet } = await startedFleet();
    const messages: string[][] = [];
    for await (const { lines } of fleet.client.tailLogs({ instance: "web" }))
      messages.push(lines.map(({ text }) => text));
    expect(messages).toEqual([[], ["hello"]]);
  });

  it("ends a followed stream with a clear reason when the control plane closes", async () => {
    const { fleet } = await startedFleet();
    const reading = (async () => {
      for await (const { lines } of fleet.client.tailLogs({ instance: "web", follow: true }))
        if (lines.length > 0) void fleet.controlPlane.close();
    })();
    expect(await reasonOf(reading)).toBe(Reason.SHUTTING_DOWN);
    await fleet.controlPlane.close();
  });
});

describe("capabilities", () => {
  const assignment = { type: CapabilityType.KV, permissions: ["kv:read"] };

  it("are assigned and revoked through the agent, and the next read shows it", async () => {
    const { fleet, ids } = await startedFleet(["web", "other"]);
    await fleet.client.assignCapability({ instance: "web", assignment });
    const listed = await fleet.client.listCapabilities({});
    expect(listed.instances.map(({ instanceId }) => instanceId)).toEqual([...ids].sort());
    expect(listed.instances.find(({ name }) => name === "web")?.assignments[0]?.permissions).toEqual(["kv:read"]);
    expect(listed.instances.find(({ name }) => name === "other")?.assignments).toEqual([]);
    await fleet.client.revokeCapability({ instance: "web", assignment });
    expect((await fleet.client.listCapabilities({ instance: "web" })).instances[0]?.assignments).toEqual([]);
  });
});

describe("uploading a module", () => {
  async function* pieces(bytes: Uint8Array, digest = ""): AsyncGenerator<{ digest: string; chunk: Uint8Array }> {
    for (let offset = 0; offset < bytes.length; offset += 1000)
      yield { digest: offset === 0 ? digest : "", chunk: bytes.subarray(offset, offset + 1000) };
  }

  it("answers the digest, under which it can be started", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    const { digest, sizeBytes } = await fleet.client.uploadModule(pieces(moduleOf(5_000)));
    expect([digest, sizeBytes]).toEqual([await digestOf(moduleOf(5_000)), 5_000n]);
    await fleet.client.startInstance({ spec: {}, module: { source: { case: "digest", value: digest } } });
    expect([...agent.modules.keys()]).toEqual([digest]);
  });

  it("refuses one that is too large, not Wasm, empty or not what was announced, and takes one of just the allowed size", async () => {
    const fleet = createTestFleet({ limits: { moduleMaxBytes: 5_000 } });
    expect(await reasonOf(fleet.client.uploadModule(pieces(moduleOf(5_001))))).toBe(Reason.MODULE_TOO_LARGE);
    expect(await reasonOf(fleet.client.uploadModule(pieces(new Uint8Array(5_000))))).toBe(Reason.MODULE_NOT_WASM);
    expect(await reasonOf(fleet.client.uploadModule(pieces(new Uint8Array(0))))).toBe(Reason.MODULE_NOT_WASM);
    expect(await reasonOf(fleet.client.uploadModule(pieces(EMPTY_MODULE, `sha256:${"0".repeat(64)}`)))).toBe(
      Reason.MODULE_DIGEST_MISMATCH,
    );
    await fleet.client.uploadModule(pieces(moduleOf(5_000), await digestOf(moduleOf(5_000))));
  });

  it("refuses one more than may be under way at once", async () => {
    const fleet = createTestFleet({ limits: { moduleTransfersMax: 1 } });
    const gate = Promise.withResolvers<void>();
    async function* slow(): AsyncGenerator<{ chunk: Uint8Array }> {
      yield { chunk: EMPTY_MODULE };
      await gate.promise;
    }
    const first = fleet.client.uploadModule(slow());
    await eventually(async () =>
      expect(await reasonOf(fleet.client.uploadModule(pieces(EMPTY_MODULE)))).toBe(Reason.TOO_MANY_REQUESTS),
    );
    gate.resolve();
    await first;
    await fleet.client.uploadModule(pieces(EMPTY_MODULE));
  });
});

describe("nodes", () => {
  it("are listed by id with what they said and what is made of it", async () => {
    const fleet = createTestFleet();
    await fleet.addAgent({ nodeId: "n2", labels: { zone: "x" } });
    const leaving = await fleet.addAgent({ nodeId: "n1" });
    await leaving.report(true);
    const { nodes } = await fleet.client.listNodes({});
    expect(nodes.map(({ info, state, rebuilding }) => [info?.nodeId, state, rebuilding])).toEqual([
      ["n1", NodeState.LEFT, false],
      ["n2", NodeState.AVAILABLE, false],
    ]);
    expect(nodes[1]?.info?.labels).toEqual({ zone: "x" });
  });

  it("are told how often to report, and refused if they speak a protocol that is not served", async () => {
    const fleet = createTestFleet({ reportIntervalMs: 1_500 });
    const { reportInterval, protocolVersion } = await fleet.client.registerNode({ info: nodeInfoOf(), epoch: "e1" });
    expect([reportInterval?.seconds, reportInterval?.nanos, protocolVersion]).toEqual([
      1n,
      500_000_000,
      PROTOCOL_VERSION,
    ]);
    const old = { ...nodeInfoOf({ nodeId: "old" }), protocolVersion: 0 };
    expect(await reasonOf(fleet.client.registerNode({ info: old, epoch: "e1" }))).toBe(
      Reason.PROTOCOL_VERSION_UNSUPPORTED,
    );
    expect(await reasonOf(fleet.client.reportStatus({ info: old, epoch: "e1" }))).toBe(
      Reason.PROTOCOL_VERSION_UNSUPPORTED,
    );
    expect((await fleet.client.listNodes({})).nodes.map(({ info }) => info?.nodeId)).toEqual(["n1"]);
  });

  it("are refused reports that contradict themselves", async () => {
    const fleet = createTestFleet();
    const fact = (fields: Partial<Pick<Fact, "nodeId" | "epoch" | "sequence">>): Fact =>
      create(FactSchema, { nodeId: "n1", epoch: "e1", sequence: 1n, ...fields });
    const report = (facts: Fact[]): Promise<unknown> =>
      fleet.client.reportStatus({ info: nodeInfoOf(), epoch: "e1", facts });
    for (const wrong of [{ nodeId: "n2" }, { epoch: "e2" }, { sequence: 2n }]) {
      expect(await reasonOf(report([fact(wrong)]))).toBe(Reason.INVALID_REQUEST);
    }
    expect(
      await reasonOf(
        fleet.client.reportStatus({ info: nodeInfoOf(), epoch: "e1", snapshot: { page: 1, pageCount: 1 } }),
      ),
    ).toBe(Reason.INVALID_REQUEST);
    await report([fact({})]);
  });
});
