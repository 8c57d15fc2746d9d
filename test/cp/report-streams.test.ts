/** Control planes that go to agents by themselves, on production's agents. */
import { afterEach, describe, expect, test } from "vitest";
import type { NodeEntry } from "../../src/discovery/discovery-entry.ts";
import type { Directory } from "../../src/discovery/directory.ts";
import type { DiscoveryHealth } from "../../src/discovery/discovery-store.ts";
import { InstanceState } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState, type Node } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import {
  createRealFleet,
  runningInstance,
  startSurvivor,
  type RealControlPlane,
  type RealFleet,
} from "./real-fleet.ts";

const fleets: RealFleet[] = [];
afterEach(async () => {
  for (const fleet of fleets.splice(0)) await fleet.close();
});

async function fleetOf(...nodeIds: string[]): Promise<RealFleet> {
  const fleet = await createRealFleet(nodeIds);
  fleets.push(fleet);
  return fleet;
}

async function nodesOf({ client }: RealControlPlane): Promise<readonly Node[]> {
  return (await client.listNodes({})).nodes;
}

async function ready({
  controlPlane,
}: RealControlPlane): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await controlPlane.fetch(new Request("http://cp.test/readyz"));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function isWhole(nodes: readonly Node[], count: number): boolean {
  return nodes.filter(({ state, rebuilding }) => state === NodeState.AVAILABLE && !rebuilding).length === count;
}

describe("a control plane with a list of agents", () => {
  test("asks all of them at once and knows what runs within moments, also after a cold start", async () => {
    const fleet = await fleetOf("a", "b", "c");
    const one = fleet.addControlPlane();
    await fleet.until(async () => isWhole(await nodesOf(one), 3), 1_000);
    const { id } = await startSurvivor(one);
    await one.close();
    const cold = fleet.addControlPlane();
    await fleet.until(() => runningInstance(cold, id), 1_000);
  });

  test("says which agents it waits for, lists them as rebuilding, and takes them for lost after their time", async () => {
    const fleet = await fleetOf("a", "b");
    fleet.node("b").kill();
    const one = fleet.addControlPlane();
    await fleet.until(async () => isWhole(await nodesOf(one), 1));
    const unheard = async (): Promise<Node | undefined> => (await nodesOf(one)).find(({ epoch }) => epoch === "");
    expect(await unheard()).toMatchObject({
      info: { nodeId: "", address: fleet.node("b").address },
      state: NodeState.SUSPECT,
      rebuilding: true,
    });
    expect((await unheard())?.lastReportTime).toBeUndefined();
    expect(await ready(one)).toMatchObject({ status: 503, body: { rebuilding: [fleet.node("b").address] } });
    expect((await one.client.listInstances({})).rebuilding).toBe(true);
    await fleet.clock.advance(11_000);
    expect(await unheard()).toMatchObject({ state: NodeState.LOST, rebuilding: true });
    expect(await ready(one)).toMatchObject({ status: 200, body: { rebuilding: [] } });
    await fleet.node("b").boot();
    await fleet.until(async () => isWhole(await nodesOf(one), 2), 10_000);
    expect(await unheard()).toBeUndefined();
  });

  test("hears of a node that it cannot reach by its silence, and of its return by itself", async () => {
    const fleet = await fleetOf("a", "b");
    const one = fleet.addControlPlane();
    await fleet.until(async () => isWhole(await nodesOf(one), 2));
    const states = async (): Promise<readonly NodeState[]> => (await nodesOf(one)).map(({ state }) => state);
    fleet.node("b").cut = true;
    await fleet.until(async () => (await states())[1] === NodeState.SUSPECT, 10_000);
    await fleet.until(async () => (await states())[1] === NodeState.LOST, 11_000);
    expect((await states())[0]).toBe(NodeState.AVAILABLE);
    fleet.node("b").cut = false;
    await fleet.until(async () => (await states())[1] === NodeState.AVAILABLE, 10_000);
  });

  test("agrees with another one about all that runs, within a report interval", async () => {
    const fleet = await fleetOf("a", "b", "c");
    const [one, two] = [fleet.addControlPlane(), fleet.addControlPlane()];
    await fleet.until(async () => isWhole(await nodesOf(one), 3) && isWhole(await nodesOf(two), 3));
    for (let count = 0; count < 5; count++)
      await startSurvivor(count % 2 === 0 ? one : two, { name: `n${count}`, none: true });
    await fleet.clock.advance(5_000);
    const list = async ({ client }: RealControlPlane): Promise<unknown> => {
      const { instances } = await client.listInstances({ includeEnded: true });
      return instances.map((instance) => ({ ...instance, observedTime: undefined }));
    };
    expect(await list(one)).toEqual(await list(two));
    expect(await list(one)).toHaveLength(5);
  });

  test("is told when an agent goes down in order", async () => {
    const fleet = await fleetOf("a", "b");
    const one = fleet.addControlPlane();
    await fleet.until(async () => isWhole(await nodesOf(one), 2));
    const { id } = await startSurvivor(one, { nodeId: "b", none: true });
    void fleet.node("b").agent?.close(0);
    await fleet.until(async () => (await nodesOf(one))[1]?.state === NodeState.LEFT, 3_000);
    expect((await one.client.queryInstance({ instance: id })).instance?.state).toBe(InstanceState.LOST);
  });
});

