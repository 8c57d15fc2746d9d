import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFleet, FLEET_LIMITS, type Fleet } from "../../src/cp/fleet.ts";
import { silencePolicyFromInterval } from "../../src/cp/fleet-view.ts";
import { streamFacts, type FactBatch, type FactPositions } from "../../src/cp/fact-stream.ts";
import { FactKind, FactSchema, type Fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { createManualClock } from "./manual-clock.ts";
import { idOf, instanceOf, nodeInfoOf, reportOf } from "./node-history.ts";

const emptyFleet = (): Fleet =>
  createFleet({
    clock: { nowMs: () => 0, steadyMs: () => 0 },
    silence: silencePolicyFromInterval(5_000),
    limits: FLEET_LIMITS,
  });

function factOf(nodeId: string, epoch: string, sequence: number, timeMs: number, argBytes = 0): Fact {
  const instance = instanceOf({ id: idOf(1), nodeId, args: argBytes === 0 ? [] : ["x".repeat(argBytes)] });
  const time = timestampFromMs(timeMs);
  return create(FactSchema, {
    nodeId,
    epoch,
    sequence: BigInt(sequence),
    kind: FactKind.INSTANCE_RUNNING,
    time,
    instance,
  });
}

function reportFacts(fleet: Fleet, facts: readonly Fact[]): void {
  for (const fact of facts) {
    const { nodeId, epoch, sequence } = fact;
    fleet.report(reportOf({ info: nodeInfoOf({ nodeId }), epoch, afterSequence: sequence - 1n, facts: [fact] }));
  }
}

async function read(fleet: Fleet, after: FactPositions = new Map()): Promise<readonly FactBatch[]> {
  const request = { after, follow: false, wants: () => true, signal: new AbortController().signal };
  const batches: FactBatch[] = [];
  const stream = streamFacts({ fleet, clock: createManualClock(), keepAliveMs: 1_000 }, request);
  for await (const batch of stream) batches.push({ ...batch, positions: new Map(batch.positions) });
  return batches;
}

const named = ({ nodeId, epoch, sequence }: Pick<Fact, "nodeId" | "epoch" | "sequence">): string =>
  `${nodeId}/${epoch}/${sequence}`;

describe("a stream of facts", () => {
  it("resumed at any batch yields every fact exactly once, in order within each node", async () => {
    const history = fc.array(fc.tuple(fc.constantFrom("n1", "n2", "n3"), fc.integer({ min: 0, max: 1_000 })), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), async (steps, cut) => {
        const fleet = emptyFleet();
        const counts = new Map<string, number>();
        const facts = steps.map(([nodeId, timeMs]) => {
          const sequence = (counts.get(nodeId) ?? 0) + 1;
          counts.set(nodeId, sequence);
          return factOf(nodeId, "e1", sequence, timeMs);
        });
        const early = facts.slice(0, cut % (facts.length + 1));
        reportFacts(fleet, early);
        const first = await read(fleet);
        reportFacts(fleet, facts.slice(early.length));
        const second = await read(fleet, first.at(-1)?.positions ?? new Map());
        const seen = [...first, ...second].flatMap((batch) => batch.facts).map(named);
        expect(seen.toSorted()).toEqual(facts.map(named).sort());
        for (const nodeId of counts.keys()) {
          const own = seen.filter((name) => name.startsWith(nodeId));
          expect(own).toEqual(own.map((_, index) => `${nodeId}/e1/${index + 1}`));
        }
        expect([...first, ...second].some(({ gap }) => gap)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("merges nodes by time, without turning one node's facts around when its clock goes back", async () => {
    const fleet = emptyFleet();
    reportFacts(fleet, [
      factOf("n1", "e1", 1, 100),
      factOf("n1", "e1", 2, 50),
      factOf("n2", "e1", 1, 70),
      factOf("n2", "e1", 2, 200),
    ]);
    const facts = (await read(fleet)).flatMap((batch) => batch.facts);
    expect(facts.map(named)).toEqual(["n2/e1/1", "n1/e1/1", "n1/e1/2", "n2/e1/2"]);
  });

  it("goes on over a new life of a node, and says if its beginning is missing", async () => {
    const fleet = emptyFleet();
    reportFacts(fleet, [factOf("n1", "e1", 1, 1), factOf("n1", "e2", 1, 2)]);
    const after = new Map([["n1", { epoch: "e1", sequence: 1n }]]);
    expect((await read(fleet, after)).map(({ facts, gap }) => [facts.length, gap])).toEqual([
      [0, false],
      [1, false],
    ]);
    reportFacts(fleet, [factOf("n1", "e3", 5, 3)]);
    const later = new Map([["n1", { epoch: "e2", sequence: 1n }]]);
    expect((await read(fleet, later)).at(-1)?.gap).toBe(true);
  });

  it("cuts many or large facts into batches", async () => {
    const many = emptyFleet();
    reportFacts(
      many,
      Array.from({ length: 1_001 }, (_, index) => factOf("n1", "e1", index + 1, index)),
    );
    expect((await read(many)).map(({ facts }) => facts.length)).toEqual([0, 500, 500, 1]);
    const large = emptyFleet();
    reportFacts(
      large,
      Array.from({ length: 5 }, (_, index) => factOf("n1", "e1", index + 1, index, 400_000)),
    );
    expect((await read(large)).map(({ facts }) => facts.length)).toEqual([0, 2, 2, 1]);
  });
});
