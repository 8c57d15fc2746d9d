import { describe, expect, it } from "vitest";
import { createFleet, FLEET_LIMITS, type Fleet, type FleetChange } from "../../src/cp/fleet.ts";
import { silencePolicyFromInterval } from "../../src/cp/fleet-view.ts";
import { isFault, Reason } from "../../src/fault.ts";
import { create } from "@bufbuild/protobuf";
import { FactKind, FactSchema, SnapshotSchema } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { idOf, instanceOf, nodeInfoOf, reportOf } from "./node-history.ts";

function fleetAt(clock: { nowMs: number }, limits: Partial<typeof FLEET_LIMITS> = {}): Fleet {
  return createFleet({
    clock: { nowMs: () => clock.nowMs, steadyMs: () => clock.nowMs },
    silence: silencePolicyFromInterval(5_000),
    limits: { ...FLEET_LIMITS, ...limits },
  });
}

function factReport(nodeId: string, sequence: number, name = "web"): Parameters<Fleet["report"]>[0] {
  const fact = create(FactSchema, {
    nodeId,
    epoch: "e1",
    sequence: BigInt(sequence),
    kind: FactKind.INSTANCE_RUNNING,
    instance: instanceOf({ id: idOf(1), nodeId, name }),
  });
  return reportOf({ info: nodeInfoOf({ nodeId }), afterSequence: BigInt(sequence - 1), facts: [fact] });
}

function emptySnapshot(nodeId: string): Parameters<Fleet["report"]>[0] {
  return reportOf({
    info: nodeInfoOf({ nodeId }),
    snapshot: create(SnapshotSchema, { sequence: 0n, page: 0, pageCount: 1 }),
  });
}

describe("a fleet", () => {
  it("asks a node of which it holds nothing for a snapshot, and acknowledges what it then holds", () => {
    const fleet = fleetAt({ nowMs: 0 });
    expect(fleet.report(factReport("n1", 1)).kind).toBe("need-snapshot");
    expect(fleet.report(emptySnapshot("n1"))).toEqual({ kind: "acknowledged", epoch: "e1", sequence: 1n });
  });

  it("tells listeners of news until they have enough", () => {
    const fleet = fleetAt({ nowMs: 0 });
    const changes: FleetChange[] = [];
    const stop = fleet.onChange((change) => changes.push(change));
    fleet.report(factReport("n1", 1));
    fleet.report(factReport("n1", 1));
    stop();
    fleet.report(factReport("n1", 2));
    expect(changes.map(({ news }) => news.length)).toEqual([1, 0]);
  });

  it("finds the nodes that hold a name, and forgets those that no longer do", () => {
    const fleet = fleetAt({ nowMs: 0 });
    fleet.report(factReport("n1", 1));
    fleet.report(factReport("n2", 1));
    const named = (): string[] => [...fleet.index.named("web")].map(({ nodeId }) => nodeId);
    expect(named()).toEqual(["n1", "n2"]);
    fleet.report(factReport("n2", 2, "other"));
    expect(named()).toEqual(["n1"]);
    expect([...fleet.index.named("other")]).toHaveLength(1);
  });

  it("takes the time of the last report, and of the last one after which nothing was missing", () => {
    const clock = { nowMs: 100 };
    const fleet = fleetAt(clock);
    fleet.report(emptySnapshot("n1"));
    clock.nowMs = 200;
    fleet.report(factReport("n1", 5));
    expect(fleet.node("n1")?.times).toEqual({ lastReportSteadyMs: 200, lastReportMs: 200, confirmedMs: 100 });
    clock.nowMs = 300;
    fleet.report({ ...emptySnapshot("n1"), epoch: "e0" });
    expect(fleet.node("n1")?.times).toEqual({ lastReportSteadyMs: 200, lastReportMs: 200, confirmedMs: 100 });
  });

  it("refuses one node more than its limit while all others report, and lets a silent one make room", () => {
    const clock = { nowMs: 0 };
    const fleet = fleetAt(clock, { nodesMax: 2 });
    fleet.report(emptySnapshot("n1"));
    clock.nowMs = 5_000;
    fleet.report(emptySnapshot("n2"));
    expect(() => fleet.report(emptySnapshot("n3"))).toThrow(/2 nodes report already/);
    try {
      fleet.report(emptySnapshot("n3"));
    } catch (error) {
      expect(isFault(error, Reason.TOO_MANY_REQUESTS)).toBe(true);
    }
    clock.nowMs = 11_000;
    fleet.report(emptySnapshot("n3"));
    expect([...fleet.nodes()].map(({ nodeId }) => nodeId)).toEqual(["n2", "n3"]);
  });

  it("shares the memory for facts among its nodes", () => {
    const fleet = fleetAt({ nowMs: 0 }, { factsMax: 10, factsPerNodeMax: 8 });
    for (let sequence = 1; sequence <= 20; sequence++) fleet.report(factReport("n1", sequence));
    expect(fleet.node("n1")?.fold.facts).toHaveLength(8);
    fleet.report(emptySnapshot("n2"));
    fleet.report(factReport("n1", 21));
    expect(fleet.node("n1")?.fold.facts).toHaveLength(5);
  });
});
