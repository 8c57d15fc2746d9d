/** What every messaging backend must do; each backend's test file calls it once. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { MessagingProvider } from "../../../src/providers/messaging/messaging.ts";
import { describeDeliveries } from "./messaging-contract-deliveries.ts";
import { describeRequestsAndLimits } from "./messaging-contract-requests.ts";
import { bytes, collect, hold, message, reason, type OpenMessaging } from "./messaging-fixtures.ts";

/** Runs the contract against one backend. */
export function describeMessagingContract(backend: string, openEmpty: OpenMessaging): void {
  describe(`the messaging contract, on ${backend}`, () => {
    const opened: MessagingProvider[] = [];
    const open: OpenMessaging = async (limits, onDeadLetter) => {
      const bus = await openEmpty({ retryFirstMs: 1, ...limits }, onDeadLetter);
      opened.push(bus);
      return bus;
    };
    afterEach(async () => {
      for (const bus of opened.splice(0)) await bus.close();
    });

    describeDeliveries(open);
    describeRequestsAndLimits(open);

    it("refuses everything once it is closed, and may be closed twice", async () => {
      const bus = await open();
      const held = await hold(bus, "a");
      await bus.publish(message("a", "1"));
      await vi.waitFor(() => expect(held.begun).toHaveLength(1));
      const waiting = bus.request("a", bytes("2"), 60_000);
      const refused = expect(waiting).rejects.toEqual(reason(Reason.PROVIDER_STOPPED));
      const closing = bus.close();
      await refused;
      held.begun[0]?.finish();
      await closing;
      await bus.close();
      await held.end();
      const stopped = reason(Reason.PROVIDER_STOPPED);
      await expect(bus.publish(message("a", ""))).rejects.toEqual(stopped);
      await expect(bus.request("a", bytes(""), 10)).rejects.toEqual(stopped);
      await expect(collect(bus, "a")).rejects.toEqual(stopped);
      expect(held.begun).toHaveLength(1);
    });
  });
}
