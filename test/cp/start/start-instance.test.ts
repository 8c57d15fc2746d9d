import { describe, expect, it } from "vitest";
import { digestOf } from "../../../src/cp/modules/module-bytes.ts";
import { isFault, Reason } from "../../../src/fault.ts";
import { InstanceState } from "../../../src/gen/wasmatrix/v1/instance_pb.ts";
import { createTestFleet, EMPTY_MODULE, eventually, inline, moduleOf, reasonOf } from "../test-fleet.ts";

describe("starting an instance", () => {
  it("brings the module to a node that lacks it, starts it there, and shows it on the next read", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    const { instance, alreadyStarted } = await fleet.client.startInstance({ spec: { name: "web" }, module: inline() });
    expect(alreadyStarted).toBe(false);
    expect(instance?.id).toMatch(/^[a-z0-9]{20}$/);
    expect(agent.orders).toEqual(["startInstance", "pushModule", "startInstance"]);
    const { instance: read } = await fleet.client.queryInstance({ instance: "web" });
    expect(read?.state).toBe(InstanceState.RUNNING);
    expect(read?.id).toBe(instance?.id);
  });

  it("pushes a module once to a node, however many instances of it start at once", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    await Promise.all(Array.from({ length: 5 }, () => fleet.client.startInstance({ spec: {}, module: inline() })));
    expect(agent.instances.size).toBe(5);
    expect(agent.orders.filter((order) => order === "pushModule")).toHaveLength(1);
  });

  it("pulls a module that only another node holds", async () => {
    const fleet = createTestFleet();
    const digest = await digestOf(EMPTY_MODULE);
    const holder = await fleet.addAgent({ nodeId: "holder", labels: { role: "holder" } });
    holder.modules.set(digest, EMPTY_MODULE);
    await holder.report();
    const agent = await fleet.addAgent({ nodeId: "n2" });
    await fleet.client.startInstance({ spec: {}, module: { source: { case: "digest", value: digest } }, nodeId: "n2" });
    expect(holder.orders).toEqual(["pullModule"]);
    expect([...agent.modules.keys()]).toEqual([digest]);
  });

  it("fetches a module from a URL, once if its digest is known by then", async () => {
    let fetches = 0;
    const fetch = (): Promise<Response> => {
      fetches += 1;
      return Promise.resolve(new Response(moduleOf(100)));
    };
    const fleet = createTestFleet({ fetch });
    const agent = await fleet.addAgent();
    const digest = await digestOf(moduleOf(100));
    const from = (wanted: string): Promise<unknown> =>
      fleet.client.startInstance({
        spec: {},
        module: { source: { case: "url", value: { url: "http://modules.test/a.wasm", digest: wanted } } },
      });
    await from("");
    await from(digest);
    expect([fetches, agent.instances.size]).toEqual([1, 2]);
    expect(await reasonOf(from(`sha256:${"0".repeat(64)}`))).toBe(Reason.MODULE_DIGEST_MISMATCH);
  });

  it("does not count a node as holding a module that it fails to hand over", async () => {
    const fleet = createTestFleet();
    const digest = await digestOf(EMPTY_MODULE);
    const liar = await fleet.addAgent({ nodeId: "liar" });
    liar.modules.set(digest, moduleOf(9));
    await liar.report();
    await fleet.addAgent({ nodeId: "n2" });
    const starting = fleet.client.startInstance({
      spec: {},
      module: { source: { case: "digest", value: digest } },
      nodeId: "n2",
    });
    await expect(starting).rejects.toThrow(/neither this control plane nor a node that answers holds it; upload it$/);
  });

  it("says that nobody has a module that nobody has", async () => {
    const fleet = createTestFleet();
    await fleet.addAgent();
    const value = `sha256:${"1".repeat(64)}`;
    expect(
      await reasonOf(fleet.client.startInstance({ spec: {}, module: { source: { case: "digest", value } } })),
    ).toBe(Reason.MODULE_NOT_FOUND);
  });

  it("refuses what is not Wasm before any node is asked", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    expect(await reasonOf(fleet.client.startInstance({ spec: {}, module: inline(new Uint8Array([1, 2, 3])) }))).toBe(
      Reason.MODULE_NOT_WASM,
    );
    expect(agent.orders).toEqual([]);
  });

  it("passes the caller's request id on to the agent", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    await fleet.client.startInstance({ spec: {}, module: inline() }, { headers: { "x-request-id": "mine-1" } });
    expect(new Set(agent.requestIds)).toEqual(new Set(["mine-1"]));
  });
});

