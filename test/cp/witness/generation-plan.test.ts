import { create } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WitnessSchema, type Witness } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import type { InstancePicture, NodesPicture, NodeStanding, Sighting } from "../../../src/cp/witness/fleet-picture.ts";
import { planGenerations, type GenerationStep } from "../../../src/cp/witness/generation-plan.ts";
import { idOf } from "../node-history.ts";

const ID = idOf(1);
const NODES = ["a", "b", "c", "d"];

type Fleet = { readonly standing: Readonly<Record<string, NodeStanding>>; readonly cordoned?: readonly string[] };

function nodesOf({ standing, cordoned = [] }: Fleet): NodesPicture {
  const stays = NODES.filter((nodeId) => (standing[nodeId] ?? "gone") === "heard" && !cordoned.includes(nodeId));
  return {
    standing: (nodeId) => standing[nodeId] ?? "gone",
    isLeaving: (nodeId) => cordoned.includes(nodeId),
    hasOther: (nodeId) => stays.some((each) => each !== nodeId),
  };
}

const HEARD: Fleet = { standing: { a: "heard", b: "heard", c: "heard", d: "heard" } };

function without(nodeId: string, standing: NodeStanding = "gone"): Fleet {
  return { standing: { ...HEARD.standing, [nodeId]: standing } };
}

function sighting(nodeId: string, generation: bigint, fields: Partial<Sighting> = {}): Sighting {
  return {
    nodeId,
    generation,
    isLive: true,
    hasBegun: true,
    restartsElsewhere: true,
    witnessNodeId: nodeId === "b" ? "a" : "b",
    ...fields,
  };
}

function copyAt(witnessNodeId: string, generation: bigint, nodeId: string, stopped = false): Witness {
  return create(WitnessSchema, { instanceId: ID, generation, nodeId, stopped, witnessNodeId });
}

function planOf(sightings: readonly Sighting[], copies: readonly Witness[], fleet: Fleet = HEARD): readonly object[] {
  return planGenerations({ instanceId: ID, sightings, copies }, nodesOf(fleet)).map((step) =>
    Object.fromEntries(Object.entries(step).filter(([key]) => key !== "instanceId")),
  );
}

describe("an instance that lives with its witness", () => {
  test("calls for nothing, and neither does doubt about a node", () => {
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")])).toEqual([]);
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")], without("a", "doubtful"))).toEqual([]);
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")], without("b", "doubtful"))).toEqual([]);
  });

  test("is placed anew when its node is gone, and given another witness when that is gone", () => {
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")], without("a"))).toEqual([
      { kind: "place-anew", witnessNodeId: "b", generation: 1n },
    ]);
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")], without("b"))).toEqual([
      { kind: "replace-witness", nodeId: "a", generation: 1n, formerWitnessNodeId: "b" },
    ]);
  });

  test("is not placed anew once it has ended: the copy goes", () => {
    const ended = sighting("a", 1n, { isLive: false });
    const drop = { kind: "drop", witnessNodeId: "b", generation: 1n, instanceEnded: true };
    expect(planOf([ended], [copyAt("b", 1n, "a")])).toEqual([drop]);
    expect(planOf([ended], [copyAt("b", 1n, "a")], without("a"))).toEqual([drop]);
  });

  test("is given another witness if its own is about to go, is its own node, or has lost the copy; but only if there is one", () => {
    const replaced = { kind: "replace-witness", nodeId: "a", generation: 1n };
    const leaving = { ...HEARD, cordoned: ["b"] };
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")], leaving)).toMatchObject([replaced]);
    expect(planOf([sighting("a", 1n, { witnessNodeId: "a" })], [copyAt("a", 1n, "a")])).toMatchObject([replaced]);
    expect(planOf([sighting("a", 1n)], [])).toMatchObject([replaced]);
    const alone: Fleet = { standing: { a: "heard", b: "heard" }, cordoned: ["b"] };
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a")], alone)).toEqual([]);
  });
});

