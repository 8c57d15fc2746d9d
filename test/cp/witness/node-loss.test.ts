import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test } from "vitest";
import {
  AssignmentSchema,
  CapabilityType,
  InstanceState,
  OnNodeLoss,
  type Instance,
} from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../../src/gen/wasmatrix/v1/node_pb.ts";
import { Reason } from "../../../src/fault.ts";
import {
  createRealFleet,
  runningInstance,
  runsOn,
  startSurvivor,
  type RealControlPlane,
  type RealFleet,
} from "../real-fleet.ts";
import { inline, reasonOf } from "../test-fleet.ts";

const fleets: RealFleet[] = [];
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.close();
});

async function fleetOf(...nodeIds: string[]): Promise<{ fleet: RealFleet; one: RealControlPlane }> {
  const fleet = await createRealFleet(nodeIds);
  fleets.push(fleet);
  const one = fleet.addControlPlane();
  await fleet.until(() => allAvailable(one, nodeIds.length));
  return { fleet, one };
}

async function allAvailable({ client }: RealControlPlane, count: number): Promise<boolean> {
  const { nodes } = await client.listNodes({});
  return nodes.filter(({ state, rebuilding }) => state === NodeState.AVAILABLE && !rebuilding).length === count;
}

/** The instance, running, and placed anew since this one was answered. */
async function placedAnew(controlPlane: RealControlPlane, { id, generation }: Instance): Promise<Instance> {
  const now = await runningInstance(controlPlane, id);
  if (now.generation > generation) return now;
  throw new Error(`instance ${id} still has generation ${String(generation)}`);
}