describe("the idempotency key", () => {
  it("yields the same instance for retries, one after the other and at once", async () => {
    const fleet = createTestFleet();
    const agents = [await fleet.addAgent({ nodeId: "n1" }), await fleet.addAgent({ nodeId: "n2" })];
    const start = (): ReturnType<typeof fleet.client.startInstance> =>
      fleet.client.startInstance({ idempotencyKey: "k", spec: { name: "web" }, module: inline() });
    const atOnce = await Promise.all([start(), start(), start()]);
    const later = await start();
    expect(new Set([...atOnce, later].map(({ instance }) => instance?.id)).size).toBe(1);
    expect(atOnce.filter(({ alreadyStarted }) => !alreadyStarted)).toHaveLength(1);
    expect(later.alreadyStarted).toBe(true);
    expect(agents.reduce((sum, agent) => sum + agent.instances.size, 0)).toBe(1);
  });

  it("yields the same instance through another control plane", async () => {
    const one = createTestFleet();
    const two = createTestFleet();
    await one.addAgent();
    await two.addAgent();
    const request = { idempotencyKey: "k", spec: {}, module: inline() };
    const [first, second] = [await one.client.startInstance(request), await two.client.startInstance(request)];
    expect(first.instance?.id).toBe(second.instance?.id);
  });

  it("is refused for another request, while the first is under way and after it", async () => {
    const fleet = createTestFleet();
    await fleet.addAgent();
    const start = (name: string, module = inline()): Promise<unknown> =>
      fleet.client.startInstance({ idempotencyKey: "k", spec: { name }, module });
    expect(await refusals([start("web"), start("other")])).toEqual([Reason.IDEMPOTENCY_CONFLICT]);
    const { instances } = await fleet.client.listInstances({});
    const name = instances[0]?.name ?? "";
    expect(await reasonOf(start("third"))).toBe(Reason.IDEMPOTENCY_CONFLICT);
    expect(await reasonOf(start(name, inline(moduleOf(9))))).toBe(Reason.IDEMPOTENCY_CONFLICT);
    await start(name);
  });

  it("finds an instance on a node that is rebuilding, before anything is placed elsewhere", async () => {
    const fleet = createTestFleet();
    const rebuilding = fleet.addSilentAgent({ nodeId: "n1" });
    rebuilding.modules.set(await digestOf(EMPTY_MODULE), EMPTY_MODULE);
    const request = { idempotencyKey: "k", spec: {}, module: inline() };
    // Another control plane has started it there; this one has only heard that the node is there.
    const other = createTestFleet({ dial: () => rebuilding.transport });
    await other.addAgent({ nodeId: "n1" });
    rebuilding.quiet = true;
    const starting = other.client.startInstance(request);
    let answered = false;
    void starting.finally(() => (answered = true));
    await eventually(() => {
      other.clock.advance(100);
      expect(answered).toBe(true);
    });
    const empty = await fleet.addAgent({ nodeId: "n2" });
    await fleet.client.registerNode({ info: rebuilding.info(), epoch: "e1" });
    const again = await fleet.client.startInstance(request);
    expect(again.alreadyStarted).toBe(true);
    expect(again.instance?.id).toBe((await starting).instance?.id);
    expect(empty.instances.size).toBe(0);
  });
});

/** The reasons of those calls that failed. */
async function refusals(calls: readonly Promise<unknown>[]): Promise<readonly Reason[]> {
  const reasons = await Promise.all(
    calls.map((call) =>
      call.then(
        () => [],
        (error: unknown) => (isFault(error) ? [error.reason] : [Reason.UNSPECIFIED]),
      ),
    ),
  );
  return reasons.flat();
}

describe("a unique name", () => {
  it("is refused while a live instance has it or is being started with it, and granted afterwards", async () => {
    const fleet = createTestFleet();
    await fleet.addAgent();
    const start = (): Promise<unknown> =>
      fleet.client.startInstance({ spec: { name: "web" }, module: inline(), uniqueName: true });
    expect(await refusals([start(), start()])).toEqual([Reason.INSTANCE_NAME_TAKEN]);
    expect(await reasonOf(start())).toBe(Reason.INSTANCE_NAME_TAKEN);
    await fleet.client.stopInstance({ instance: "web" });
    await start();
  });

  it("needs a name", async () => {
    const fleet = createTestFleet();
    await fleet.addAgent();
    expect(await reasonOf(fleet.client.startInstance({ spec: {}, module: inline(), uniqueName: true }))).toBe(
      Reason.INVALID_REQUEST,
    );
  });

  it("may be shared by instances that do not ask for a unique one", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent();
    for (let count = 0; count < 2; count++)
      await fleet.client.startInstance({ spec: { name: "web" }, module: inline() });
    expect(agent.instances.size).toBe(2);
  });
});

