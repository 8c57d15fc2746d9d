import { afterEach, describe, expect, test } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { StartResult } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceState } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { createRealFleet } from "../real-fleet.ts";
import { createTestFleet, inline, reasonOf, type TestFleet } from "../test-fleet.ts";

const fleets: TestFleet[] = [];
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.controlPlane.close();
});

async function fleetOf(...nodes: Parameters<TestFleet["addAgent"]>[0][]): Promise<TestFleet> {
  const fleet = createTestFleet();
  fleets.push(fleet);
  for (const node of nodes) await fleet.addAgent(node);
  return fleet;
}

describe("a dry run", () => {
  test("says how each node is judged, and starts nothing", async () => {
    const fleet = await fleetOf({ nodeId: "n1" }, { nodeId: "n2", labels: { zone: "eu" } });
    const request = { spec: { name: "web" }, module: inline(), nodeLabels: { zone: "eu" }, dryRun: true };
    const { instance, verdicts } = await fleet.client.startInstance(request);
    expect(instance).toBeUndefined();
    expect(verdicts).toMatchObject([
      { nodeId: "n2", failed: [], cost: 0.1, moduleCost: 0.1 },
      { nodeId: "n1", failed: ["without the labels zone=eu"], cost: 0 },
    ]);
    expect((await fleet.client.listInstances({ includeEnded: true })).instances).toEqual([]);
  });

  test("answers the instance that a key stands for already, and refuses what the start would refuse", async () => {
    const fleet = await fleetOf({ nodeId: "n1" });
    const { instance } = await fleet.client.startInstance({
      idempotencyKey: "k",
      spec: { name: "web" },
      module: inline(),
    });
    const again = { idempotencyKey: "k", spec: { name: "web" }, module: inline(), dryRun: true };
    expect(await fleet.client.startInstance(again)).toMatchObject({
      instance: { id: instance?.id },
      alreadyStarted: true,
      verdicts: [],
    });
    const other = { ...again, spec: { name: "other" } };
    expect(await reasonOf(fleet.client.startInstance(other))).toBe(Reason.IDEMPOTENCY_CONFLICT);
    const taken = { spec: { name: "web" }, uniqueName: true, module: inline(), dryRun: true };
    expect(await reasonOf(fleet.client.startInstance(taken))).toBe(Reason.INSTANCE_NAME_TAKEN);
  });
});

describe("a batch of starts", () => {
  test("is spread over the nodes, and answers in the order of the requests", async () => {
    const fleet = await fleetOf({ nodeId: "n1" }, { nodeId: "n2" }, { nodeId: "n3" });
    const requests = Array.from({ length: 30 }, (_, index) => ({
      idempotencyKey: `k${index}`,
      spec: { name: "web", labels: { index: String(index) } },
      module: inline(),
    }));
    const { results } = await fleet.client.startInstances({ requests });
    const instances = results.map(({ result }) => (result.case === "started" ? result.value.instance : undefined));
    expect(instances.map((instance) => instance?.labels["index"])).toEqual(
      requests.map(({ spec }) => spec.labels.index),
    );
    for (const nodeId of ["n1", "n2", "n3"])
      expect(instances.filter((instance) => instance?.nodeId === nodeId)).toHaveLength(10);
    expect(instances.every((instance) => instance?.state === InstanceState.RUNNING)).toBe(true);
    const again = await fleet.client.startInstances({ requests });
    for (const [index, { result }] of again.results.entries())
      expect(result).toMatchObject({
        case: "started",
        value: { alreadyStarted: true, instance: { id: instances[index]?.id } },
      });
  });

  test("tells of each that fails as it would have been told alone; the others start", async () => {
    const fleet = await fleetOf({ nodeId: "n1" });
    const fine = { spec: {}, module: inline() };
    const only = { spec: { name: "only" }, uniqueName: true, module: inline() };
    const { results } = await fleet.client.startInstances({
      requests: [fine, { ...fine, nodeId: "nowhere" }, { spec: {}, module: inline(new Uint8Array([1])) }, only, only],
    });
    expect(results.map(({ result }) => result.case)).toEqual(["started", "failure", "failure", "started", "failure"]);
    const reasons = results.flatMap(({ result }) => (result.case === "failure" ? [result.value] : []));
    expect(reasons).toMatchObject([
      { code: "not_found", detail: { reason: Reason.NODE_NOT_FOUND, subject: "nowhere" } },
      { code: "invalid_argument", detail: { reason: Reason.MODULE_NOT_WASM } },
      { code: "already_exists", detail: { reason: Reason.INSTANCE_NAME_TAKEN, subject: "only" } },
    ]);
    for (const { message, detail } of reasons) {
      expect(message).toMatch(/^Cannot /);
      expect(detail?.requestId).not.toBe("");
    }
  });

  test("tries the next node for one that is refused", async () => {
    const fleet = createTestFleet();
    fleets.push(fleet);
    const first = await fleet.addAgent({ nodeId: "n1" });
    await fleet.addAgent({ nodeId: "n2" });
    first.refuseStart = Reason.NODE_AT_CAPACITY;
    const { results } = await fleet.client.startInstances({
      requests: [
        { spec: {}, module: inline() },
        { spec: {}, module: inline() },
      ],
    });
    for (const { result } of results)
      expect(result).toMatchObject({ case: "started", value: { instance: { nodeId: "n2" } } });
  });

  test("is refused whole if it contradicts itself, is empty, or is too long", async () => {
    const fleet = await fleetOf({ nodeId: "n1" });
    const fine = { spec: {}, module: inline() };
    for (const requests of [
      [],
      [{ ...fine, dryRun: true }],
      [
        { ...fine, idempotencyKey: "k" },
        { ...fine, idempotencyKey: "k" },
      ],
      Array.from({ length: 1_001 }, () => fine),
    ])
      expect(await reasonOf(fleet.client.startInstances({ requests }))).toBe(Reason.INVALID_REQUEST);
    expect((await fleet.client.listInstances({ includeEnded: true })).instances).toEqual([]);
  });

  test("fits into one message however long its instances are: later ones are told in short", async () => {
    const fleet = await createRealFleet(["n1"]);
    const { client } = fleet.addControlPlane();
    await fleet.until(async () => (await client.listNodes({})).nodes.some(({ rebuilding }) => !rebuilding));
    const args = Array.from({ length: 8 }, () => "x".repeat(30_000));
    const requests = Array.from({ length: 16 }, () => ({ spec: { name: "long", args }, module: inline() }));
    let results: readonly StartResult[] | undefined;
    void client.startInstances({ requests }).then((answer) => (results = answer.results));
    await fleet.until(() => results !== undefined);
    const instances = (results ?? []).flatMap(({ result }) =>
      result.case === "started" ? [result.value.instance] : [],
    );
    expect(instances).toHaveLength(16);
    expect(instances[0]?.args).toEqual(args);
    expect(instances.at(-1)).toMatchObject({ name: "long", nodeId: "n1", state: InstanceState.RUNNING, args: [] });
    await fleet.close();
  });
});
