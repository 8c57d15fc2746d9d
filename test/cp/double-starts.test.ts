import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { surplusOf, type Sighting } from "../../src/cp/double-starts.ts";
import { heldInstanceFromMessage } from "../../src/cp/fold/held-instance.ts";
import { hasEnded } from "../../src/cp/instance-life.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { InstanceState } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { MemoryAgent } from "./memory-agent.ts";
import { idOf, instanceOf } from "./node-history.ts";
import { createTestFleet, eventually, inline, type TestFleet } from "./test-fleet.ts";

const { RUNNING, STOPPED, BACKOFF, EXITED } = InstanceState;

function sighting(nodeId: string, fields: { state?: InstanceState; createdMs?: number; generation?: bigint } = {}) {
  return {
    nodeId,
    instance: heldInstanceFromMessage(instanceOf({ id: idOf(1), nodeId, ...fields })),
    heard: true,
  } satisfies Sighting;
}

function endedOn(...sightings: readonly Sighting[]): readonly string[] {
  return surplusOf(sightings).map(({ nodeId }) => nodeId);
}

describe("of an instance that several nodes report", () => {
  it("the one made first lives, and one alone is left alone", () => {
    expect(endedOn(sighting("a", { createdMs: 2 }), sighting("b", { createdMs: 1 }))).toEqual(["a"]);
    expect(endedOn(sighting("b"), sighting("a"))).toEqual(["b"]);
    expect(endedOn(sighting("a"))).toEqual([]);
  });

  it("none lives if the one made first has ended, also on a node that is silent", () => {
    const stopped = { ...sighting("a", { state: STOPPED, createdMs: 1 }), heard: false };
    expect(endedOn(stopped, sighting("b", { state: BACKOFF, createdMs: 2 }))).toEqual(["b"]);
    expect(endedOn(stopped, sighting("b", { state: EXITED, createdMs: 2 }))).toEqual([]);
  });

  it("the one made first lives on after the other was ended", () => {
    expect(endedOn(sighting("a", { createdMs: 1 }), sighting("b", { state: STOPPED, createdMs: 2 }))).toEqual([]);
  });

  it("a silent node's live one proves nothing", () => {
    expect(endedOn({ ...sighting("a", { createdMs: 1 }), heard: false }, sighting("b", { createdMs: 2 }))).toEqual([]);
  });

  it("one of a later generation is not a double of an earlier one", () => {
    expect(endedOn(sighting("a", { state: STOPPED }), sighting("b", { generation: 2n }))).toEqual([]);
  });

  it("at most one lives on, whoever looks and in whatever order", () => {
    const arbitrary = fc.uniqueArray(
      fc.record({
        nodeId: fc.constantFrom("a", "b", "c", "d"),
        state: fc.constantFrom(RUNNING, BACKOFF, STOPPED, EXITED),
        createdMs: fc.nat(2),
      }),
      { selector: ({ nodeId }) => nodeId },
    );
    fc.assert(
      fc.property(arbitrary, (fields) => {
        const sightings = fields.map(({ nodeId, ...rest }) => sighting(nodeId, rest));
        const ended = endedOn(...sightings);
        const alive = sightings.filter(({ nodeId, instance }) => !hasEnded(instance) && !ended.includes(nodeId));
        expect(alive.length).toBeLessThanOrEqual(1);
        expect(endedOn(...sightings.toReversed()).toSorted()).toEqual(ended.toSorted());
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a start that is retried on a control plane that came up empty", () => {
  async function startedTwice(): Promise<{ fleet: TestFleet; late: MemoryAgent; early: MemoryAgent; id: string }> {
    const before = createTestFleet();
    const first = await before.addAgent({ nodeId: "late" });
    const request = { idempotencyKey: "once", spec: { name: "web" }, module: inline() };
    const { instance } = await before.client.startInstance(request);
    const id = instance?.id ?? expect.unreachable();
    const fleet = createTestFleet();
    const early = await fleet.addAgent({ nodeId: "early" });
    await fleet.client.startInstance(request);
    expect(early.instances.get(id)?.state).toBe(RUNNING);
    const late = fleet.addSilentAgent({ nodeId: "late" });
    const held = first.instances.get(id) ?? expect.unreachable();
    late.instances.set(id, { ...held, createTime: timestampFromMs(1) });
    return { fleet, late, early, id };
  }

  it("is undone when the node that carried it out before reports", async () => {
    const { fleet, late, early, id } = await startedTwice();
    await late.report();
    await eventually(() => expect(early.instances.get(id)?.state).toBe(STOPPED));
    expect(late.instances.get(id)?.state).toBe(RUNNING);
    expect(late.orders).toEqual([]);
    const { instance } = await fleet.client.queryInstance({ instance: id });
    expect(instance).toMatchObject({ nodeId: "late", state: RUNNING });
  });

  it("does not bring back what was stopped there", async () => {
    const { late, early, id } = await startedTwice();
    late.change({ ...(late.instances.get(id) ?? expect.unreachable()), state: STOPPED }, FactKind.INSTANCE_STOPPED);
    await late.report();
    await eventually(() => expect(early.instances.get(id)?.state).toBe(STOPPED));
  });
});