describe("an instance that was placed anew", () => {
  test("is started where it was placed, if that node does not have it", () => {
    expect(planOf([sighting("a", 1n)], [copyAt("b", 2n, "c")], without("a"))).toEqual([
      { kind: "start", witnessNodeId: "b", generation: 2n, nodeId: "c" },
    ]);
  });

  test("is ended where it was before, as soon as the newer one has begun and not before", () => {
    const copies = [copyAt("b", 2n, "c")];
    const starting = sighting("c", 2n, { hasBegun: false });
    expect(planOf([sighting("a", 1n), starting], copies)).toEqual([]);
    expect(planOf([sighting("a", 1n), sighting("c", 2n)], copies)).toEqual([
      { kind: "fence", nodeId: "a", byGeneration: 2n },
    ]);
    expect(planOf([sighting("a", 1n), sighting("c", 2n, { isLive: false })], copies)).toMatchObject([
      { kind: "fence", nodeId: "a" },
      { kind: "drop", instanceEnded: true },
    ]);
  });

  test("is kept where it was if the newer one never becomes ready", () => {
    const failed = sighting("c", 2n, { isLive: false, hasBegun: false });
    const keep = { kind: "keep-here", nodeId: "a", generation: 1n };
    expect(planOf([sighting("a", 1n), failed], [copyAt("b", 2n, "c")])).toEqual([{ ...keep, witnessNodeId: "b" }]);
    expect(planOf([sighting("a", 1n), failed], [copyAt("b", 3n, "a")]), "after the claim").toEqual([
      { ...keep, witnessNodeId: "b" },
    ]);
    expect(planOf([sighting("a", 1n), failed], [copyAt("b", 2n, "c")], without("a", "doubtful"))).toEqual([]);
    expect(planOf([sighting("a", 1n), failed], [copyAt("b", 2n, "c")], without("a"))).toEqual([
      { kind: "drop", witnessNodeId: "b", generation: 2n, instanceEnded: true },
    ]);
    expect(planOf([sighting("a", 1n)], [copyAt("b", 2n, "c")], without("b"))).toEqual([{ ...keep, witnessNodeId: "" }]);
  });

  test("leaves an older copy of an earlier witness of no use", () => {
    expect(
      planOf([sighting("a", 1001n, { witnessNodeId: "c" })], [copyAt("c", 1001n, "a"), copyAt("b", 3n, "d")]),
    ).toEqual([{ kind: "drop", witnessNodeId: "b", generation: 3n, instanceEnded: false }]);
  });
});

describe("an instance that was stopped", () => {
  test("is stopped wherever it lives, at whatever generation its witness knew it", () => {
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a", true)])).toEqual([{ kind: "stop", nodeId: "a" }]);
    expect(planOf([sighting("a", 1n)], [copyAt("b", 2n, "c", true)])).toEqual([{ kind: "stop", nodeId: "a" }]);
    expect(planOf([sighting("a", 1001n)], [copyAt("b", 1n, "a", true), copyAt("c", 1001n, "a")])).toEqual([
      { kind: "stop", nodeId: "a" },
      { kind: "drop", witnessNodeId: "c", generation: 1001n, instanceEnded: true },
    ]);
  });

  test("is never placed again", () => {
    expect(planOf([sighting("a", 1n)], [copyAt("b", 1n, "a", true)], without("a"))).toEqual([]);
  });
});

test("of two nodes with one generation, the copy's own counts, and the other's is not placed anew", () => {
  expect(planOf([sighting("a", 1n), sighting("c", 1n)], [copyAt("b", 1n, "a")])).not.toContainEqual(
    expect.objectContaining({ kind: "drop" }),
  );
  expect(planOf([sighting("c", 1n)], [copyAt("b", 1n, "a"), copyAt("d", 1n, "c")])).toContainEqual({
    kind: "drop",
    witnessNodeId: "b",
    generation: 1n,
    instanceEnded: false,
  });
});

