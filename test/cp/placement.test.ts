import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeNodes, placeInstance, type PlacementNode, type PlacementRequest } from "../../src/cp/placement.ts";
import { isFault, Reason, type Fault } from "../../src/fault.ts";
import { GuestKind } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { DIGEST, MEBIBYTE, nodeOf, requestOf } from "./placement-fixtures.ts";

function refusal(nodes: readonly PlacementNode[], request: PlacementRequest): Fault {
  try {
    placeInstance(nodes, request);
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
  throw new Error("it was placed");
}

describe("placing an instance", () => {
  it("takes the least loaded node first, by the fuller of instances and memory", () => {
    const nodes = [
      nodeOf("busy", { instances: 50 }),
      nodeOf("full-memory", { memoryBytes: 90 * 64 * MEBIBYTE }),
      nodeOf("idle", { instances: 1 }),
    ];
    expect(placeInstance(nodes, requestOf())).toEqual(["idle", "busy", "full-memory"]);
  });

  it("passes over agents that would not understand the order, and says so", () => {
    const nodes = [nodeOf("old", { protocolVersion: 1 }), nodeOf("new", { protocolVersion: 2, instances: 50 })];
    expect(placeInstance(nodes, requestOf({ protocolVersion: 2 }))).toEqual(["new"]);
    expect(placeInstance(nodes, requestOf({ protocolVersion: 1 }))).toEqual(["old", "new"]);
    expect(refusal(nodes.slice(0, 1), requestOf({ protocolVersion: 2 })).message).toContain(
      "1 with an agent that is too old (it takes protocol version 2)",
    );
  });

  it("takes nodes that share what is wanted first, and the others after them", () => {
    const nodes = [nodeOf("a"), nodeOf("b", { instances: 50, sharedFolders: ["/srv"] })];
    const unsharedCount = (info: { sharedFolders: string[] }) => (info.sharedFolders.includes("/srv") ? 0 : 1);
    expect(placeInstance(nodes, requestOf({ unsharedCount }))).toEqual(["b", "a"]);
  });

  it("counts load by share of capacity, not by number", () => {
    const nodes = [
      nodeOf("small", { instances: 5, instancesMax: 10 }),
      nodeOf("large", { instances: 20, instancesMax: 100 }),
    ];
    expect(placeInstance(nodes, requestOf())).toEqual(["large", "small"]);
  });

  it("prefers a node that holds the module, unless it is much fuller", () => {
    const holder = (instances: number): PlacementNode => nodeOf("z-holder", { instances, moduleDigests: [DIGEST] });
    expect(placeInstance([nodeOf("a"), holder(5)], requestOf())).toEqual(["z-holder", "a"]);
    expect(placeInstance([nodeOf("a"), holder(50)], requestOf())).toEqual(["a", "z-holder"]);
  });

  it("spreads instances of one name", () => {
    expect(
      placeInstance([nodeOf("a", { sameName: 2 }), nodeOf("b", { sameName: 1, instances: 10 })], requestOf()),
    ).toEqual(["b", "a"]);
  });

  it("chooses a rebuilding node only if there is no other", () => {
    const rebuilding = nodeOf("a", { rebuilding: true });
    expect(placeInstance([rebuilding, nodeOf("b", { instances: 90 })], requestOf())).toEqual(["b"]);
    expect(placeInstance([rebuilding], requestOf())).toEqual(["a"]);
  });

  it("gives the same list for the same nodes in any order, and only nodes that fit", () => {
    const nodes = fc.uniqueArray(
      fc.record({
        id: fc.constantFrom("a", "b", "c", "d", "e", "f"),
        instances: fc.integer({ min: 0, max: 10 }),
        state: fc.constantFrom(NodeState.AVAILABLE, NodeState.SUSPECT, NodeState.LOST, NodeState.LEFT),
        sameName: fc.integer({ min: 0, max: 3 }),
        zone: fc.constantFrom("x", "y"),
      }),
      { selector: ({ id }) => id, minLength: 1 },
    );
    fc.assert(
      fc.property(
        nodes.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          const toNodes = (some: typeof all): PlacementNode[] =>
            some.map(({ id, zone, ...fields }) => nodeOf(id, { ...fields, instancesMax: 10, labels: { zone } }));
          const request = requestOf({ labels: { zone: "x" } });
          const fitting = all
            .filter(({ state, instances, zone }) => state === NodeState.AVAILABLE && instances < 10 && zone === "x")
            .map(({ id }) => id);
          if (fitting.length === 0) {
            expect([Reason.NO_NODE_FITS, Reason.NODE_AT_CAPACITY]).toContain(refusal(toNodes(all), request).reason);
            return;
          }
          const placed = placeInstance(toNodes(all), request);
          expect([...placed].sort()).toEqual(fitting.sort());
          expect(placeInstance(toNodes(shuffled), request)).toEqual(placed);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("when no node fits", () => {
  it("counts for each requirement the nodes that fail it", () => {
    const nodes = [
      nodeOf("a", { state: NodeState.LOST }),
      nodeOf("b", { state: NodeState.LOST, instances: 100 }),
      nodeOf("c", { guestKinds: [GuestKind.COMMAND] }),
    ];
    const error = refusal(nodes, requestOf({ labels: { zone: "x" }, kinds: [GuestKind.HTTP] }));
    expect(error.reason).toBe(Reason.NO_NODE_FITS);
    expect(error.message).toBe(
      'Cannot start instance "a1": no node fits (of 3 known: 2 not available, 3 without the labels zone=x, 1 with as many instances as it takes, 1 cannot host such a module)',
    );
  });

  it("says that nodes are full if room is all that is wanting", () => {
    const full = [nodeOf("a", { instances: 100 }), nodeOf("b", { state: NodeState.LOST })];
    expect(refusal(full, requestOf()).reason).toBe(Reason.NODE_AT_CAPACITY);
    expect(placeInstance([nodeOf("a", { instances: 99 })], requestOf())).toEqual(["a"]);
  });

  it("counts memory against what is asked for", () => {
    const node = nodeOf("a", { memoryMaxBytes: BigInt(100 * MEBIBYTE), memoryBytes: 60 * MEBIBYTE });
    const full = refusal([node], requestOf({ memoryBytes: 41 * MEBIBYTE }));
    expect(full.reason).toBe(Reason.NODE_AT_CAPACITY);
    expect(full.message).toContain("1 without 41 MiB of memory left");
    expect(placeInstance([node], requestOf({ memoryBytes: 40 * MEBIBYTE }))).toEqual(["a"]);
  });

  it("tells an unknown wanted node from one that cannot take it", () => {
    expect(refusal([nodeOf("a")], requestOf({ nodeId: "b" })).reason).toBe(Reason.NODE_NOT_FOUND);
    const lost = refusal([nodeOf("a", { state: NodeState.LOST }), nodeOf("b")], requestOf({ nodeId: "a" }));
    expect(lost.reason).toBe(Reason.NO_NODE_FITS);
    expect(lost.message).toContain('("a": 1 not available)');
    expect(placeInstance([nodeOf("a"), nodeOf("b")], requestOf({ nodeId: "b" }))).toEqual(["b"]);
  });

  it("says so when nobody has reported, and when a node cannot be dialled", () => {
    expect(refusal([], requestOf()).message).toContain("no node has reported yet");
    expect(refusal([nodeOf("a", { address: "" })], requestOf()).message).toContain("1 cannot be dialled");
  });
});

describe("what is made of each node", () => {
  it("puts those that fit first, in the order in which they would be asked, with what they cost", () => {
    const nodes = [
      nodeOf("busy", { instances: 50 }),
      nodeOf("crowded", { sameName: 2, instances: 10 }),
      nodeOf("idle", { moduleDigests: [DIGEST] }),
      nodeOf("cordoned", { cordoned: true }),
      nodeOf("lost", { state: NodeState.LOST, labels: { zone: "us" } }),
    ];
    const request = requestOf({});
    const verdicts = judgeNodes(nodes, request);
    expect(verdicts.filter(({ failed }) => failed.length === 0).map(({ nodeId }) => nodeId)).toEqual(
      placeInstance(nodes, request),
    );
    expect(verdicts[0]).toEqual({ nodeId: "idle", failed: [], loadCost: 0, moduleCost: 0, spreadCost: 0 });
    expect(verdicts.find(({ nodeId }) => nodeId === "crowded")).toMatchObject({
      loadCost: 0.1,
      moduleCost: 0.1,
      spreadCost: 0.3,
    });
    expect(verdicts.find(({ nodeId }) => nodeId === "cordoned")).toMatchObject({ failed: ["cordoned"], loadCost: 0 });
    expect(judgeNodes(nodes, requestOf({ labels: { zone: "eu" } })).at(-1)).toMatchObject({
      failed: expect.arrayContaining(["not available", "without the labels zone=eu"]),
    });
  });

  it("agrees with placement on any fleet", () => {
    const node = fc.record({
      nodeId: fc.stringMatching(/^[a-z]{1,3}$/),
      instances: fc.nat(110),
      sameName: fc.nat(3),
      rebuilding: fc.boolean(),
      cordoned: fc.boolean(),
      state: fc.constantFrom(NodeState.AVAILABLE, NodeState.AVAILABLE, NodeState.SUSPECT),
    });
    fc.assert(
      fc.property(fc.uniqueArray(node, { selector: ({ nodeId }) => nodeId, maxLength: 8 }), (fields) => {
        const nodes = fields.map(({ nodeId, ...rest }) => nodeOf(nodeId, rest));
        const fitting = judgeNodes(nodes, requestOf()).filter(({ failed }) => failed.length === 0);
        if (fitting.length === 0) expect(() => placeInstance(nodes, requestOf())).toThrow();
        else expect(placeInstance(nodes, requestOf())[0]).toBe(fitting[0]?.nodeId);
      }),
      { numRuns: 500 },
    );
  });
});
