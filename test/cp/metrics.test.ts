import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { createFleet, FLEET_LIMITS } from "../../src/cp/fleet.ts";
import { createFleetReader } from "../../src/cp/fleet-reader.ts";
import { silencePolicyFromInterval } from "../../src/cp/fleet-view.ts";
import { createMetrics } from "../../src/cp/metrics.ts";
import { FactKind, FactSchema, SnapshotSchema, type Fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { idOf, instanceOf, reportOf } from "./node-history.ts";

function restarting(sequence: bigint): Fact {
  const instance = instanceOf({ id: idOf(1) });
  return create(FactSchema, { nodeId: "n1", epoch: "e1", sequence, kind: FactKind.INSTANCE_RESTARTING, instance });
}

describe("the count of restarts", () => {
  it("leaves out the past that came along with a snapshot, and has what happens from then on, once", () => {
    const clock = { nowMs: () => 0, steadyMs: () => 0, after: () => () => undefined };
    const silence = silencePolicyFromInterval(5_000);
    const fleet = createFleet({ clock, silence, limits: FLEET_LIMITS });
    const metrics = createMetrics({ fleet, clock, silence, reader: createFleetReader({ fleet, clock, silence }) });
    const count = (): string | undefined => /^wasmatrix_instance_restarts_total (\d+)$/m.exec(metrics.text())?.[1];
    const snapshot = create(SnapshotSchema, { sequence: 2n, page: 0, pageCount: 1 });

    fleet.report(reportOf({ facts: [restarting(1n), restarting(2n)], snapshot }));
    expect(count()).toBe("0");
    fleet.report(reportOf({ afterSequence: 2n, facts: [restarting(3n)] }));
    fleet.report(reportOf({ afterSequence: 2n, facts: [restarting(3n)] }));
    expect(count()).toBe("1");
  });
});
