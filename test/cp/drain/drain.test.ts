import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, test } from "vitest";
import { fault, Reason } from "../../../src/fault.ts";
import type { DrainNodeResponse } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeState } from "../../../src/gen/wasmatrix/v1/node_pb.ts";
import {
  createRealFleet,
  runningInstance,
  runsOn,
  startSurvivor,
  type RealControlPlane,
  type RealFleet,
} from "../real-fleet.ts";
import { reasonOf } from "../test-fleet.ts";

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

type Step = DrainNodeResponse["step"];

/** The steps of a drain, to its end. */
async function drained(
  fleet: RealFleet,
  { client }: RealControlPlane,
  nodeId: string,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly onStep?: (step: Step) => void } = {},
): Promise<readonly Step[]> {
  const steps: Step[] = [];
  let failure: unknown;
  let isDone = false;
  const timeout = options.timeoutMs === undefined ? {} : { timeout: durationFromMs(options.timeoutMs) };
  const read = async (): Promise<void> => {
    for await (const { step } of client.drainNode(
      { nodeId, ...timeout },
      { signal: options.signal ?? AbortSignal.any([]) },
    )) {
      if (step.case === undefined) continue;
      steps.push(step);
      options.onStep?.(step);
    }
  };
  void read()
    .catch((error: unknown) => (failure = error))
    .finally(() => (isDone = true));
  await fleet.until(() => isDone, 400_000);
  if (failure !== undefined) throw failure;
  return steps;
}

function casesOf(steps: readonly Step[]): readonly (string | undefined)[] {
  return steps.map((step) => step.case);
}

async function cordonedNodes({ client }: RealControlPlane): Promise<readonly string[]> {
  const { nodes } = await client.listNodes({});
  return nodes.flatMap(({ info }) => (info?.cordoned === true ? [info.nodeId] : []));
}

describe("a cordoned node", () => {
  test("takes nothing new, keeps what it has, and takes again when it is uncordoned; also across a restart of its agent", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id } = await startSurvivor(one, { nodeId: "a" });
    const { node } = await one.client.cordonNode({ nodeId: "a" });
    expect(node?.info?.cordoned).toBe(true);
    expect(await reasonOf(startSurvivor(one, { nodeId: "a" }))).toBe(Reason.NO_NODE_FITS);
    expect(runsOn(fleet, id)).toEqual(["a"]);
    for (let count = 0; count < 6; count++) expect((await startSurvivor(one)).nodeId).not.toBe("a");
    fleet.node("a").kill();
    await fleet.node("a").boot();
    const epoch = fleet.node("a").agent?.epoch;
    await fleet.until(async () => {
      const { nodes } = await one.client.listNodes({});
      return nodes.some((each) => each.epoch === epoch && !each.rebuilding);
    }, 20_000);
    expect(await cordonedNodes(one)).toEqual(["a"]);
    expect((await one.client.uncordonNode({ nodeId: "a" })).node?.info?.cordoned).toBe(false);
    expect(await startSurvivor(one, { nodeId: "a" })).toMatchObject({ nodeId: "a" });
  });

  test("cannot be one that nobody knows or reaches", async () => {
    const { fleet, one } = await fleetOf("a", "b");
    expect(await reasonOf(one.client.cordonNode({ nodeId: "z" }))).toBe(Reason.NODE_NOT_FOUND);
    fleet.node("b").cut = true;
    expect(await reasonOf(one.client.cordonNode({ nodeId: "b" }))).toBe(Reason.NODE_UNREACHABLE);
  });
});

