import { describe, expect, test } from "vitest";
import { Reason } from "../../src/fault.ts";
import { CapabilityType, RestartMode } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { createJsonLog } from "../../src/log.ts";
import { COMMAND, createTestNode, idOf, moduleDigest, orderOf, WEB } from "./test-node.ts";
import { settle } from "./virtual-clock.ts";

const always = { mode: RestartMode.ALWAYS };
const onFailure = { mode: RestartMode.ON_FAILURE };
const withReason = (reason: Reason) => expect.objectContaining({ reason });

describe("starting an instance", () => {
  test("answers when the guest is ready, with the journal and the facts in order", async () => {
    const node = createTestNode();
    const { record, alreadyStarted } = await node.supervisor.start(orderOf("a", { name: "web" }));
    expect(record).toMatchObject({ id: idOf("a"), state: "running", kind: "http", restartCount: 0 });
    expect(alreadyStarted).toBe(false);
    expect(node.kinds(idOf("a"))).toEqual(["STARTING", "RUNNING"]);
    expect(node.disk.records.get(idOf("a"))).toEqual(record);
    expect(node.supervisor.guest(idOf("a"))).toBe(node.runtime.guests[0]);
    expect(node.supervisor.runningGuests("web")).toHaveLength(1);
    expect(node.supervisor.load().instances).toBe(1);
  });

  test("logs start and stop with the id of the request that ordered them", async () => {
    const lines: unknown[] = [];
    const node = createTestNode({ log: createJsonLog({ write: (line) => void lines.push(JSON.parse(line)) }) });
    await node.supervisor.start({ ...orderOf("a"), requestId: "r-start" });
    await node.supervisor.stop(idOf("a"), 0, "r-stop");
    const told = { level: "info", instance: idOf("a") };
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...told, message: "Admitted as http guest", requestId: "r-start" }),
        expect.objectContaining({ ...told, state: "stopping", requestId: "r-stop" }),
      ]),
    );
  });

  test("gives the guest its arguments, environment, input and limits", async () => {
    const node = createTestNode();
    await node.supervisor.start(
      orderOf("a", { args: ["x"], env: { K: "V" }, stdin: new Uint8Array([7]), limits: { callTimeoutMs: 5 } }),
    );
    expect(node.runtime.guests[0]?.start).toMatchObject({
      id: idOf("a"),
      args: ["main", "x"],
      rights: { folders: [], env: { K: "V" } },
      stdin: new Uint8Array([7]),
      limits: { callTimeoutMs: 5 },
    });
  });

  test("twice answers the same instance, at once and later", async () => {
    const node = createTestNode();
    const both = await Promise.all([node.supervisor.start(orderOf("a")), node.supervisor.start(orderOf("a"))]);
    expect(both.map(({ alreadyStarted }) => alreadyStarted)).toEqual([false, true]);
    expect((await node.supervisor.start(orderOf("a"))).alreadyStarted).toBe(true);
    expect(node.runtime.guests).toHaveLength(1);
  });

  test("with a known id and another spec is refused, also while the first is being admitted", async () => {
    const node = createTestNode();
    const first = node.supervisor.start(orderOf("a"));
    await expect(node.supervisor.start(orderOf("a", { name: "other" }))).rejects.toEqual(
      withReason(Reason.IDEMPOTENCY_CONFLICT),
    );
    await first;
    await expect(node.supervisor.start(orderOf("a", { name: "other" }))).rejects.toEqual(
      withReason(Reason.IDEMPOTENCY_CONFLICT),
    );
  });

  test("never resurrects an instance that has ended", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("stopped", { policy: always }));
    await node.supervisor.stop(idOf("stopped"), 0, "");
    await node.supervisor.start(orderOf("exited", { moduleDigest: COMMAND }));
    node.runtime.guests[1]?.end({ kind: "exited", exitCode: 0 });
    await settle();
    for (const [name, state] of [
      ["stopped", "stopped"],
      ["exited", "exited"],
    ] as const) {
      const order = name === "stopped" ? orderOf(name, { policy: always }) : orderOf(name, { moduleDigest: COMMAND });
      expect(await node.supervisor.start(order)).toMatchObject({ alreadyStarted: true, record: { state } });
    }
    expect(node.runtime.guests).toHaveLength(2);
  });

  test.each([Reason.MODULE_MALFORMED, Reason.MODULE_IMPORT_UNKNOWN, Reason.MODULE_KIND_UNSUPPORTED])(
    "of a module that is refused when looked into (reason %i) leaves nothing behind",
    async (reason) => {
      const node = createTestNode();
      const name = Object.entries(Reason).find(([, value]) => value === reason)?.[0];
      node.modules.set(moduleDigest("bad"), `refused:${name}`);
      await expect(
        node.supervisor.start(orderOf("a", { moduleDigest: moduleDigest("bad"), policy: always })),
      ).rejects.toEqual(withReason(reason));
      expect(node.supervisor.list()).toEqual([]);
      expect(node.facts).toEqual([]);
      expect(node.disk.records.size).toBe(0);
      expect(node.clock.waiting).toBe(0);
    },
  );

  test("of a module that is not held says so, and works once it is", async () => {
    const node = createTestNode();
    const late = moduleDigest("late");
    await expect(node.supervisor.start(orderOf("a", { moduleDigest: late }))).rejects.toEqual(
      withReason(Reason.MODULE_NOT_FOUND),
    );
    node.modules.set(late, "http");
    expect((await node.supervisor.start(orderOf("a", { moduleDigest: late }))).record.state).toBe("running");
  });

  test("that the runtime refuses is forgotten whatever the policy, for everyone who waits", async () => {
    const node = createTestNode();
    node.modules.set(moduleDigest("big"), "http start-fails:LIMIT_INVALID");
    const order = orderOf("a", { moduleDigest: moduleDigest("big"), policy: always });
    const results = await Promise.allSettled([node.supervisor.start(order), node.supervisor.start(order)]);
    expect(results).toMatchObject([
      { reason: withReason(Reason.LIMIT_INVALID) },
      { reason: withReason(Reason.LIMIT_INVALID) },
    ]);
    expect(node.kinds(idOf("a"))).toEqual(["STARTING", "FAILED", "FORGOTTEN"]);
    expect(node.supervisor.list()).toEqual([]);
    expect(node.disk.records.size).toBe(0);
    expect(node.forgotten).toEqual([idOf("a")]);
    await node.clock.advance(100_000);
    expect(node.runtime.guests).toEqual([]);
  });

  test("that traps answers the trap under policy never, keeps the record, and says the same again", async () => {
    const node = createTestNode();
    node.modules.set(moduleDigest("trap"), "http start-fails:GUEST_TRAPPED");
    const order = orderOf("a", { moduleDigest: moduleDigest("trap") });
    await expect(node.supervisor.start(order)).rejects.toEqual(withReason(Reason.GUEST_TRAPPED));
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "failed", lastEnding: { cause: "start-failed" } });
    await expect(node.supervisor.start(order)).rejects.toEqual(withReason(Reason.GUEST_TRAPPED));
    expect(node.supervisor.load().instances).toBe(0);
  });

  test("that traps is tried again under policy on-failure", async () => {
    const node = createTestNode();
    node.modules.set(moduleDigest("trap"), "http start-fails:GUEST_TRAPPED");
    const { record } = await node.supervisor.start(
      orderOf("a", { moduleDigest: moduleDigest("trap"), policy: onFailure }),
    );
    expect(record.state).toBe("backoff");
    node.modules.set(moduleDigest("trap"), "http");
    await node.clock.advance(1_100);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1 });
  });

  test("takes the node's last place only once", async () => {
    const node = createTestNode({ instancesMax: 1 });
    const results = await Promise.allSettled([
      node.supervisor.start(orderOf("a")),
      node.supervisor.start(orderOf("b")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(results[1]).toMatchObject({ reason: withReason(Reason.NODE_AT_CAPACITY) });
    await node.supervisor.stop(idOf("a"), 0, "");
    expect((await node.supervisor.start(orderOf("b"))).record.state).toBe("running");
  });

  test("that cannot be journalled is refused and starts nothing", async () => {
    let full = true;
    const node = createTestNode({
      wrapJournal: (journal) => ({
        ...journal,
        put(record, durability) {
          if (full) throw new Error("disk full");
          journal.put(record, durability);
        },
      }),
    });
    await expect(node.supervisor.start(orderOf("a"))).rejects.toThrow("disk full");
    expect(node.runtime.guests).toEqual([]);
    expect(node.facts).toEqual([]);
    full = false;
    expect((await node.supervisor.start(orderOf("a"))).alreadyStarted).toBe(false);
  });
});

describe("restarting", () => {
  test("waits for the backoff, which doubles, and keeps generation and id", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: always }));
    for (const [index, backoffMs] of [1_000, 2_000, 4_000].entries()) {
      node.runtime.guests[index]?.end({ kind: "trapped", message: "unreachable" });
      await node.clock.advance(backoffMs - 1);
      expect(node.supervisor.get(idOf("a")).state).toBe("backoff");
      expect(() => node.supervisor.guest(idOf("a"))).toThrow(withReason(Reason.INSTANCE_NOT_RUNNING));
      await node.clock.advance(backoffMs * 0.1 + 1);
      expect(node.supervisor.get(idOf("a"))).toMatchObject({
        state: "running",
        restartCount: index + 1,
        generation: 1n,
      });
    }
    expect(node.kinds(idOf("a")).slice(0, 5)).toEqual(["STARTING", "RUNNING", "RESTARTING", "STARTING", "RUNNING"]);
    expect(node.runtime.live).toHaveLength(1);
  });

  test("gives up after max_retries in a row; a healthy minute begins a new row", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: { ...onFailure, maxRetries: 1 } }));
    const endLast = async () => {
      node.runtime.guests.at(-1)?.end({ kind: "trapped", message: "x" });
      await node.clock.advance(2_500);
    };
    await endLast();
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", retriesInRow: 1 });
    await node.clock.advance(60_000);
    expect(node.disk.records.get(idOf("a"))?.retriesInRow).toBe(0);
    await endLast();
    expect(node.supervisor.get(idOf("a")).state).toBe("running");
    await endLast();
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "failed", restartCount: 2 });
    await node.clock.advance(1_000_000);
    expect(node.runtime.guests).toHaveLength(3);
  });

  test("goes on while the journal fails, because what happened has happened", async () => {
    let full = false;
    const node = createTestNode({
      wrapJournal: (journal) => ({
        ...journal,
        put(record, durability) {
          if (full) throw new Error("disk full");
          journal.put(record, durability);
        },
      }),
    });
    await node.supervisor.start(orderOf("a", { policy: always }));
    full = true;
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await node.clock.advance(1_100);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1 });
    await expect(node.supervisor.stop(idOf("a"), 0, "")).rejects.toThrow("disk full");
    expect(node.supervisor.get(idOf("a")).state).toBe("running");
  });
});