describe("when a node does not take the instance", () => {
  it("asks the next one after a refusal for want of room", async () => {
    const fleet = createTestFleet();
    const full = await fleet.addAgent({ nodeId: "n1" });
    const roomy = await fleet.addAgent({ nodeId: "n2" });
    full.refuseStart = Reason.NODE_AT_CAPACITY;
    const { instance } = await fleet.client.startInstance({ spec: {}, module: inline() });
    expect(instance?.nodeId).toBe("n2");
    expect(full.orders).toEqual(["startInstance"]);
    expect(roomy.instances.size).toBe(1);
  });

  it("says so when all refuse, and leaves nothing behind", async () => {
    const fleet = createTestFleet();
    for (const nodeId of ["n1", "n2"]) (await fleet.addAgent({ nodeId })).refuseStart = Reason.NODE_AT_CAPACITY;
    await expect(fleet.client.startInstance({ spec: {}, module: inline() })).rejects.toThrow(
      /2 nodes were asked and none took it; the last said: /,
    );
    expect((await fleet.client.listInstances({ includeEnded: true })).instances).toEqual([]);
  });

  it("does not try another after a failure of the agent's own, which another would have as well", async () => {
    const fleet = createTestFleet();
    const broken = await fleet.addAgent({ nodeId: "n1" });
    const other = await fleet.addAgent({ nodeId: "n2" });
    broken.refuseStart = Reason.INTERNAL;
    expect(await reasonOf(fleet.client.startInstance({ spec: {}, module: inline() }))).toBe(Reason.INTERNAL);
    expect(broken.orders).toEqual(["startInstance", "queryInstance"]);
    expect(other.orders).toEqual([]);
  });

  it("does not ask another about what is wrong with the request itself", async () => {
    const fleet = createTestFleet();
    (await fleet.addAgent({ nodeId: "n1" })).refuseStart = Reason.LIMIT_INVALID;
    const other = await fleet.addAgent({ nodeId: "n2" });
    expect(await reasonOf(fleet.client.startInstance({ spec: {}, module: inline() }))).toBe(Reason.LIMIT_INVALID);
    expect(other.orders).toEqual([]);
  });

  it("asks the next one if there was nobody to connect to", async () => {
    const fleet = createTestFleet();
    const gone = await fleet.addAgent({ nodeId: "n1" });
    await fleet.addAgent({ nodeId: "n2" });
    fleet.lines.set(gone.address, "refused");
    expect((await fleet.client.startInstance({ spec: {}, module: inline() })).instance?.nodeId).toBe("n2");
  });

  it("asks the node itself after an answer that was lost, and finds the instance there", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent({ nodeId: "n1" });
    const other = await fleet.addAgent({ nodeId: "n2" });
    agent.modules.set(await digestOf(EMPTY_MODULE), EMPTY_MODULE);
    await agent.report();
    fleet.lines.set(agent.address, "answer-lost");
    const { instance } = await fleet.client.startInstance({ spec: {}, module: inline() });
    expect(instance?.nodeId).toBe("n1");
    expect(agent.orders).toEqual(["startInstance", "queryInstance"]);
    expect(other.orders).toEqual([]);
  });

  it("starts nothing elsewhere while nobody knows what became of an order, and finds it once the node can be asked", async () => {
    const fleet = createTestFleet();
    const agent = await fleet.addAgent({ nodeId: "n1" });
    const other = await fleet.addAgent({ nodeId: "n2" });
    agent.modules.set(await digestOf(EMPTY_MODULE), EMPTY_MODULE);
    await agent.report();
    agent.quiet = true;
    fleet.lines.set(agent.address, "lost-then-dead");
    const start = (): ReturnType<typeof fleet.client.startInstance> =>
      fleet.client.startInstance({ idempotencyKey: "k", spec: {}, module: inline() });
    await expect(start()).rejects.toThrow(
      /was given the order and cannot be asked what became of it; retry with the same idempotency key$/,
    );
    expect(await reasonOf(start())).toBe(Reason.NODE_UNREACHABLE);
    expect(other.orders).toEqual([]);
    fleet.lines.set(agent.address, "up");
    const found = await start();
    expect(found.alreadyStarted).toBe(true);
    expect(found.instance?.nodeId).toBe("n1");
    expect(other.instances.size + agent.instances.size).toBe(1);
  });

  it("says which requirements no node meets", async () => {
    const fleet = createTestFleet();
    await fleet.addAgent();
    expect(await reasonOf(fleet.client.startInstance({ spec: {}, module: inline(), nodeId: "nowhere" }))).toBe(
      Reason.NODE_NOT_FOUND,
    );
    expect(await reasonOf(fleet.client.startInstance({ spec: {}, module: inline(), nodeLabels: { zone: "x" } }))).toBe(
      Reason.NO_NODE_FITS,
    );
  });
});
