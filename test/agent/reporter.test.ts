import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { createReportLog } from "../../src/agent/report-log.ts";
import { snapshotPages } from "../../src/agent/report-plan.ts";
import { startReporter, type ReportClient } from "../../src/agent/reporter.ts";
import { fault, Reason } from "../../src/fault.ts";
import {
  RegisterNodeResponseSchema,
  ReportStatusResponseSchema,
  type ReportStatusRequest,
  type ReportStatusResponse,
} from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { LoadSchema, NodeInfoSchema } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { createJsonLog } from "../../src/log.ts";
import { createPlainEntropy, createVirtualClock, settle } from "./virtual-clock.ts";

function setUp() {
  const clock = createVirtualClock();
  const facts = createReportLog({ nodeId: "n", epoch: "e1" });
  const logged: string[] = [];
  const requests: ReportStatusRequest[] = [];
  let registrations = 0;
  let held: number | undefined;
  const plane: {
    failure: Error | undefined;
    gate: Promise<void> | undefined;
    answer: ((request: ReportStatusRequest) => ReportStatusResponse) | undefined;
    inFlightMax: number;
  } = { failure: undefined, gate: undefined, answer: undefined, inFlightMax: 0 };
  let inFlight = 0;

  const client: ReportClient = {
    async registerNode() {
      if (plane.failure !== undefined) throw plane.failure;
      registrations += 1;
      return create(RegisterNodeResponseSchema, { protocolVersion: 1, reportInterval: durationFromMs(1_000) });
    },
    async reportStatus(init) {
      const request = init as ReportStatusRequest;
      plane.inFlightMax = Math.max(plane.inFlightMax, ++inFlight);
      try {
        await plane.gate;
        if (plane.failure !== undefined) throw plane.failure;
        requests.push(request);
        if (plane.answer !== undefined) return plane.answer(request);
        if (request.snapshot !== undefined) held = Number(request.snapshot.sequence);
        else if (held === Number(request.afterSequence)) held += request.facts.length;
        else if (request.facts.length > 0) held = undefined;
        return create(ReportStatusResponseSchema, {
          holds:
            held === undefined
              ? { case: "needSnapshot", value: { why: "nothing is held" } }
              : { case: "acknowledged", value: { epoch: "e1", sequence: BigInt(held) } },
        });
      } finally {
        inFlight -= 1;
      }
    },
  };
  const append = () => void facts.append({ kind: FactKind.INSTANCE_RUNNING, timeMs: 1, message: "" });
  append();
  const reporter = startReporter({
    client,
    address: "http://cp",
    facts,
    nodeInfo: () => create(NodeInfoSchema, { nodeId: "n" }),
    load: () => create(LoadSchema, { instances: 3 }),
    takeSnapshot: () => snapshotPages({ sequence: facts.sequence, instances: [], providers: [] }),
    clock,
    entropy: createPlainEntropy(),
    log: createJsonLog({ write: (line) => void logged.push(line) }),
  });
  return {
    clock,
    reporter,
    requests,
    plane,
    logged,
    forget: () => (held = undefined),
    registrations: () => registrations,
    happen: (count = 1): void => {
      for (let index = 0; index < count; index++) append();
      reporter.wake();
    },
  };
}

const heartbeat = { facts: [], load: { instances: 3 } };

