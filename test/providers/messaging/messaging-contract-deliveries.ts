/** The part of the messaging contract that says who gets a message, and what happens if that fails. */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { DeadLetter, Message } from "../../../src/providers/messaging/messaging.ts";
import { bytes, collect, hold, message, textOf, type OpenMessaging } from "./messaging-fixtures.ts";

/** Publishing, groups, deliveries and the end of subscriptions. */
export function describeDeliveries(open: OpenMessaging): void {
  describe("publishing", () => {
    it("reaches everybody whose topic matches, once each, with all of the message", async () => {
      const bus = await open();
      const [one, all, other] = [
        await collect(bus, "orders.*"),
        await collect(bus, "orders.>"),
        await collect(bus, "orders.eu.new"),
      ];
      const whole: Message[] = [];
      await bus.subscribe({ topic: "orders.eu", group: "", deliver: async (got) => void whole.push(got) });
      await bus.publish(message("orders.eu", "1", "answers.here"));
      await bus.publish(message("orders.eu.old", "2"));
      await bus.publish(message("users.eu", "3"));
      await vi.waitFor(() => expect([one, all, other]).toEqual([["1"], ["1", "2"], []]));
      expect(whole).toEqual([{ topic: "orders.eu", body: bytes("1"), replyTo: "answers.here" }]);
    });

    it("needs no subscriber, and keeps nothing for later ones", async () => {
      const bus = await open();
      await bus.publish(message("a", "lost"));
      const got = await collect(bus, "a");
      await bus.publish(message("a", "seen"));
      await vi.waitFor(() => expect(got).toEqual(["seen"]));
    });

    it("keeps the order of one publisher", async () => {
      const bus = await open();
      const got = await collect(bus, ">");
      const sent = Array.from({ length: 200 }, (_, index) => String(index));
      for (const text of sent) await bus.publish(message(`t.${Number(text) % 3}`, text));
      await vi.waitFor(() => expect(got).toEqual(sent));
    });

    it("copies bodies in and out", async () => {
      const bus = await open();
      const mine = bytes("mine");
      const seen: string[] = [];
      const deliver = async (one: Message): Promise<void> => {
        seen.push(textOf(one));
        one.body.fill(0);
      };
      await bus.subscribe({ topic: "a", group: "", deliver });
      await bus.subscribe({ topic: "a", group: "", deliver });
      const published = bus.publish({ topic: "a", body: mine, replyTo: undefined });
      mine.fill(0);
      await published;
      await vi.waitFor(() => expect(seen).toEqual(["mine", "mine"]));
    });

    it("takes an empty body and any bytes", async () => {
      const bus = await open();
      const got: Uint8Array[] = [];
      await bus.subscribe({ topic: "a", group: "", deliver: async (one) => void got.push(one.body) });
      const every = Uint8Array.from({ length: 256 }, (_, index) => index);
      await bus.publish({ topic: "a", body: new Uint8Array(), replyTo: undefined });
      await bus.publish({ topic: "a", body: every, replyTo: undefined });
      await vi.waitFor(() => expect(got).toEqual([new Uint8Array(), every]));
    });
  });

  describe("groups", () => {
    it("share messages: each goes to one of them, and all have their part", async () => {
      const bus = await open();
      const members = [await collect(bus, "a", "g"), await collect(bus, "a", "g"), await collect(bus, "*", "g")];
      const [other, alone] = [await collect(bus, "a", "h"), await collect(bus, "a")];
      const sent = Array.from({ length: 300 }, (_, index) => String(index));
      for (const text of sent) await bus.publish(message("a", text));
      await vi.waitFor(() => expect([other.length, alone.length]).toEqual([300, 300]));
      await vi.waitFor(() => expect(members.flat().toSorted()).toEqual(sent.toSorted()));
      for (const member of members) expect(member.length).toBeGreaterThan(30);
    });

    it("pass over a member that is busy", async () => {
      const bus = await open();
      const busy = await hold(bus, "a", "g");
      const idle = await collect(bus, "a", "g");
      for (let index = 0; index < 20; index += 1) {
        await bus.publish(message("a", String(index)));
        await vi.waitFor(() => expect(idle.length + busy.begun.length).toBe(index + 1));
      }
      expect(busy.begun.length).toBe(1);
      busy.begun[0]?.finish();
    });

    it("get each message of any history exactly once, however members come and go", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(fc.constant("publish"), fc.constant("join"), fc.constant("leave")), { maxLength: 40 }),
          async (history) => {
            const bus = await open();
            const got: string[] = [];
            const join = (): Promise<() => Promise<void>> =>
              bus.subscribe({
                topic: "a.>",
                group: "g",
                deliver: async (one) => {
                  await Promise.resolve();
                  got.push(textOf(one));
                },
              });
            // One stays, so that there is always somebody to take over.
            await join();
            const leaves: (() => Promise<void>)[] = [];
            let sent = 0;
            for (const step of history) {
              if (step === "publish") await bus.publish(message("a.b", String(sent++)));
              else if (step === "join") leaves.push(await join());
              else await leaves.shift()?.();
            }
            await vi.waitFor(() => expect(got.length).toBe(sent), { interval: 1 });
            expect(new Set(got).size).toBe(sent);
          },
        ),
        { numRuns: 100 },
      );
    });
  });

  describe("deliveries", () => {
    it("come one at a time to each subscriber, and do not hold up another", async () => {
      const bus = await open();
      const slow = await hold(bus, "a");
      const quick = await collect(bus, "a");
      for (const text of ["1", "2", "3"]) await bus.publish(message("a", text));
      await vi.waitFor(() => expect(quick).toEqual(["1", "2", "3"]));
      expect(slow.begun.map(({ text }) => text)).toEqual(["1"]);
      slow.begun[0]?.finish();
      await vi.waitFor(() => expect(slow.begun.map(({ text }) => text)).toEqual(["1", "2"]));
      slow.begun[1]?.finish();
      await vi.waitFor(() => expect(slow.begun).toHaveLength(3));
      slow.begun[2]?.finish();
    });

    it("that fail are tried again, while others go on, with the message as it was", async () => {
      const bus = await open();
      const got: string[] = [];
      let failures = 2;
      await bus.subscribe({
        topic: "a",
        group: "",
        deliver: async (one) => {
          const text = textOf(one);
          one.body.fill(0);
          if (text === "bad" && (failures -= 1) >= 0) throw new Error("no");
          got.push(text);
        },
      });
      await bus.publish(message("a", "bad"));
      await bus.publish(message("a", "good"));
      await vi.waitFor(() => expect(got.toSorted()).toEqual(["bad", "good"]));
    });

    it("that fail go to another of the group", async () => {
      const bus = await open();
      let failed = 0;
      await bus.subscribe({
        topic: "a",
        group: "g",
        deliver: async () => {
          failed += 1;
          throw new Error("broken for good");
        },
      });
      const got = await collect(bus, "a", "g");
      for (let index = 0; index < 10; index += 1) await bus.publish(message("a", String(index)));
      await vi.waitFor(() => expect(got).toHaveLength(10));
      expect(failed).toBeGreaterThan(0);
    });

    it("are given up after the last attempt, and somebody hears of it", async () => {
      const letters: DeadLetter[] = [];
      const bus = await open({ deliveryAttemptsMax: 3 }, (letter) => letters.push(letter));
      const deliver = vi.fn(async () => {
        throw new Error("never");
      });
      await bus.subscribe({ topic: "a", group: "g", deliver });
      await bus.publish(message("a", "x"));
      await vi.waitFor(() => expect(letters).toHaveLength(1));
      expect(letters[0]).toMatchObject({ group: "g", attempts: 3, error: new Error("never") });
      expect(letters[0] && textOf(letters[0].message)).toBe("x");
      expect(deliver).toHaveBeenCalledTimes(3);
    });

    it("do not stop for a subscriber that throws at once", async () => {
      const bus = await open({ deliveryAttemptsMax: 1 });
      const got: string[] = [];
      await bus.subscribe({
        topic: "a",
        group: "",
        deliver: (one) => {
          got.push(textOf(one));
          throw new Error("at once");
        },
      });
      await bus.publish(message("a", "1"));
      await bus.publish(message("a", "2"));
      await vi.waitFor(() => expect(got).toEqual(["1", "2"]));
    });
  });

  describe("ending a subscription", () => {
    it("lets the delivery begun finish and takes no more", async () => {
      const bus = await open();
      const held = await hold(bus, "a");
      await bus.publish(message("a", "1"));
      await bus.publish(message("a", "2"));
      await vi.waitFor(() => expect(held.begun).toHaveLength(1));
      let isEnded = false;
      const ending = held.end().then(() => (isEnded = true));
      await bus.publish(message("a", "3"));
      expect(isEnded).toBe(false);
      held.begun[0]?.finish();
      await ending;
      await held.end();
      expect(held.begun).toHaveLength(1);
    });

    it("hands what waits to others of the group, or gives it up", async () => {
      const letters: DeadLetter[] = [];
      const bus = await open({}, (letter) => letters.push(letter));
      const first = await hold(bus, "a", "g");
      for (const text of ["1", "2", "3"]) await bus.publish(message("a", text));
      await vi.waitFor(() => expect(first.begun).toHaveLength(1));
      const second = await collect(bus, "a", "g");
      const ending = first.end();
      await vi.waitFor(() => expect(second.toSorted()).toEqual(["2", "3"]));
      first.begun[0]?.finish();
      await ending;
      expect(letters).toEqual([]);
      const alone = await hold(bus, "b", "h");
      for (const text of ["1", "2"]) await bus.publish(message("b", text));
      await vi.waitFor(() => expect(alone.begun).toHaveLength(1));
      const over = alone.end();
      await vi.waitFor(() => expect(letters).toMatchObject([{ group: "h", attempts: 0, error: undefined }]));
      alone.begun[0]?.fail();
      await over;
      await vi.waitFor(() => expect(letters).toHaveLength(2));
    });
  });
}