describe("over all pictures", () => {
  const standing = fc.record(
    Object.fromEntries(NODES.map((nodeId) => [nodeId, fc.constantFrom<NodeStanding[]>("heard", "doubtful", "gone")])),
  );
  const nodeId = fc.constantFrom(...NODES);
  const generation = fc.bigInt({ min: 1n, max: 3n });
  const sightings: fc.Arbitrary<Sighting[]> = fc.uniqueArray(
    fc.record({
      nodeId,
      generation,
      isLive: fc.boolean(),
      hasBegun: fc.boolean(),
      restartsElsewhere: fc.boolean(),
      witnessNodeId: fc.oneof(nodeId, fc.constant("")),
    }),
    { selector: (each) => each.nodeId },
  );
  // One generation is placed on one node only.
  const copies: fc.Arbitrary<Witness[]> = fc
    .tuple(
      fc.uniqueArray(fc.record({ witnessNodeId: nodeId, generation, stopped: fc.boolean() }), {
        selector: (each) => each.witnessNodeId,
      }),
      fc.array(nodeId, { minLength: 3, maxLength: 3 }),
    )
    .map(([kept, places]) =>
      kept.map((each) =>
        copyAt(each.witnessNodeId, each.generation, places[Number(each.generation) - 1] ?? "a", each.stopped),
      ),
    );
  const fleet: fc.Arbitrary<Fleet> = fc.record({ standing, cordoned: fc.subarray(NODES) });
  const picture: fc.Arbitrary<InstancePicture> = fc.record({ instanceId: fc.constant(ID), sightings, copies });

  function holds(
    check: (steps: readonly GenerationStep[], picture: InstancePicture, nodes: NodesPicture) => void,
  ): void {
    fc.assert(
      fc.property(picture, fleet, (drawn, given) => {
        const nodes = nodesOf(given);
        check(planGenerations(drawn, nodes), drawn, nodes);
      }),
      { numRuns: 2_000 },
    );
  }
  const about = (steps: readonly GenerationStep[], holder: string): readonly GenerationStep[] =>
    steps.filter((step) => (step.kind === "drop" || step.kind === "place-anew" ? false : step.nodeId === holder));

  test("no two steps are about one holder, and no two about one copy", () => {
    holds((steps, { copies: kept }) => {
      // Two witnesses may know of the same order: to give it twice does no harm.
      const kinds = (holder: string): ReadonlySet<string> => new Set(about(steps, holder).map(({ kind }) => kind));
      for (const holder of NODES) expect(kinds(holder).size).toBeLessThanOrEqual(1);
      for (const { witnessNodeId } of kept) {
        const mine = steps.filter(
          (step) =>
            ["drop", "place-anew", "start"].includes(step.kind) &&
            "witnessNodeId" in step &&
            step.witnessNodeId === witnessNodeId,
        );
        expect(mine.length).toBeLessThanOrEqual(1);
      }
    });
  });

  test("nothing is asked of a node that is not heard, and nothing is ended or placed for a doubtful one", () => {
    holds((steps, { sightings: seen, copies: kept }, nodes) => {
      for (const step of steps) {
        if (step.kind === "drop" || step.kind === "place-anew" || step.kind === "start")
          expect(nodes.standing(step.witnessNodeId)).toBe("heard");
        if (step.kind !== "drop" && step.kind !== "place-anew") expect(nodes.standing(step.nodeId)).toBe("heard");
        if (step.kind !== "place-anew") continue;
        const copy = kept.find((each) => each.witnessNodeId === step.witnessNodeId);
        expect(nodes.standing(copy?.nodeId ?? "")).toBe("gone");
        expect(
          seen.some(
            (each) => each.isLive && each.generation === step.generation && nodes.standing(each.nodeId) === "heard",
          ),
        ).toBe(false);
      }
    });
  });

  test("the highest generation is never fenced, and a lower one only when the highest has begun", () => {
    holds((steps, { sightings: seen, copies: kept }) => {
      const highest = [...seen, ...kept].reduce((max, each) => (each.generation > max ? each.generation : max), 0n);
      for (const step of steps) {
        if (step.kind !== "fence") continue;
        expect(step.byGeneration).toBe(highest);
        expect(seen.find((each) => each.nodeId === step.nodeId)?.generation).toBeLessThan(highest);
        expect(seen.some((each) => each.generation === highest && each.hasBegun)).toBe(true);
      }
    });
  });

  test("what was stopped is neither started, nor placed, nor kept; what was not stopped is not stopped", () => {
    holds((steps, { copies: kept }) => {
      const kinds = new Set(steps.map(({ kind }) => kind));
      if (kept.some(({ stopped }) => stopped))
        for (const kind of ["start", "place-anew", "keep-here"] as const) expect(kinds).not.toContain(kind);
      else expect(kinds).not.toContain("stop");
    });
  });

  test("the plan for a fleet that has carried it out is empty, or about other things", () => {
    holds((steps, { instanceId, sightings: seen, copies: kept }, nodes) => {
      const ended = new Set(
        steps.flatMap((step) => (step.kind === "fence" || step.kind === "stop" ? [step.nodeId] : [])),
      );
      const gone = new Set(steps.flatMap((step) => (step.kind === "drop" ? [step.witnessNodeId] : [])));
      const after = planGenerations(
        {
          instanceId,
          sightings: seen.map((each) => (ended.has(each.nodeId) ? { ...each, isLive: false } : each)),
          copies: kept.filter(({ witnessNodeId }) => !gone.has(witnessNodeId)),
        },
        nodes,
      );
      for (const step of after)
        if (step.kind === "fence" || step.kind === "stop") expect(ended).not.toContain(step.nodeId);
    });
  });
});
