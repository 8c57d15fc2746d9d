/** What a control plane hears of the use of permissions. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, expect, test, vi } from "vitest";
import { serveControlPlane } from "../../src/cp/entry/node.ts";
import { ControlPlaneService } from "../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind, type Fact } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { CapabilityType } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { silentLog } from "../../src/log.ts";
import { faultTransport } from "../../src/rpc/fault-transport.ts";
import { exampleModule, idOf, query, runAgent, start } from "./real-agent.ts";

const closers: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closers) await close();
});

test("the first use of a permission is told at once, further uses are not each a fact, and refusals carry the counts", async () => {
  const plane = await serveControlPlane({ port: 0, reportIntervalMs: 500, log: silentLog });
  closers.push(() => plane.close(0));
  const client = createClient(
    ControlPlaneService,
    faultTransport(createConnectTransport({ baseUrl: plane.url, httpVersion: "1.1" })),
  );
  const agent = await runAgent({ controlPlanes: [plane.url] });
  await agent.joined;
  const assignment = { type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] };
  await start(agent.rpc, "counter", exampleModule("http-counter"), { name: "counter", assignments: [assignment] });
  const facts = async (): Promise<readonly Fact[]> => {
    const all: Fact[] = [];
    for await (const batch of client.watchFacts({ instance: idOf("counter") })) all.push(...batch.facts);
    return all;
  };
  const used = async () => (await facts()).filter(({ kind }) => kind === FactKind.PERMISSION_USED);

  for (let index = 0; index < 20; index++) await fetch(`${agent.ingressUrl}/-/counter/`);
  await vi.waitFor(async () => expect((await used()).length).toBeGreaterThan(0));
  expect((await used()).length).toBeLessThanOrEqual(2);
  expect((await used())[0]?.message).toContain("kv:");
  // The agent itself knows better than its last fact.
  const counts = (await query(agent.rpc, "counter")).permissionUses;
  expect(counts).toContainEqual(expect.objectContaining({ permission: "kv:write", bucket: "default", usedCount: 20n }));

  await agent.rpc.revokeCapability({
    instanceId: idOf("counter"),
    assignment: { ...assignment, permissions: ["kv:write"] },
  });
  await fetch(`${agent.ingressUrl}/-/counter/`);
  await vi.waitFor(async () => {
    const denied = (await facts()).find(({ kind }) => kind === FactKind.CAPABILITY_DENIED);
    expect(denied?.instance?.permissionUses).toContainEqual(
      expect.objectContaining({ permission: "kv:write", deniedCount: 1n }),
    );
  });
  const { instances } = await client.listCapabilities({ instance: idOf("counter") });
  expect(instances[0]?.permissionUses).toContainEqual(
    expect.objectContaining({ permission: "kv:write", usedCount: 20n }),
  );
});
