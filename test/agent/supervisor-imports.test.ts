/** Starts of guests whose imports must be decided on: only new orders are asked. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Reason } from "../../src/fault.ts";
import { AssignmentSchema, CapabilityType, RestartMode } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { createTestNode, idOf, moduleDigest, orderOf, type TestNode } from "./test-node.ts";
import { settle } from "./virtual-clock.ts";

const STORE = "wasi:keyvalue/store@0.2.0-draft";
const OUTGOING = "wasi:http/outgoing-handler@0.2.12";
const CONSUMER = "wasmcloud:messaging/consumer@0.2.0";
const always = { mode: RestartMode.ALWAYS };

type AssignmentInit = MessageInitShape<typeof AssignmentSchema>;
const assignment = (init: AssignmentInit) => create(AssignmentSchema, init);

/** A node that holds a module with these imports, and orders for it. */
function nodeWith(...imports: readonly string[]) {
  const node = createTestNode();
  const digest = moduleDigest("importing");
  node.modules.set(digest, `http ${imports.map((name) => `imports:${name}`).join(" ")}`);
  const order = (...assignments: readonly AssignmentInit[]) =>
    orderOf("a", { moduleDigest: digest, assignments: assignments.map(assignment), policy: always });
  return { node, order };
}

const expectRunning = (node: TestNode): void =>
  expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running" });

describe.each([
  { type: CapabilityType.KV, name: STORE, permission: "kv:read" },
  { type: CapabilityType.KV, name: "wasmatrix.kv_get", permission: "kv:read" },
  { type: CapabilityType.HTTP, name: OUTGOING, permission: "http:request" },
  { type: CapabilityType.HTTP, name: "wasmatrix.http_request", permission: "http:request" },
  { type: CapabilityType.MESSAGING, name: CONSUMER, permission: "msg:publish:>" },
  { type: CapabilityType.MESSAGING, name: "wasmatrix.publish", permission: "msg:publish:>" },
])("a guest that imports $name", ({ type, name, permission }) => {
  test("is refused by name where nothing is said, leaves no record or fact, and starts by the same id once something is", async () => {
    const { node, order } = nodeWith(name);
    await expect(node.supervisor.start(order())).rejects.toMatchObject({
      reason: Reason.CAPABILITY_DENIED,
      subject: name,
      message: expect.stringContaining(`it imports ${name} and nothing is said about`),
    });
    expect(node.supervisor.find(idOf("a"))).toBeUndefined();
    expect(node.facts).toEqual([]);
    expect(node.runtime.guests).toEqual([]);
    await node.supervisor.start(order({ type, permissions: [permission] }));
    expectRunning(node);
  });

  test("starts with a denial", async () => {
    const { node, order } = nodeWith(name);
    await node.supervisor.start(order({ type, deniedPermissions: [permission] }));
    expectRunning(node);
  });

  test("is refused where only other types are granted", async () => {
    const { node, order } = nodeWith(name);
    await expect(
      node.supervisor.start(order({ type: CapabilityType.ENVIRONMENT, deniedPermissions: ["env:*"] })),
    ).rejects.toMatchObject({ reason: Reason.CAPABILITY_DENIED });
  });
});

describe("a guest whose last assignment is revoked", () => {
  async function startedAndRevoked() {
    const { node, order } = nodeWith(STORE);
    const kv = { type: CapabilityType.KV, permissions: ["kv:read"] };
    await node.supervisor.start(order(kv));
    await node.supervisor.revoke(idOf("a"), assignment(kv), "");
    expect(node.supervisor.get(idOf("a")).grants).toEqual([]);
    return { node, order: order(kv), bare: order() };
  }

  test("is restarted by its policy", async () => {
    const { node } = await startedAndRevoked();
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await node.clock.advance(1_100);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1 });
  });

  test("comes back with the next agent", async () => {
    const { node } = await startedAndRevoked();
    node.reboot();
    await node.clock.advance(1_100);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1 });
  });

  test("is answered to the order that started it, and is placed anew with nothing", async () => {
    const { node, order, bare } = await startedAndRevoked();
    expect(await node.supervisor.start(order)).toMatchObject({ alreadyStarted: true });
    await node.supervisor.start({ ...bare, generation: 2n });
    await settle();
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", generation: 2n, grants: [] });
  });
});
