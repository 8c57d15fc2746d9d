import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Reason } from "../../src/fault.ts";
import { RestartMode } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { hasEnded } from "../../src/agent/instance-record.ts";
import { createTestNode, idOf, orderOf } from "./test-node.ts";
import { settle } from "./virtual-clock.ts";

const always = { mode: RestartMode.ALWAYS };

describe("after kill -9 of the agent", () => {
  test("live instances come back after their backoff, counted as restarts, each once", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: always, name: "web" }));
    await node.supervisor.start(orderOf("b", { policy: { mode: RestartMode.ON_FAILURE } }));
    node.reboot();
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "backoff", lastEnding: { cause: "agent-lost" } });
    await node.clock.advance(1_100);
    for (const name of ["a", "b"]) {
      expect(node.supervisor.get(idOf(name))).toMatchObject({
        state: "running",
        restartCount: 1,
        generation: 1n,
        spec: { name: name === "a" ? "web" : "" },
      });
    }
    expect(node.runtime.live).toHaveLength(2);
  });

  test("instances that are never restarted are lost, and stay so", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a"));
    node.reboot();
    expect(node.supervisor.get(idOf("a")).state).toBe("lost");
    expect(node.kinds(idOf("a")).at(-1)).toBe("LOST");
    const factCount = node.facts.length;
    node.reboot();
    await node.clock.advance(1_000_000);
    expect(node.supervisor.get(idOf("a")).state).toBe("lost");
    expect(node.facts).toHaveLength(factCount);
    expect(node.runtime.guests).toEqual([]);
  });

  test("a stop that was accepted and not finished is finished, not undone", async () => {
    const node = createTestNode();
    node.runtime.drainsAtOnce = false;
    await node.supervisor.start(orderOf("a", { policy: always }));
    void node.supervisor.stop(idOf("a"), 60_000, "");
    await settle();
    node.reboot();
    expect(node.supervisor.get(idOf("a")).state).toBe("stopped");
    await node.clock.advance(1_000_000);
    expect(node.runtime.guests).toEqual([]);
    expect(await node.supervisor.start(orderOf("a", { policy: always }))).toMatchObject({
      alreadyStarted: true,
      record: { state: "stopped" },
    });
  });

  test("a clock that was set back makes no wait longer than the policy's longest", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: { ...always, backoffMax: { seconds: 5n } } }));
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await settle();
    node.clock.setBack(86_400_000);
    node.reboot();
    expect(node.supervisor.get(idOf("a")).state).toBe("backoff");
    await node.clock.advance(5_000);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1 });
  });

  test("a wait for a restart goes on where it was", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: { ...always, maxRetries: 3 } }));
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await node.clock.advance(900);
    node.reboot();
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "backoff", retriesInRow: 1 });
    await node.clock.advance(200);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1, retriesInRow: 1 });
  });
});

describe("an orderly shutdown", () => {
  test("ends all guests; the next life brings back what the policy says, at once", async () => {
    const node = createTestNode();
    await node.supervisor.start(orderOf("a", { policy: always }));
    await node.supervisor.start(orderOf("b"));
    await node.supervisor.close(1_000);
    await node.supervisor.close(1_000);
    expect(node.runtime.live).toEqual([]);
    expect(node.kinds(idOf("a")).at(-1)).toBe("RESTARTING");
    expect(node.kinds(idOf("b")).at(-1)).toBe("LOST");
    await expect(node.supervisor.start(orderOf("c"))).rejects.toEqual(
      expect.objectContaining({ reason: Reason.SHUTTING_DOWN }),
    );
    node.reboot();
    await node.clock.advance(0);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({ state: "running", restartCount: 1, retriesInRow: 0 });
    expect(node.supervisor.get(idOf("b")).state).toBe("lost");
  });

  test("finishes a stop that was under way", async () => {
    const node = createTestNode();
    node.runtime.drainsAtOnce = false;
    await node.supervisor.start(orderOf("a", { policy: always }));
    const stopping = node.supervisor.stop(idOf("a"), 60_000, "");
    const closing = node.supervisor.close(1_000);
    node.runtime.guests[0]?.end({ kind: "stopped" });
    expect((await stopping).state).toBe("stopped");
    await closing;
    node.reboot();
    expect(node.supervisor.get(idOf("a")).state).toBe("stopped");
  });

  test("while a guest is being started leaves none behind", async () => {
    const node = createTestNode();
    const gate = Promise.withResolvers<void>();
    node.runtime.gate = gate.promise;
    const starting = node.supervisor.start(orderOf("a", { policy: always }));
    await settle();
    await node.supervisor.close(0);
    gate.resolve();
    expect((await starting).record.state).toBe("backoff");
    expect(node.runtime.live).toEqual([]);
  });
});

type Step =
  | { readonly kind: "start" | "stop" | "end"; readonly name: string }
  | { readonly kind: "reboot" | "shutdown" }
  | { readonly kind: "wait"; readonly ms: number };

const names = ["a", "b", "c"];
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("start" as const, "stop" as const, "end" as const),
    name: fc.constantFrom(...names),
  }),
  fc.record({ kind: fc.constantFrom("reboot" as const, "shutdown" as const) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(5_000) }),
);

describe("over any course of orders, ends and deaths of the agent", () => {
  test("no acknowledged stop is undone and no instance runs twice", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
        const node = createTestNode();
        const acknowledgedStops = new Set<string>();
        for (const step of steps) {
          switch (step.kind) {
            case "start":
              await node.supervisor.start(orderOf(step.name, { policy: always }));
              break;
            case "stop":
              await node.supervisor.stop(idOf(step.name), 0, "").then(
                () => acknowledgedStops.add(step.name),
                () => undefined,
              );
              break;
            case "end":
              node.runtime.live
                .find((guest) => guest.start.id === idOf(step.name))
                ?.end({ kind: "trapped", message: "x" });
              await settle();
              break;
            case "shutdown":
              await node.supervisor.close(0);
              node.reboot();
              break;
            case "reboot":
              node.reboot();
              break;
            case "wait":
              await node.clock.advance(step.ms);
          }
          const live = node.runtime.live.map((guest) => guest.start.id);
          expect(new Set(live).size).toBe(live.length);
          for (const name of acknowledgedStops) {
            expect(live).not.toContain(idOf(name));
            expect(hasEnded(node.supervisor.get(idOf(name)))).toBe(true);
          }
          for (const record of node.supervisor.list()) expect(node.disk.records.get(record.id)).toEqual(record);
        }
      }),
      { numRuns: 150 },
    );
  });
});
