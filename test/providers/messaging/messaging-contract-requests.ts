/** The part of the messaging contract about requests, and what is refused. */
import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { bytes, collect, hold, message, reason, textOf, type OpenMessaging } from "./messaging-fixtures.ts";

/** Requests and limits. */
export function describeRequestsAndLimits(open: OpenMessaging): void {
  describe("requests", () => {
    it("get the first reply, each its own", async () => {
      const bus = await open();
      await bus.subscribe({
        topic: "double",
        group: "g",
        deliver: async (one) => {
          if (one.replyTo === undefined) throw new Error("no reply is wanted");
          await bus.publish(message(one.replyTo, `${textOf(one)}${textOf(one)}`));
          await bus.publish(message(one.replyTo, "too late"));
        },
      });
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, index) => bus.request("double", bytes(String(index)), 5_000)),
      );
      expect(replies.map(textOf)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}${index}`));
    });

    it("fail at once when nobody subscribes, and in time when nobody answers", async () => {
      const bus = await open();
      await expect(bus.request("nobody", bytes(""), 60_000)).rejects.toEqual(reason(Reason.PROVIDER_UNAVAILABLE));
      await collect(bus, "silent");
      await expect(bus.request("silent", bytes(""), 20)).rejects.toThrow(/no reply came within 20 ms/);
    });

    it("are seen by nobody but who asked and who answers", async () => {
      const bus = await open();
      const spy = await collect(bus, ">");
      await expect(collect(bus, "_INBOX.>")).rejects.toEqual(reason(Reason.ARGUMENT_INVALID));
      await bus.subscribe({
        topic: "a",
        group: "",
        deliver: async (one) => bus.publish(message(one.replyTo ?? "nowhere", "secret")),
      });
      expect(textOf(await bus.request("a", bytes("open"), 5_000))).toBe("secret");
      await bus.publish(message("last", "last"));
      await vi.waitFor(() => expect(spy).toContain("last"));
      expect(spy).toEqual(["open", "last"]);
    });
  });

  describe("limits", () => {
    it("bound what waits for a subscriber, in messages and bytes; then nobody gets the message", async () => {
      for (const limits of [{ pendingMaxMessages: 2 }, { pendingMaxBytes: 20 }]) {
        const bus = await open(limits);
        const held = await hold(bus, "a");
        const other = await collect(bus, "a");
        await bus.publish(message("a", "0123456789"));
        await vi.waitFor(() => expect(held.begun).toHaveLength(1));
        await bus.publish(message("a", "0123456789"));
        await bus.publish(message("a", "0123456789"));
        await expect(bus.publish(message("a", "one more"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT));
        await vi.waitFor(() => expect(other).toHaveLength(3));
        held.begun[0]?.finish();
        await vi.waitFor(() => expect(held.begun).toHaveLength(2));
        await bus.publish(message("a", "fits"));
        held.begun[1]?.finish();
        await vi.waitFor(() => expect(held.begun).toHaveLength(3));
        held.begun[2]?.finish();
        await vi.waitFor(() => expect(held.begun).toHaveLength(4));
        held.begun[3]?.finish();
      }
    });

    it("count messages that wait for another attempt", async () => {
      const bus = await open({ pendingMaxMessages: 1, retryFirstMs: 600_000, retryMaxMs: 600_000 });
      const failed = vi.fn(async () => {
        throw new Error("no");
      });
      await bus.subscribe({ topic: "a", group: "", deliver: failed });
      await bus.publish(message("a", "1"));
      await vi.waitFor(() => expect(failed).toHaveBeenCalledOnce());
      await vi.waitFor(() => expect(bus.publish(message("a", "2"))).rejects.toEqual(reason(Reason.PROVIDER_LIMIT)));
    });

    it("bound topics, bodies, subscriptions and requests, and let through what just fits", async () => {
      const bus = await open({ topicMaxBytes: 6, bodyMaxBytes: 3, subscriptionsMax: 1, requestsMax: 1 });
      const limit = reason(Reason.PROVIDER_LIMIT);
      await expect(bus.publish(message("abcdefg", ""))).rejects.toEqual(limit);
      await expect(bus.publish(message("ößü.a", ""))).rejects.toEqual(limit);
      await expect(bus.publish(message("a", "1234"))).rejects.toEqual(limit);
      const got = await collect(bus, "öß.a");
      await expect(collect(bus, "b")).rejects.toEqual(limit);
      await bus.publish(message("öß.a", "123"));
      await vi.waitFor(() => expect(got).toEqual(["123"]));
    });

    it("refuse topics that are none, for messages, replies and subscriptions", async () => {
      const bus = await open();
      const invalid = reason(Reason.ARGUMENT_INVALID);
      for (const topic of ["", "a..b", ".a", "a b", "a\u0000", "\ud800"]) {
        await expect(bus.publish(message(topic, ""))).rejects.toEqual(invalid);
        await expect(bus.publish(message("a", "", topic))).rejects.toEqual(invalid);
        await expect(bus.request(topic, bytes(""), 10)).rejects.toEqual(invalid);
        await expect(collect(bus, topic)).rejects.toEqual(invalid);
      }
      for (const topic of ["a.*", ">", "a*"]) {
        await expect(bus.publish(message(topic, ""))).rejects.toEqual(invalid);
        await expect(bus.publish(message("a", "", topic))).rejects.toEqual(invalid);
      }
      await expect(collect(bus, "a.>.b")).rejects.toEqual(invalid);
    });
  });
}