describe("a control plane with a directory", () => {
  type Named = { readonly name: (nodes: readonly NodeEntry[]) => void; health: DiscoveryHealth };

  function directory(): {
    readonly named: Named;
    readonly open: (onNodes: (nodes: readonly NodeEntry[]) => void) => Directory;
  } {
    let tell: (nodes: readonly NodeEntry[]) => void = () => undefined;
    const named: Named = { name: (nodes) => tell(nodes), health: { kind: "untried" } };
    return {
      named,
      open(onNodes) {
        tell = onNodes;
        return {
          get health() {
            return named.health;
          },
          nodes: [],
          providers: [],
          close: async () => undefined,
        };
      },
    };
  }

  function entryOf(fleet: RealFleet, nodeId: string): NodeEntry {
    return { kind: "node", nodeId, address: fleet.node(nodeId).address, ingressAddress: "", protocolVersion: 3 };
  }

  test("goes to the agents that it names, as they come, and says how the directory is", async () => {
    const fleet = await fleetOf("a", "b");
    const { named, open } = directory();
    const one = fleet.addControlPlane({ staticAgents: [], openDirectory: open });
    await fleet.clock.advance(1_000);
    expect(await nodesOf(one)).toEqual([]);
    expect((await ready(one)).body).toMatchObject({ discovery: { kind: "untried" } });
    named.health = { kind: "reached", atMs: 1 };
    named.name([entryOf(fleet, "a")]);
    await fleet.until(async () => isWhole(await nodesOf(one), 1), 2_000);
    named.name([entryOf(fleet, "a"), entryOf(fleet, "b")]);
    await fleet.until(async () => isWhole(await nodesOf(one), 2), 2_000);
    expect(await ready(one)).toMatchObject({ status: 200, body: { discovery: { kind: "reached" } } });
    const metrics = async (): Promise<string> =>
      (await one.controlPlane.fetch(new Request("http://cp.test/metrics"))).text();
    expect(await metrics()).toContain("wasmatrix_discovery_reached 1");
    named.health = { kind: "unreachable", sinceMs: 2, message: "etcd is away" };
    expect(await metrics()).toContain("wasmatrix_discovery_reached 0");
    expect(await ready(one)).toMatchObject({ status: 200, body: { discovery: { message: "etcd is away" } } });
  });

  test("lists an agent that is named and does not answer by its id", async () => {
    const fleet = await fleetOf("a", "b");
    fleet.node("b").cut = true;
    const { named, open } = directory();
    const one = fleet.addControlPlane({ staticAgents: [], openDirectory: open });
    named.name([entryOf(fleet, "a"), entryOf(fleet, "b")]);
    await fleet.until(async () => isWhole(await nodesOf(one), 1), 2_000);
    expect((await nodesOf(one)).map(({ info, rebuilding }) => [info?.nodeId, rebuilding])).toEqual([
      ["a", false],
      ["b", true],
    ]);
    expect((await ready(one)).body).toMatchObject({ rebuilding: ["b"] });
  });
});
