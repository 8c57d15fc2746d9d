import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { placeInstance, type PlacementNode } from "../../../src/cp/placement.ts";
import { placeMany, type PlacementItem } from "../../../src/cp/start/place-many.ts";
import { isFault } from "../../../src/fault.ts";
import { DIGEST, MEBIBYTE, nodeOf, requestOf } from "../placement-fixtures.ts";

function itemOf(name: string = "", fields: Parameters<typeof requestOf>[0] = {}): PlacementItem {
  const request = requestOf(fields);
  const { moduleDigest, memoryBytes, labels, nodeId } = request;
  return { request, name, shape: JSON.stringify([moduleDigest, memoryBytes, labels, nodeId]) };
}

const nobody = (): ReadonlyMap<string, number> => new Map();

describe("placing many at once", () => {
  test("spreads them over the nodes, by their load and their names", () => {
    const nodes = ["a", "b", "c"].map((nodeId) => nodeOf(nodeId));
    expect(
      placeMany(
        nodes,
        Array.from({ length: 6 }, () => itemOf()),
        nobody,
      ),
    ).toEqual(["a", "b", "c", "a", "b", "c"]);
    const web = Array.from({ length: 3 }, () => itemOf("web"));
    expect(new Set(placeMany(nodes, web, () => new Map([["a", 1]])))).toEqual(new Set(["a", "b", "c"]));
  });

  test("fills nodes up to what they take, and says of the rest that none fits", () => {
    const nodes = [nodeOf("a", { instancesMax: 2 }), nodeOf("b", { memoryMaxBytes: BigInt(3 * 64 * MEBIBYTE) })];
    const chosen = placeMany(
      nodes,
      Array.from({ length: 7 }, () => itemOf()),
      nobody,
    );
    expect(chosen.filter((nodeId) => nodeId === "a")).toHaveLength(2);
    expect(chosen.filter((nodeId) => nodeId === "b")).toHaveLength(3);
    expect(chosen.slice(5)).toEqual([undefined, undefined]);
  });

  test("keeps what one wants apart from what another wants", () => {
    const nodes = [nodeOf("a", { labels: { zone: "eu" } }), nodeOf("b", { moduleDigests: [DIGEST] })];
    const items = [
      itemOf("", { labels: { zone: "eu" } }),
      itemOf(),
      itemOf("", { nodeId: "z" }),
      itemOf("", { nodeId: "a" }),
    ];
    expect(placeMany(nodes, items, nobody)).toEqual(["a", "b", undefined, "a"]);
  });

  const node = fc.record({
    nodeId: fc.stringMatching(/^[a-z]{1,2}$/),
    instances: fc.nat(12),
    instancesMax: fc.integer({ min: 1, max: 12 }),
    rebuilding: fc.boolean(),
    cordoned: fc.boolean(),
    moduleDigests: fc.constantFrom<string[]>([], [DIGEST]),
  });
  const nodes = fc
    .uniqueArray(node, { selector: ({ nodeId }) => nodeId, minLength: 1, maxLength: 6 })
    .map((fields) => fields.map(({ nodeId, ...rest }) => nodeOf(nodeId, rest)));
  const names = fc.array(fc.constantFrom("", "web"), { minLength: 1, maxLength: 12 });

  test("puts each of one kind where it would go alone after those before it", () => {
    fc.assert(
      fc.property(nodes, fc.constantFrom("", "web"), fc.integer({ min: 1, max: 12 }), (given, name, count) => {
        const chosen = placeMany(
          given,
          Array.from({ length: count }, () => itemOf(name)),
          nobody,
        );
        let now = given;
        for (const nodeId of chosen) {
          expect(nodeId).toBe(aloneOn(now));
          now = now.map((each) => (each.info.nodeId === nodeId ? withOne(each, name !== "") : each));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("never puts more on a node than it takes, whatever the mix", () => {
    fc.assert(
      fc.property(
        nodes,
        names,
        fc.array(fc.constantFrom(1, 64, 700), { minLength: 12, maxLength: 12 }),
        (given, wanted, sizes) => {
          const items = wanted.map((name, index) => itemOf(name, { memoryBytes: (sizes[index] ?? 1) * MEBIBYTE }));
          const chosen = placeMany(given, items, nobody);
          for (const { info, instances, memoryBytes } of given) {
            const mine = items.filter((_, index) => chosen[index] === info.nodeId);
            if (mine.length === 0) continue;
            expect(instances + mine.length).toBeLessThanOrEqual(info.capacity?.instancesMax ?? 0);
            const taken = mine.reduce((sum, { request }) => sum + request.memoryBytes, memoryBytes);
            expect(BigInt(taken)).toBeLessThanOrEqual(info.capacity?.memoryMaxBytes ?? 0n);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

/** Where one instance would go. */
function aloneOn(nodes: readonly PlacementNode[]): string | undefined {
  try {
    return placeInstance(nodes, requestOf())[0];
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

function withOne(node: PlacementNode, named: boolean): PlacementNode {
  return {
    ...node,
    instances: node.instances + 1,
    memoryBytes: node.memoryBytes + 64 * MEBIBYTE,
    sameName: node.sameName + (named ? 1 : 0),
  };
}
