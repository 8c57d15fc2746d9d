/** Which generation of an instance runs on a node, through the supervisor's orders. */
import { describe, expect, test } from "vitest";
import type { StartOrder } from "../../../src/agent/admission.ts";
import { Reason } from "../../../src/fault.ts";
import { RestartMode } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { createTestNode, idOf, orderOf, type TestNode } from "../test-node.ts";

const ID = idOf("a");
const withReason = (reason: Reason): unknown => expect.objectContaining({ reason });

function generation(of: bigint, fields: Partial<StartOrder> = {}): StartOrder {
  return { ...orderOf("a", { policy: { mode: RestartMode.ALWAYS } }), generation: of, ...fields };
}

async function started(of: bigint = 1n): Promise<TestNode> {
  const node = createTestNode();
  await node.supervisor.start(generation(of, { witnessNodeId: "w" }));
  return node;
}

describe("a start order of another generation", () => {
  test("that is higher ends the older run before it begins, and takes its place", async () => {
    const node = await started();
    const older = node.runtime.guests[0];
    const { record, alreadyStarted } = await node.supervisor.start(generation(2n));
    expect(record).toMatchObject({ state: "running", generation: 2n });
    expect(alreadyStarted).toBe(false);
    expect(node.runtime.live).toEqual([node.runtime.guests[1]]);
    expect(node.runtime.live).not.toContain(older);
    expect(node.kinds(ID)).toEqual(["STARTING", "RUNNING", "STOPPING", "SUPERSEDED", "STARTING", "RUNNING"]);
    expect([...node.disk.records.values()]).toMatchObject([{ generation: 2n }]);
  });

  test("that is lower is refused, and the same again answers what runs", async () => {
    const node = await started(3n);
    await expect(node.supervisor.start(generation(2n))).rejects.toEqual(withReason(Reason.GENERATION_SUPERSEDED));
    expect(await node.supervisor.start(generation(3n))).toMatchObject({ alreadyStarted: true });
    expect(node.runtime.guests).toHaveLength(1);
  });

  test("given many times at once leaves one guest, of the highest generation", async () => {
    const node = await started();
    const orders = [2n, 3n, 2n, 3n, 3n].map((each) => node.supervisor.start(generation(each)));
    const outcomes = await Promise.allSettled(orders);
    expect(node.runtime.live).toHaveLength(1);
    expect(node.supervisor.get(ID)).toMatchObject({ generation: 3n, state: "running" });
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
    expect(node.supervisor.load().instances).toBe(1);
  });

  test("may differ in its assignments from the order before, and in nothing else", async () => {
    const node = await started();
    const renamed = generation(1n, { spec: { ...generation(1n).spec, name: "other" } });
    await expect(node.supervisor.start(renamed)).rejects.toEqual(withReason(Reason.IDEMPOTENCY_CONFLICT));
    await node.supervisor.start(generation(2n));
    expect(node.supervisor.get(ID).generation).toBe(2n);
  });

  test("is refused where the instance was stopped up to it, and taken above", async () => {
    const node = createTestNode({ stoppedUpTo: () => 2n });
    await expect(node.supervisor.start(generation(2n))).rejects.toEqual(withReason(Reason.GENERATION_SUPERSEDED));
    expect(await node.supervisor.start(generation(3n))).toMatchObject({ record: { generation: 3n } });
  });

  test("is refused on a node that was told of another place for it, the first one only", async () => {
    const node = createTestNode({ placedOn: () => "node-2" });
    await expect(node.supervisor.start(generation(1n))).rejects.toEqual(withReason(Reason.GENERATION_SUPERSEDED));
    await node.supervisor.start(generation(2n));
    const own = createTestNode({ placedOn: () => "node-1" });
    await own.supervisor.start(generation(1n));
  });

  test("is refused by a cordoned node, unless it is carried out already", async () => {
    let isCordoned = false;
    const node = createTestNode({ isCordoned: () => isCordoned });
    await node.supervisor.start(generation(1n));
    isCordoned = true;
    await expect(node.supervisor.start(orderOf("b"))).rejects.toEqual(withReason(Reason.NODE_CORDONED));
    expect(await node.supervisor.start(generation(1n))).toMatchObject({ alreadyStarted: true });
  });
});