describe("a reporter", () => {
  test("registers, sends a snapshot, and joins when it is acknowledged", async () => {
    const { reporter, requests, registrations } = setUp();
    await reporter.joined;
    expect(registrations()).toBe(1);
    expect(requests).toMatchObject([
      { epoch: "e1", snapshot: { sequence: 1n, pageCount: 1 }, load: { instances: 3 }, leaving: false },
    ]);
  });

  test("reports a change at once and otherwise beats within the interval that was named", async () => {
    const { clock, reporter, requests, happen } = setUp();
    await reporter.joined;
    await clock.advance(1_000);
    expect(requests.slice(1)).toMatchObject([heartbeat]);
    happen();
    await settle();
    expect(requests.slice(2)).toMatchObject([{ afterSequence: 1n, facts: [{ sequence: 2n }] }]);
  });

  test("keeps one report in flight; what happens meanwhile goes out together", async () => {
    const { reporter, requests, plane, happen } = setUp();
    await reporter.joined;
    const gate = Promise.withResolvers<void>();
    plane.gate = gate.promise;
    happen();
    await settle();
    happen(5);
    happen(5);
    await settle();
    gate.resolve();
    await settle();
    expect(requests.slice(1).map(({ facts }) => facts.length)).toEqual([1, 10]);
    expect(plane.inFlightMax).toBe(1);
  });

  test("sends a control plane that came up empty a snapshot", async () => {
    const { clock, reporter, requests, forget } = setUp();
    await reporter.joined;
    forget();
    await clock.advance(1_000);
    expect(requests.slice(1)).toMatchObject([heartbeat, { snapshot: { sequence: 1n } }]);
  });

  test("backs off while the control plane is away, says so once, introduces itself again and loses nothing", async () => {
    const { clock, reporter, requests, plane, happen, logged, registrations } = setUp();
    await reporter.joined;
    plane.failure = fault(Reason.NODE_UNREACHABLE, "connection refused");
    happen();
    await clock.advance(120_000);
    happen();
    expect(logged.filter((line) => line.includes("cannot be reached"))).toHaveLength(1);
    plane.failure = undefined;
    await clock.advance(15_000);
    expect(requests[1]).toMatchObject({ afterSequence: 1n, facts: [{ sequence: 2n }, { sequence: 3n }] });
    expect(registrations()).toBe(2);
    expect(logged.some((line) => line.includes("reached again"))).toBe(true);
  });

  test.each([Reason.PROTOCOL_VERSION_UNSUPPORTED, Reason.UNAUTHENTICATED])(
    "tries slowly after a refusal (reason %i) that only an operator can end",
    async (reason) => {
      const { clock, reporter, plane, logged, requests } = setUp();
      await reporter.joined;
      plane.failure = fault(reason, "Cannot serve node");
      await clock.advance(50_000);
      expect(logged.filter((line) => line.includes("refuses this node"))).toHaveLength(1);
      plane.failure = undefined;
      const before = requests.length;
      await clock.advance(60_000);
      expect(requests.length).toBeGreaterThan(before);
    },
  );

  test("finds a control plane that comes back within one interval, however long it was away", async () => {
    const { clock, reporter, requests, plane } = setUp();
    await reporter.joined;
    plane.failure = fault(Reason.NODE_UNREACHABLE, "Cannot reach it");
    await clock.advance(600_000);
    const before = requests.length;
    plane.failure = undefined;
    await clock.advance(1_000);
    expect(requests.length).toBeGreaterThan(before);
  });

  test("does not loop when every snapshot is refused", async () => {
    const { clock, reporter, plane, requests } = setUp();
    await reporter.joined;
    plane.answer = () =>
      create(ReportStatusResponseSchema, { holds: { case: "needSnapshot", value: { why: "again" } } });
    await clock.advance(60_000);
    expect(requests.length).toBeLessThan(30);
    expect(requests.length).toBeGreaterThan(3);
  });

  test("on close sends what is left and that it leaves, once", async () => {
    const { reporter, requests, plane, happen, clock } = setUp();
    await reporter.joined;
    const gate = Promise.withResolvers<void>();
    plane.gate = gate.promise;
    happen();
    await settle();
    happen(700);
    const closed = reporter.close(2_000);
    gate.resolve();
    await closed;
    await reporter.close(2_000);
    const leaving = requests.filter((request) => request.leaving);
    expect(leaving).toHaveLength(1);
    expect(requests.at(-1)).toBe(leaving[0]);
    expect(requests.at(-1)?.facts.at(-1)?.sequence).toBe(702n);
    const count = requests.length;
    await clock.advance(10_000);
    expect(requests).toHaveLength(count);
  });

  test("on close with nobody there ends all the same", async () => {
    const { reporter, plane, requests } = setUp();
    await reporter.joined;
    plane.failure = fault(Reason.NODE_UNREACHABLE, "connection refused");
    await reporter.close(1_000);
    expect(requests).toHaveLength(1);
  });
});