describe("stopping", () => {
  test("journals the order before the guest is asked, drains with the grace, and answers when it has ended", async () => {
    const node = createTestNode();
    node.runtime.drainsAtOnce = false;
    await node.supervisor.start(orderOf("a", { policy: always }));
    const stopping = node.supervisor.stop(idOf("a"), 7_000, "req-2");
    expect(node.disk.records.get(idOf("a"))?.state).toBe("stopping");
    await settle();
    expect(node.runtime.guests[0]?.drainingMs).toBe(7_000);
    expect(node.supervisor.runningGuests("")).toEqual([]);
    node.runtime.guests[0]?.end({ kind: "stopped" });
    expect(await stopping).toMatchObject({ state: "stopped", lastEnding: { cause: "stopped" } });
    await node.clock.advance(1_000_000);
    expect(node.runtime.live).toEqual([]);
    expect(node.kinds(idOf("a"))).toEqual(["STARTING", "RUNNING", "STOPPING", "STOPPED"]);
  });

  test("is idempotent, and joined by a second stop", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a"));
    const both = await Promise.all([node.supervisor.stop(idOf("a"), 1, ""), node.supervisor.stop(idOf("a"), 1, "")]);
    expect(both.map(({ state }) => state)).toEqual(["stopped", "stopped"]);
    expect((await node.supervisor.stop(idOf("a"), 1, "")).state).toBe("stopped");
    expect(node.kinds(idOf("a")).filter((kind) => kind === "STOPPED")).toHaveLength(1);
  });

  test("by someone less patient ends the guest earlier", async () => {
    const node = createTestNode();
    node.runtime.drainsAtOnce = false;
    await node.supervisor.start(orderOf("a"));
    const patient = node.supervisor.stop(idOf("a"), 3_600_000, "");
    const hasty = node.supervisor.stop(idOf("a"), 100, "");
    await node.clock.advance(99);
    expect(node.supervisor.get(idOf("a")).state).toBe("stopping");
    await node.clock.advance(1);
    expect((await Promise.all([patient, hasty])).map(({ state }) => state)).toEqual(["stopped", "stopped"]);
  });

  test("while it waits for a restart ends the waiting", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: always }));
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await settle();
    expect((await node.supervisor.stop(idOf("a"), 5_000, "")).state).toBe("stopped");
    await node.clock.advance(1_000_000);
    expect(node.runtime.guests).toHaveLength(1);
  });

  test("while it is being started ends it before it takes a call", async () => {
    const node = createTestNode();
    const gate = Promise.withResolvers<void>();
    node.runtime.gate = gate.promise;
    const starting = node.supervisor.start(orderOf("a", { policy: always }));
    await settle();
    const stopping = node.supervisor.stop(idOf("a"), 5_000, "");
    gate.resolve();
    expect((await stopping).state).toBe("stopped");
    expect((await starting).record.state).toBe("stopped");
    expect(node.runtime.live).toEqual([]);
    expect(node.kinds(idOf("a"))).toEqual(["STARTING", "STOPPING", "STOPPED"]);
  });

  test("a guest that fails while it drains is stopped all the same", async () => {
    const node = createTestNode();
    node.runtime.drainsAtOnce = false;
    await node.supervisor.start(orderOf("a", { policy: always }));
    const stopping = node.supervisor.stop(idOf("a"), 1_000, "");
    node.runtime.guests[0]?.end({ kind: "trapped", message: "oops" });
    expect(await stopping).toMatchObject({ state: "stopped", lastEnding: { cause: "trapped" } });
  });

  test("an unknown instance says so", async () => {
    const node = createTestNode();
    await expect(node.supervisor.stop(idOf("x"), 0, "")).rejects.toEqual(withReason(Reason.INSTANCE_NOT_FOUND));
    expect(() => node.supervisor.get(idOf("x"))).toThrow(withReason(Reason.INSTANCE_NOT_FOUND));
  });
});

