/** An agent with real control planes: what it did is known there, whatever order they come up in. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, expect, test, vi } from "vitest";
import { serveControlPlane, type RunningControlPlane } from "../../src/cp/entry/node.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { InstanceState, RestartMode } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { NodeState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { silentLog } from "../../src/log.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { exampleModule, idOf, runAgent, start } from "./real-agent.ts";

const planes: RunningControlPlane[] = [];
afterAll(async () => {
  for (const plane of planes) await plane.close(0);
});

async function runPlane(port = 0): Promise<RunningControlPlane> {
  const plane = await serveControlPlane({ port, reportIntervalMs: 500, log: silentLog });
  planes.push(plane);
  return plane;
}

const clientOf = (plane: RunningControlPlane) =>
  createClient(ControlPlaneService, faultTransport(createConnectTransport({ baseUrl: plane.url, httpVersion: "1.1" })));

async function statesAt(plane: RunningControlPlane): Promise<Record<string, InstanceState>> {
  const { instances } = await clientOf(plane).listInstances({ includeEnded: true });
  return Object.fromEntries(instances.map(({ id, state }) => [id, state]));
}

test("several control planes hear of everything; one that was restarted is made whole; leaving is said", async () => {
  const [left, right] = [await runPlane(), await runPlane()];
  const agent = await runAgent({ controlPlanes: [left.url, right.url], labels: { zone: "a" } });
  await agent.joined;
  await start(agent.rpc, "calc", exampleModule("functions"), { restartPolicy: { mode: RestartMode.ALWAYS } });
  const both = async (expected: Record<string, InstanceState>, ...where: RunningControlPlane[]) => {
    for (const plane of where)
      await vi.waitFor(async () => expect(await statesAt(plane)).toEqual(expected), { timeout: 10_000 });
  };
  await both({ [idOf("calc")]: InstanceState.RUNNING }, left, right);
  const { nodes } = await clientOf(left).listNodes({});
  expect(nodes).toMatchObject([
    {
      info: { nodeId: agent.nodeId, labels: { zone: "a" }, address: agent.url, ingressAddress: agent.ingressUrl },
      state: NodeState.AVAILABLE,
    },
  ]);
  expect(nodes[0]?.providers.map(({ id }) => id)).toEqual(expect.arrayContaining(["env", "files", "kv", "kv-memory"]));

  await left.close(0);
  const reborn = await runPlane(left.port);
  await both({ [idOf("calc")]: InstanceState.RUNNING }, reborn);
  await agent.rpc.stopInstance({ instanceId: idOf("calc") });
  await both({ [idOf("calc")]: InstanceState.STOPPED }, reborn, right);

  await agent.close(0);
  for (const plane of [reborn, right]) {
    expect((await clientOf(plane).listNodes({})).nodes).toMatchObject([{ state: NodeState.LEFT }]);
  }
});
