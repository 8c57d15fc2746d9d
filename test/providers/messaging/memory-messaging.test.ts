import { describe, expect, it, vi } from "vitest";
import { createMemoryMessaging } from "../../../src/providers/messaging/memory-messaging.ts";
import { createVirtualClock } from "../../agent/virtual-clock.ts";
import { describeMessagingContract } from "./messaging-contract.ts";

describeMessagingContract("memory", async (limits = {}, onDeadLetter = () => undefined) =>
  createMemoryMessaging({ limits, onDeadLetter }),
);

const message = (topic: string): { topic: string; body: Uint8Array; replyTo: undefined } => ({
  topic,
  body: new Uint8Array(1),
  replyTo: undefined,
});

describe("messaging in memory", () => {
  it("waits longer after each failed attempt, up to a limit", async () => {
    const clock = createVirtualClock();
    const limits = { retryFirstMs: 100, retryMaxMs: 300, deliveryAttemptsMax: 5 };
    const bus = createMemoryMessaging({ limits }, { clock });
    const attempts: number[] = [];
    const startMs = clock.nowMs();
    await bus.subscribe({
      topic: "a",
      group: "",
      deliver: async () => {
        attempts.push(clock.nowMs() - startMs);
        throw new Error("no");
      },
    });
    await bus.publish(message("a"));
    await clock.advance(10_000);
    expect(attempts).toEqual([0, 100, 300, 600, 900]);
    expect(bus.counts()).toEqual({ published: 1, refused: 0, delivered: 0, deadLettered: 1 });
    expect(clock.waiting).toBe(0);
    await bus.close();
  });

  it("cuts the wait for a reply to its limit, and leaves no timer behind", async () => {
    const clock = createVirtualClock();
    const bus = createMemoryMessaging({ limits: { requestTimeoutMaxMs: 1_000, requestsMax: 1 } }, { clock });
    await bus.subscribe({ topic: "a", group: "", deliver: async () => undefined });
    const failed = expect(bus.request("a", new Uint8Array(), 1e9)).rejects.toThrow(/no reply came within 1000 ms/);
    await expect(bus.request("a", new Uint8Array(), 1)).rejects.toThrow(/1 requests wait for a reply already/);
    await clock.advance(1_000);
    await failed;
    expect(clock.waiting).toBe(0);
    await bus.close();
  });

  it("gives up what waits between two attempts when it is closed", async () => {
    const clock = createVirtualClock();
    const onDeadLetter = vi.fn();
    const bus = createMemoryMessaging({ onDeadLetter }, { clock });
    const deliver = vi.fn(async () => {
      throw new Error("no");
    });
    await bus.subscribe({ topic: "a", group: "", deliver });
    await bus.publish(message("a"));
    await vi.waitFor(() => expect(deliver).toHaveBeenCalledOnce());
    await bus.close();
    expect(onDeadLetter).toHaveBeenCalledOnce();
    expect(onDeadLetter.mock.calls[0]?.[0]).toMatchObject({ group: "", attempts: 1 });
    expect(clock.waiting).toBe(0);
  });

  it("counts what it did", async () => {
    const bus = createMemoryMessaging({ limits: { pendingMaxMessages: 1 } });
    await bus.subscribe({ topic: "a", group: "", deliver: async () => undefined });
    const both = await Promise.allSettled([bus.publish(message("a")), bus.publish(message("a"))]);
    expect(both).toMatchObject([
      { status: "fulfilled" },
      { reason: { message: expect.stringContaining("too many messages wait") } },
    ]);
    await vi.waitFor(() => expect(bus.counts()).toEqual({ published: 1, refused: 1, delivered: 1, deadLettered: 0 }));
    await bus.close();
  });

  it("refuses limits that are none", () => {
    expect(() => createMemoryMessaging({ limits: { bodyMaxBytes: 0 } })).toThrow(
      /bodyMaxBytes is not a positive whole number/,
    );
  });
});