describe("an instance that is to survive its node", () => {
  test("has a witness on another node, and says so", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id, nodeId, witnessNodeId, generation, onNodeLoss } = await startSurvivor(one);
    expect({ generation, onNodeLoss }).toEqual({ generation: 1n, onNodeLoss: OnNodeLoss.RESTART_ELSEWHERE });
    expect(witnessNodeId).not.toBe(nodeId);
    expect(fleet.node(witnessNodeId).fleetDisk.witnesses.get(id)).toMatchObject({
      nodeId,
      generation: 1n,
      stopped: false,
    });
  });

  test("is refused where no second node can keep its order, and the same without that wish is taken", async () => {
    const { one } = await fleetOf("a");
    expect(await reasonOf(startSurvivor(one))).toBe(Reason.NO_WITNESS);
    expect(await startSurvivor(one, { none: true })).toMatchObject({ nodeId: "a" });
  });

  test("answers elsewhere within 15 s of the loss of its node, with its next generation and the same id", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const placed = await startSurvivor(one);
    const { id, nodeId } = placed;
    fleet.node(nodeId).kill();
    const moved = await fleet.until(() => placedAnew(one, placed), 15_000);
    expect(moved.generation).toBe(2n);
    expect(runsOn(fleet, id)).toEqual([moved.nodeId]);
    expect(moved.nodeId).not.toBe(nodeId);
  });

  test("survives its node and every control plane at the same moment", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const placed = await startSurvivor(one);
    const { id, nodeId } = placed;
    await one.close();
    fleet.node(nodeId).kill();
    const cold = fleet.addControlPlane();
    const moved = await fleet.until(() => placedAnew(cold, placed), 30_000);
    expect(moved).toMatchObject({ generation: 2n });
    expect(runsOn(fleet, id)).toEqual([moved.nodeId]);
  });

  test("lives once after its node has come back, at the higher generation", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const placed = await startSurvivor(one);
    const { id, nodeId } = placed;
    const lost = fleet.node(nodeId);
    lost.cut = true;
    const moved = await fleet.until(() => placedAnew(one, placed), 15_000);
    expect(runsOn(fleet, id), "nobody can tell the lost node").toHaveLength(2);
    lost.cut = false;
    await fleet.until(() => runsOn(fleet, id).length === 1);
    expect(runsOn(fleet, id)).toEqual([moved.nodeId]);
    expect(await runningInstance(one, id)).toMatchObject({ nodeId: moved.nodeId, generation: 2n });
    expect(lost.agent?.supervisor.find(id)).toMatchObject({ state: "stopped", isSuperseded: true });
  });

  test("lives once if two control planes see the loss", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c", "d");
    const two = fleet.addControlPlane();
    await fleet.until(() => allAvailable(two, 4));
    const placed = await Promise.all([1, 2, 3, 4].map(() => startSurvivor(one, { nodeId: "a" })));
    await fleet.until(() => Promise.all(placed.map(({ id }) => runningInstance(two, id))));
    fleet.node("a").kill();
    await fleet.until(
      () => Promise.all(placed.flatMap((each) => [placedAnew(one, each), placedAnew(two, each)])),
      20_000,
    );
    for (const { id } of placed) {
      expect(runsOn(fleet, id)).toHaveLength(1);
      expect((await runningInstance(one, id)).nodeId).toBe((await runningInstance(two, id)).nodeId);
    }
  });

  test("gets another witness when its own is lost, and survives its node after that", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c", "d");
    const { id, nodeId, witnessNodeId } = await startSurvivor(one);
    await fleet.until(() => runningInstance(one, id));
    fleet.node(witnessNodeId).kill();
    const changed = await fleet.until(async () => {
      const now = await runningInstance(one, id);
      if (now.witnessNodeId === witnessNodeId) throw new Error("it has its old witness still");
      return now;
    }, 40_000);
    expect(changed).toMatchObject({ nodeId, generation: 1n });
    fleet.node(nodeId).kill();
    const moved = await fleet.until(() => placedAnew(one, changed), 20_000);
    // Generations of the new witness lie beyond all that the old one could give.
    expect(moved.generation).toBe(1001n);
    await fleet.node(witnessNodeId).boot();
    await fleet.until(() => !fleet.node(witnessNodeId).fleetDisk.witnesses.has(id), 30_000);
    expect(runsOn(fleet, id)).toEqual([moved.nodeId]);
  });

  test("is not started again once it was stopped, whatever is lost then; its witness forgets it", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id, nodeId } = await startSurvivor(one);
    await one.client.stopInstance({ instance: id });
    fleet.node(nodeId).kill();
    await fleet.clock.advance(40_000);
    expect(runsOn(fleet, id)).toEqual([]);
    const { instance } = await one.client.queryInstance({ instance: id });
    expect(instance?.state).toBe(InstanceState.STOPPED);
  });

  test("is not started again if it was stopped while its node was away, and is ended when the node is back", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id, nodeId } = await startSurvivor(one);
    await fleet.until(() => runningInstance(one, id));
    const lost = fleet.node(nodeId);
    lost.cut = true;
    // Told to the witness; the caller is told that the node itself could not be.
    expect(await reasonOf(one.client.stopInstance({ instance: id }))).toBe(Reason.NODE_UNREACHABLE);
    await fleet.clock.advance(40_000);
    expect(runsOn(fleet, id)).toEqual([nodeId]);
    lost.cut = false;
    await fleet.until(() => runsOn(fleet, id).length === 0);
  });

  test("keeps what was revoked revoked in its next generation", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const assignment = create(AssignmentSchema, { type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] });
    const { instance } = await one.client.startInstance({
      spec: { name: "kv", onNodeLoss: OnNodeLoss.RESTART_ELSEWHERE, assignments: [assignment] },
      module: inline(),
    });
    const placed = await runningInstance(one, instance?.id ?? "");
    const { id } = placed;
    await one.client.revokeCapability({
      instance: id,
      assignment: { type: CapabilityType.KV, permissions: ["kv:write"] },
    });
    fleet.node(placed.nodeId).kill();
    const moved = await fleet.until(() => placedAnew(one, placed), 15_000);
    expect(moved.assignments.map(({ permissions }) => permissions)).toEqual([["kv:read"]]);
  });

  test("waits until a node fits, if none does at first", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const placed = await startSurvivor(one);
    const { id, nodeId } = placed;
    const others = fleet.nodes.filter((node) => node.nodeId !== nodeId);
    for (const other of others) await one.client.cordonNode({ nodeId: other.nodeId });
    fleet.node(nodeId).kill();
    await fleet.clock.advance(30_000);
    expect(runsOn(fleet, id)).toEqual([]);
    for (const other of others) await one.client.uncordonNode({ nodeId: other.nodeId });
    await fleet.until(() => placedAnew(one, placed), 20_000);
  });
});

test("an instance without that wish stays on its lost node, unknown, and is known again when the node is back", async () => {
  const { fleet, one } = await fleetOf("a", "b", "c");
  const { id, nodeId } = await startSurvivor(one, { none: true });
  await fleet.until(() => runningInstance(one, id));
  fleet.node(nodeId).cut = true;
  await fleet.clock.advance(40_000);
  const { instance } = await one.client.queryInstance({ instance: id });
  expect(instance).toMatchObject({ state: InstanceState.UNKNOWN, generation: 1n });
  expect(runsOn(fleet, id)).toEqual([nodeId]);
  fleet.node(nodeId).cut = false;
  await fleet.until(() => runningInstance(one, id));
});