describe("fencing", () => {
  test("ends a lower generation for good, whatever its policy, and twice does no harm", async () => {
    const node = await started();
    const record = await node.supervisor.fence(ID, 2n, "");
    expect(record).toMatchObject({ state: "stopped", isSuperseded: true, lastEnding: { cause: "superseded" } });
    expect(node.runtime.live).toEqual([]);
    expect(await node.supervisor.fence(ID, 2n, "")).toMatchObject({ state: "stopped" });
    node.reboot();
    expect(node.supervisor.get(ID)).toMatchObject({ state: "stopped" });
    expect(node.runtime.guests).toEqual([]);
  });

  test("leaves the generation alone that it names, a higher one, and what is not here", async () => {
    const node = await started(2n);
    await node.supervisor.fence(ID, 2n, "");
    await node.supervisor.fence(ID, 1n, "");
    expect(node.supervisor.get(ID).state).toBe("running");
    expect(await node.supervisor.fence(idOf("z"), 2n, "")).toBeUndefined();
  });
});

describe("a new witness", () => {
  test("is recorded, and gets the whole order with the assignments as they are now and a floor beyond the old one's claims", async () => {
    const node = await started(2n);
    const copy = node.supervisor.changeWitness({ instanceId: ID, generation: 2n, witnessNodeId: "w2" }, "");
    expect(copy).toMatchObject({ instanceId: ID, generation: 2n, nodeId: "node-1", claimFloor: 1001n, stopped: false });
    expect(copy.spec?.moduleDigest).toBe(node.supervisor.get(ID).spec.moduleDigest);
    expect(node.disk.records.get(ID)).toMatchObject({ witnessNodeId: "w2" });
    expect(node.facts.at(-1)).toMatchObject({ kind: "WITNESS_CHANGED" });
  });

  test("is refused for another generation, for what has ended, and for what is not here", async () => {
    const node = await started(2n);
    const change = (instanceId: string, of: bigint) => () =>
      node.supervisor.changeWitness({ instanceId, generation: of, witnessNodeId: "w2" }, "");
    expect(change(ID, 1n)).toThrow(withReason(Reason.GENERATION_SUPERSEDED));
    expect(change(idOf("z"), 1n)).toThrow(withReason(Reason.INSTANCE_NOT_FOUND));
    await node.supervisor.stop(ID, 0, "");
    expect(change(ID, 2n)).toThrow(withReason(Reason.INSTANCE_NOT_RUNNING));
  });
});

describe("adopting a generation", () => {
  test("raises it without touching the guest, durably, and once", async () => {
    const node = await started();
    const guests = [...node.runtime.live];
    const adopt = () => node.supervisor.adoptGeneration({ instanceId: ID, fromGeneration: 1n, generation: 4n }, "");
    expect(adopt()).toMatchObject({ generation: 4n, state: "running" });
    expect(adopt()).toMatchObject({ generation: 4n });
    expect(node.runtime.live).toEqual(guests);
    expect(node.disk.records.get(ID)).toMatchObject({ generation: 4n });
    expect(node.facts.filter(({ kind }) => kind === "GENERATION_ADOPTED")).toHaveLength(1);
    expect(await node.supervisor.fence(ID, 3n, "")).toMatchObject({ state: "running" });
  });

  test("is refused from another generation, downwards, and for what has ended", async () => {
    const node = await started(2n);
    const adopt = (fromGeneration: bigint, to: bigint) => () =>
      node.supervisor.adoptGeneration({ instanceId: ID, fromGeneration, generation: to }, "");
    expect(adopt(1n, 3n)).toThrow(withReason(Reason.GENERATION_SUPERSEDED));
    expect(adopt(2n, 2n)).toThrow(withReason(Reason.INVALID_REQUEST));
    await node.supervisor.stop(ID, 0, "");
    expect(adopt(2n, 3n)).toThrow(withReason(Reason.INSTANCE_NOT_RUNNING));
  });
});
