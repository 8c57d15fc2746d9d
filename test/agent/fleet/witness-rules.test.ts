import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { claimedWitness, keptWitness, nextClaimFloor } from "../../../src/agent/fleet/witness-rules.ts";
import { isFault, Reason } from "../../../src/fault.ts";
import type { WitnessCopy } from "../../../src/gen/wasmatrix/v1/node_fleet_pb.ts";
import { copyOf } from "./fleet-journal-contract.ts";

const ID = "a".repeat(20);
const superseded = expect.objectContaining({ reason: Reason.GENERATION_SUPERSEDED });

describe("keeping a copy", () => {
  test("takes the first, one of the same generation, and a newer one", () => {
    expect(keptWitness(undefined, copyOf(ID))).toEqual(copyOf(ID));
    expect(keptWitness(copyOf(ID), copyOf(ID, { nodeId: "n2" }))).toEqual(copyOf(ID, { nodeId: "n2" }));
    expect(keptWitness(copyOf(ID), copyOf(ID, { generation: 5n })).generation).toBe(5n);
    expect(keptWitness(copyOf(ID), copyOf(ID, { stopped: true })).stopped).toBe(true);
  });

  test("refuses an older one, and a live one of a generation that was stopped", () => {
    expect(() => keptWitness(copyOf(ID, { generation: 2n }), copyOf(ID))).toThrow(superseded);
    expect(() => keptWitness(copyOf(ID, { stopped: true }), copyOf(ID))).toThrow(superseded);
  });
});

describe("claiming", () => {
  const claim = { instanceId: ID, expectedGeneration: 1n, nodeId: "n2" };

  test("moves the copy to the next generation and the other node", () => {
    expect(claimedWitness(copyOf(ID), claim)).toMatchObject({ generation: 2n, nodeId: "n2" });
    expect(claimedWitness(copyOf(ID, { claimFloor: 1001n }), claim)).toMatchObject({ generation: 1001n });
  });

  test("is refused to who comes second, for what was stopped, and where no copy is", () => {
    expect(() => claimedWitness(copyOf(ID, { generation: 2n }), claim)).toThrow(superseded);
    expect(() => claimedWitness(copyOf(ID, { stopped: true }), claim)).toThrow(superseded);
    expect(() => claimedWitness(undefined, claim)).toThrow(
      expect.objectContaining({ reason: Reason.INSTANCE_NOT_FOUND }),
    );
  });
});

type Order =
  | { readonly kind: "keep"; readonly generation: number; readonly stopped: boolean; readonly floor: number }
  | { readonly kind: "claim"; readonly expected: number };

const order: fc.Arbitrary<Order> = fc.oneof(
  fc.record({
    kind: fc.constant("keep" as const),
    generation: fc.integer({ min: 1, max: 6 }),
    stopped: fc.boolean(),
    floor: fc.constantFrom(0, 1001),
  }),
  fc.record({ kind: fc.constant("claim" as const), expected: fc.integer({ min: 1, max: 6 }) }),
);

function after(held: WitnessCopy | undefined, one: Order): WitnessCopy | undefined {
  try {
    if (one.kind === "keep") {
      const { generation, stopped, floor } = one;
      return keptWitness(held, copyOf(ID, { generation: BigInt(generation), stopped, claimFloor: BigInt(floor) }));
    }
    return claimedWitness(held, { instanceId: ID, expectedGeneration: BigInt(one.expected), nodeId: "n2" });
  } catch (error) {
    if (isFault(error)) return held;
    throw error;
  }
}

test("whatever is ordered, generation and floor never fall, and a stop is undone by no order of its generation", () => {
  fc.assert(
    fc.property(fc.array(order, { maxLength: 20 }), (orders) => {
      let held: WitnessCopy | undefined;
      for (const one of orders) {
        const next = after(held, one);
        if (held !== undefined && next !== undefined) {
          expect(next.generation).toBeGreaterThanOrEqual(held.generation);
          expect(next.claimFloor).toBeGreaterThanOrEqual(held.claimFloor);
          if (held.stopped && next.generation === held.generation) expect(next.stopped).toBe(true);
          if (one.kind === "claim" && next !== held) expect(next.generation).toBeGreaterThan(held.generation);
        }
        held = next;
      }
    }),
    { numRuns: 1_000 },
  );
});

test("a witness and its successors never give the same generation, for a thousand claims of each", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 10n ** 12n }), fc.integer({ min: 1, max: 900 }), (generation, claims) => {
      const floor = nextClaimFloor(generation);
      let stale = copyOf(ID, { generation });
      for (let count = 0; count < claims && stale.generation < floor - 1n; count++)
        stale = claimedWitness(stale, { instanceId: ID, expectedGeneration: stale.generation, nodeId: "n2" });
      const fresh = claimedWitness(copyOf(ID, { generation, claimFloor: floor }), {
        instanceId: ID,
        expectedGeneration: generation,
        nodeId: "n3",
      });
      expect(fresh.generation).toBeGreaterThan(stale.generation);
    }),
    { numRuns: 200 },
  );
});