describe("grants", () => {
  const read = { type: CapabilityType.KV, permissions: ["kv:read"] };

  test("are in force and journalled at once, and so are revocations", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a"));
    const assigned = await node.supervisor.assign(idOf("a"), { ...specAssignment(read.permissions) }, "");
    expect(assigned.grants).toEqual([
      { providerId: "kv", type: "kv", bucket: "default", permissions: ["kv:read"], deniedPermissions: [] },
    ]);
    expect(node.disk.records.get(idOf("a"))?.grants).toEqual(assigned.grants);
    await node.supervisor.assign(idOf("a"), specAssignment(["kv:read", "kv:write"]), "");
    expect((await node.supervisor.revoke(idOf("a"), specAssignment(["kv:read"]), "")).grants).toMatchObject([
      { permissions: ["kv:write"] },
    ]);
    expect((await node.supervisor.revoke(idOf("a"), specAssignment([]), "")).grants).toEqual([]);
    expect((await node.supervisor.revoke(idOf("a"), specAssignment([]), "")).grants).toEqual([]);
    expect(node.kinds(idOf("a")).slice(2)).toEqual(
      Array.from({ length: 5 }, (_, index) => (index < 2 ? "CAPABILITY_ASSIGNED" : "CAPABILITY_REVOKED")).map(
        (kind) => kind,
      ),
    );
  });

  test("survive a restart of the guest", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: always, assignments: [read] }));
    await node.supervisor.revoke(idOf("a"), specAssignment([]), "");
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await node.clock.advance(2_000);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", grants: [] });
  });

  test("of an instance that has ended cannot be changed", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a"));
    await node.supervisor.stop(idOf("a"), 0, "");
    await expect(node.supervisor.assign(idOf("a"), specAssignment(["kv:read"]), "")).rejects.toEqual(
      withReason(Reason.INSTANCE_NOT_RUNNING),
    );
  });
});

