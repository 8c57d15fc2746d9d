import { timestampMs } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldReport } from "../../src/cp/fold.ts";
import {
  isRebuilding,
  nodeStateAt,
  silencePolicyFromInterval,
  viewInstances,
  viewNode,
  type HeldNode,
} from "../../src/cp/fleet-view.ts";
import { hasEnded } from "../../src/cp/instance-life.ts";
import { InstanceState } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { lives, reportOf, snapshotReports } from "./node-history.ts";

const POLICY = silencePolicyFromInterval(5_000);
const REPORTED_MS = 1_000_000;

function nodeFrom(reports: readonly ReturnType<typeof reportOf>[]): HeldNode {
  let fold: HeldNode["fold"] | undefined;
  for (const report of reports)
    fold = foldReport(fold, report, { instancesMax: 100, factsMax: 100, unfinishedMax: 8 }).node;
  if (!fold) throw new Error("no reports");
  return {
    nodeId: "n1",
    fold,
    times: {
      lastReportSteadyMs: REPORTED_MS,
      lastReportMs: REPORTED_MS,
      confirmedMs: fold.coverage === undefined ? undefined : REPORTED_MS,
    },
  };
}

describe("the state of a node", () => {
  const node = nodeFrom([reportOf()]);

  it("is available, then suspect after one and a half intervals, then lost after ten seconds", () => {
    const at = (silentMs: number): NodeState => nodeStateAt(node, REPORTED_MS + silentMs, POLICY);
    expect([at(0), at(7_500), at(7_501), at(10_000), at(10_001)]).toEqual([
      NodeState.AVAILABLE,
      NodeState.AVAILABLE,
      NodeState.SUSPECT,
      NodeState.SUSPECT,
      NodeState.LOST,
    ]);
  });

  it("is left as soon as the node has said so, however recently it reported", () => {
    expect(nodeStateAt(nodeFrom([reportOf({ leaving: true })]), REPORTED_MS, POLICY)).toBe(NodeState.LEFT);
  });

  it("waits two intervals for nodes that report seldom", () => {
    expect(silencePolicyFromInterval(20_000)).toEqual({ suspectAfterMs: 30_000, lostAfterMs: 40_000 });
  });

  it("is rebuilding until its first whole snapshot, unless it is silent", () => {
    expect(isRebuilding(node, REPORTED_MS, POLICY)).toBe(true);
    expect(isRebuilding(node, REPORTED_MS + 60_000, POLICY)).toBe(false);
    expect(viewNode(node, REPORTED_MS, POLICY).rebuilding).toBe(true);
    expect(viewNode(nodeFrom([reportOf(), ...emptySnapshot()]), REPORTED_MS, POLICY).rebuilding).toBe(false);
  });
});

describe("the instances of a node", () => {
  it("are as reported while it is heard; of a silent node live ones are unknown and ended ones stay as they were", () => {
    fc.assert(
      fc.property(lives, fc.boolean(), ([life], left) => {
        const node = nodeFrom([
          ...snapshotReports(life, life.facts.length),
          reportOf({ afterSequence: BigInt(life.facts.length), leaving: left }),
        ]);
        const truth = [...(life.states.at(-1)?.instances.values() ?? [])];
        const heard = [...viewInstances(node, REPORTED_MS + 9_000, POLICY)];
        const silent = [...viewInstances(node, REPORTED_MS + 11_000, POLICY)];
        expect(silent).toHaveLength(truth.length);
        for (const [index, instance] of truth.entries()) {
          const unknown = hasEnded(instance) ? instance.state : InstanceState.UNKNOWN;
          expect(silent[index]?.state).toBe(unknown);
          expect(heard[index]?.state).toBe(left ? unknown : instance.state);
          expect(timestampMs(silent[index]?.observedTime ?? fail())).toBe(REPORTED_MS);
        }
      }),
      { numRuns: 300 },
    );
  });
});

function emptySnapshot(): ReturnType<typeof snapshotReports> {
  return snapshotReports({ epoch: "e1", facts: [], states: [{ instances: new Map(), providers: new Map() }] }, 0);
}

function fail(): never {
  throw new Error("an instance without an observed time");
}