describe("draining a node", () => {
  test("moves what may move, with a higher generation and never without a ready one, and tells what stays and why", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c", "d");
    const movable = await Promise.all([1, 2, 3].map(() => startSurvivor(one, { nodeId: "a" })));
    const fixed = await startSurvivor(one, { nodeId: "a", none: true, name: "fixed" });
    const fewest = new Map(movable.map(({ id }) => [id, 1]));
    const watch = setInterval(() => {
      for (const { id } of movable) fewest.set(id, Math.min(fewest.get(id) ?? 1, runsOn(fleet, id).length));
    });
    const steps = await drained(fleet, one, "a");
    clearInterval(watch);
    expect(steps[0]).toMatchObject({ case: "begun", value: { instances: 4, movable: 3 } });
    expect(casesOf(steps)).toEqual(["begun", "stayed", "moved", "moved", "moved", "finished"]);
    expect(steps[1]?.value).toMatchObject({ instanceId: fixed.id, name: "fixed", reason: Reason.NO_WITNESS });
    expect(steps.at(-1)?.value).toMatchObject({ moved: 3, stayed: 1, witnessCopies: 0 });
    for (const { id } of movable) {
      const now = await runningInstance(one, id);
      expect(now).toMatchObject({ generation: 2n });
      expect(runsOn(fleet, id)).toEqual([now.nodeId]);
      expect(fewest.get(id)).toBe(1);
    }
    expect(runsOn(fleet, fixed.id)).toEqual(["a"]);
    expect(await cordonedNodes(one)).toEqual(["a"]);
  });

  test("has its start orders of other nodes' instances taken over", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const held: string[] = [];
    for (let count = 0; count < 6; count++) {
      const { id, witnessNodeId } = await startSurvivor(one, { nodeId: "b" });
      if (witnessNodeId === "a") held.push(id);
    }
    expect(held.length).toBeGreaterThan(0);
    const steps = await drained(fleet, one, "a");
    expect(steps.at(-1)?.value).toMatchObject({ witnessCopies: 0 });
    for (const id of held) expect((await runningInstance(one, id)).witnessNodeId).toBe("c");
  });

  test("leaves an instance as it is if its next generation does not start, and it survives its node still", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id } = await startSurvivor(one, { nodeId: "a" });
    const guest = fleet.node("a").runtime.live[0];
    for (const nodeId of ["b", "c"]) fleet.node(nodeId).runtime.failure = fault(Reason.GUEST_TRAPPED, "it traps");
    const steps = await drained(fleet, one, "a");
    expect(steps[1]).toMatchObject({ case: "stayed", value: { instanceId: id, reason: Reason.GUEST_TRAPPED } });
    expect(fleet.node("a").runtime.live, "the same guest, not a restarted one").toEqual([guest]);
    const kept = await fleet.until(() => runningInstance(one, id));
    expect(kept.nodeId).toBe("a");
    expect(kept.generation).toBeGreaterThan(1n);
    for (const nodeId of ["b", "c"]) fleet.node(nodeId).runtime.failure = undefined;
    await fleet.clock.advance(10_000);
    expect(runsOn(fleet, id)).toEqual(["a"]);
    fleet.node("a").kill();
    await fleet.until(async () => (await runningInstance(one, id)).nodeId !== "a", 20_000);
    expect(runsOn(fleet, id)).toHaveLength(1);
  });

  test("says that no other node fits, and leaves the generation alone then", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id } = await startSurvivor(one, { nodeId: "a" });
    for (const nodeId of ["b", "c"]) await one.client.cordonNode({ nodeId });
    const steps = await drained(fleet, one, "a");
    expect(steps[1]).toMatchObject({ case: "stayed", value: { instanceId: id, reason: Reason.NO_NODE_FITS } });
    expect(await runningInstance(one, id)).toMatchObject({ nodeId: "a", generation: 1n });
  });

  test("moves to the witness if there is no other node, and takes another witness as soon as there is one", async () => {
    const { fleet, one } = await fleetOf("a", "b");
    const { id } = await startSurvivor(one, { nodeId: "a" });
    await drained(fleet, one, "a");
    expect(await runningInstance(one, id)).toMatchObject({ nodeId: "b", witnessNodeId: "b" });
    await one.client.uncordonNode({ nodeId: "a" });
    await fleet.until(async () => (await runningInstance(one, id)).witnessNodeId === "a", 20_000);
  });

  test("begins no move after its time, and tells so; asked again it goes on", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id } = await startSurvivor(one, { nodeId: "a" });
    const steps = await drained(fleet, one, "a", { timeoutMs: 0 });
    expect(steps[1]).toMatchObject({ case: "stayed", value: { instanceId: id, reason: Reason.CALL_TIMED_OUT } });
    expect(await runningInstance(one, id)).toMatchObject({ nodeId: "a", generation: 1n });
    expect(casesOf(await drained(fleet, one, "a"))).toEqual(["begun", "moved", "finished"]);
  });

  test("finishes what has begun if its caller goes away, begins nothing more, and stays cordoned", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c", "d");
    const placed = await Promise.all(Array.from({ length: 12 }, () => startSurvivor(one, { nodeId: "a" })));
    const gone = new AbortController();
    const failure = drained(fleet, one, "a", { signal: gone.signal, onStep: () => gone.abort() });
    await expect(failure).rejects.toThrow();
    await fleet.clock.advance(20_000);
    const where = await Promise.all(placed.map(async ({ id }) => (await runningInstance(one, id)).nodeId));
    for (const { id } of placed) expect(runsOn(fleet, id)).toHaveLength(1);
    expect(where.filter((nodeId) => nodeId === "a").length).toBeGreaterThanOrEqual(4);
    expect(await cordonedNodes(one)).toEqual(["a"]);
    const again = await drained(fleet, one, "a");
    expect(again.at(-1)?.value).toMatchObject({ stayed: 0 });
    expect(fleet.node("a").running()).toEqual([]);
  });

  test("is brought to an end by another control plane if the one that drained dies in its midst", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c", "d");
    const placed = await Promise.all([1, 2, 3, 4].map(() => startSurvivor(one, { nodeId: "a" })));
    const starting = Promise.withResolvers<void>();
    for (const nodeId of ["b", "c", "d"]) fleet.node(nodeId).runtime.gate = starting.promise;
    const dying = new AbortController();
    void drained(fleet, one, "a", { signal: dying.signal }).catch(() => undefined);
    await fleet.clock.advance(500);
    dying.abort();
    await one.close();
    const two = fleet.addControlPlane();
    starting.resolve();
    for (const nodeId of ["b", "c", "d"]) fleet.node(nodeId).runtime.gate = undefined;
    await fleet.until(async () => (await cordonedNodes(two)).includes("a"), 20_000);
    await drained(fleet, two, "a");
    await fleet.until(() => fleet.node("a").running().length === 0, 30_000);
    for (const { id } of placed) {
      expect(runsOn(fleet, id)).toHaveLength(1);
      expect(await runningInstance(two, id)).toMatchObject({ nodeId: runsOn(fleet, id)[0] });
    }
  });

  test("does not undo a stop that comes in its midst", async () => {
    const { fleet, one } = await fleetOf("a", "b", "c");
    const { id } = await startSurvivor(one, { nodeId: "a" });
    const starting = Promise.withResolvers<void>();
    for (const nodeId of ["b", "c"]) fleet.node(nodeId).runtime.gate = starting.promise;
    const draining = drained(fleet, one, "a");
    await fleet.clock.advance(100);
    const stopping = one.client.stopInstance({ instance: id });
    await fleet.clock.advance(100);
    starting.resolve();
    await stopping;
    expect(runsOn(fleet, id)).toEqual([]);
    await draining;
    await fleet.clock.advance(20_000);
    expect(runsOn(fleet, id)).toEqual([]);
  });
});