describe("ended records", () => {
  test("are kept up to the limit, the oldest go first", async () => {
    const node = createTestNode({ endedRecordsMax: 2 });
    for (const name of ["a", "b", "c"]) {
      await node.supervisor.start(orderOf(name));
      await node.clock.advance(10);
      await node.supervisor.stop(idOf(name), 0, "");
    }
    expect(node.supervisor.list().map(({ id }) => id)).toEqual([idOf("b"), idOf("c")]);
    expect([...node.disk.records.keys()]).toEqual([idOf("b"), idOf("c")]);
    expect(node.forgotten).toEqual([idOf("a")]);
    expect(node.kinds(idOf("a")).at(-1)).toBe("FORGOTTEN");
  });
});

describe("modules", () => {
  test("are needed while a live instance runs them", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a"));
    expect(node.supervisor.needsModule(WEB)).toBe(true);
    expect(node.supervisor.needsModule(COMMAND)).toBe(false);
    await node.supervisor.stop(idOf("a"), 0, "");
    expect(node.supervisor.needsModule(WEB)).toBe(false);
  });
});

function specAssignment(permissions: string[]) {
  return orderOf("x", { assignments: [{ type: CapabilityType.KV, permissions }] }).spec.assignments[0] ?? unreachable();
}

function unreachable(): never {
  throw new Error("unreachable");
}
