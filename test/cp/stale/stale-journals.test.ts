/** Agents that come up with an older disk, as from a backup, beside a control plane that has heard what they have forgotten. */
import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, test } from "vitest";
import { createMemoryJournalDisk, type MemoryJournalDisk } from "../../../src/agent/memory-journal.ts";
import { AssignmentSchema, CapabilityType, RestartMode } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../../src/gen/wasmatrix/v1/node_pb.ts";
import {
  createRealFleet,
  runningInstance,
  runsOn,
  startSurvivor,
  type RealControlPlane,
  type RealFleet,
  type RealNode,
} from "../real-fleet.ts";
import { inline } from "../test-fleet.ts";

const fleets: RealFleet[] = [];
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.close();
});

async function fleetOf(...nodeIds: string[]): Promise<{ fleet: RealFleet; one: RealControlPlane }> {
  const fleet = await createRealFleet(nodeIds);
  fleets.push(fleet);
  const one = fleet.addControlPlane();
  await fleet.until(async () => {
    const { nodes } = await one.client.listNodes({});
    return nodes.every(({ state, rebuilding }) => state === NodeState.AVAILABLE && !rebuilding);
  });
  return { fleet, one };
}

function backupOf({ disk }: RealNode): MemoryJournalDisk {
  return { ...createMemoryJournalDisk(), records: new Map(disk.records), epochCounter: disk.epochCounter };
}

/** Ends the node and brings it up again with what the disk held then. Its clock has gone on, so its life is a newer one. */
async function restore(
  { fleet, one }: { readonly fleet: RealFleet; readonly one: RealControlPlane },
  node: RealNode,
  disk: MemoryJournalDisk,
): Promise<void> {
  node.kill();
  await fleet.clock.advance(1_000);
  node.disk = disk;
  await node.boot();
  await fleet.until(async () => {
    const { nodes } = await one.client.listNodes({});
    return nodes.some(({ epoch, rebuilding }) => epoch === node.agent?.epoch && !rebuilding);
  });
}

const KV = { type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] };

async function startAlways({ client }: RealControlPlane): Promise<string> {
  const { instance } = await client.startInstance({
    nodeId: "a",
    spec: { name: "web", restartPolicy: { mode: RestartMode.ALWAYS }, assignments: [create(AssignmentSchema, KV)] },
    module: inline(),
  });
  return instance?.id ?? "";
}

describe("a node that comes up with an older journal", () => {
  test("is told again to stop what was stopped", async () => {
    const { fleet, one } = await fleetOf("a", "b");
    const id = await startAlways(one);
    const older = backupOf(fleet.node("a"));
    await one.client.stopInstance({ instance: id });
    await restore({ fleet, one }, fleet.node("a"), older);
    await fleet.until(() => fleet.node("a").agent?.supervisor.find(id)?.state === "stopped", 30_000);
    expect(runsOn(fleet, id)).toEqual([]);
  });

  test("is told again to revoke what was revoked, and the rest goes on", async () => {
    const { fleet, one } = await fleetOf("a", "b");
    const id = await startAlways(one);
    const older = backupOf(fleet.node("a"));
    await one.client.revokeCapability({
      instance: id,
      assignment: { type: CapabilityType.KV, permissions: ["kv:write"] },
    });
    await restore({ fleet, one }, fleet.node("a"), older);
    await fleet.until(async () => {
      const now = await runningInstance(one, id);
      return now.assignments.flatMap(({ permissions }) => permissions).join() === "kv:read";
    }, 30_000);
    expect(runsOn(fleet, id)).toEqual(["a"]);
  });

  test("that has forgotten nothing goes on with what it had", async () => {
    const { fleet, one } = await fleetOf("a", "b");
    const id = await startAlways(one);
    await restore({ fleet, one }, fleet.node("a"), fleet.node("a").disk);
    await fleet.until(() => runningInstance(one, id), 30_000);
    await fleet.clock.advance(10_000);
    const now = await runningInstance(one, id);
    expect(now.assignments.flatMap(({ permissions }) => permissions)).toEqual(["kv:read", "kv:write"]);
  });

  test("does not place anew, as a witness, what was stopped", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id, nodeId, witnessNodeId } = await startSurvivor(one);
    const witness = fleet.node(witnessNodeId);
    const older = new Map(witness.fleetDisk.witnesses);
    await fleet.until(() => runningInstance(one, id));
    // The node goes away before the stop: only the witness knows of it then.
    fleet.node(nodeId).cut = true;
    await one.client.stopInstance({ instance: id }).catch(() => undefined);
    await fleet.until(() => witness.fleetDisk.witnesses.get(id)?.stopped === true);
    await fleet.clock.advance(1_000);
    witness.kill();
    await fleet.clock.advance(1_000);
    for (const [key, copy] of older) witness.fleetDisk.witnesses.set(key, copy);
    await witness.boot();
    await fleet.until(() => witness.fleetDisk.witnesses.get(id)?.stopped === true, 30_000);
    await fleet.clock.advance(40_000);
    expect(runsOn(fleet, id)).toEqual([nodeId]);
    fleet.node(nodeId).cut = false;
    await fleet.until(() => runsOn(fleet, id).length === 0, 30_000);
  });
});
