/** What every discovery store must do. Each implementation's test calls this. */
import { describe, expect, test, vi } from "vitest";
import { DiscoveryKey } from "../../src/discovery/discovery-key.ts";
import type { DiscoveryStore } from "../../src/discovery/discovery-store.ts";
import { Reason } from "../../src/fault.ts";

export type StoreUnderTest = {
  readonly open: () => DiscoveryStore;
  /** Lets so much time pass for leases. */
  readonly pass: (ms: number) => Promise<void>;
};

const node = (nodeId: string): DiscoveryKey => DiscoveryKey.of({ kind: "node", nodeId });

export function discoveryStoreContract({ open, pass }: StoreUnderTest): void {
  describe("a discovery store", () => {
    test("lists what was put under a lease, and takes it away with the lease", async () => {
      const store = open();
      const lease = await store.grantLease(60_000);
      await store.put(node("contract-a"), "one", lease);
      await store.put(DiscoveryKey.of({ kind: "provider", nodeId: "contract-a", providerId: "kv" }), "two", lease);
      const mine = async (): Promise<unknown> => (await store.list()).filter(({ key }) => key.includes("contract-a"));
      expect(await mine()).toEqual([
        { key: "/wasmatrix/nodes/contract-a", text: "one" },
        { key: "/wasmatrix/providers/contract-a:kv", text: "two" },
      ]);
      await store.put(node("contract-a"), "three", lease);
      await store.remove(DiscoveryKey.of({ kind: "provider", nodeId: "contract-a", providerId: "kv" }));
      expect(await mine()).toEqual([{ key: "/wasmatrix/nodes/contract-a", text: "three" }]);
      await store.revoke(lease);
      await store.revoke(lease);
      expect(await mine()).toEqual([]);
      await store.close();
      await store.close();
    });

    test("says of a lease whether it is alive, and refuses to put under one that is gone", async () => {
      const store = open();
      const lease = await store.grantLease(60_000);
      expect(await store.keepAlive(lease)).toBe(true);
      await store.revoke(lease);
      expect(await store.keepAlive(lease)).toBe(false);
      await expect(store.put(node("contract-b"), "x", lease)).rejects.toMatchObject({
        reason: Reason.DISCOVERY_UNAVAILABLE,
      });
      await store.close();
    });

    test("loses a lease that nobody keeps alive, with its keys", async () => {
      const store = open();
      const lease = await store.grantLease(1_000);
      await store.put(node("contract-c"), "x", lease);
      await vi.waitFor(
        async () => {
          await pass(500);
          expect((await store.list()).some(({ key }) => key.endsWith("contract-c"))).toBe(false);
        },
        { timeout: 20_000 },
      );
      await store.close();
    });

    test("tells a watcher of changes until it is told to stop", async () => {
      const store = open();
      const heard = vi.fn<() => void>();
      const stop = store.watch(heard);
      const lease = await store.grantLease(60_000);
      await vi.waitFor(async () => {
        await store.put(node("contract-d"), String(heard.mock.calls.length), lease);
        expect(heard.mock.calls.length).toBeGreaterThan(1);
      });
      stop();
      stop();
      await store.revoke(lease);
      await store.close();
    });

    test("refuses every key that the guard did not make", async () => {
      const store = open();
      const lease = await store.grantLease(60_000);
      const forged: unknown = { text: "/wasmatrix/instances/a1", subject: { kind: "node", nodeId: "a" } };
      const write = async (key: unknown): Promise<void> => store.put(key as DiscoveryKey, "x", lease);
      await expect(write(forged)).rejects.toMatchObject({ reason: Reason.INTERNAL });
      await expect(write("/wasmatrix/nodes/a")).rejects.toMatchObject({ reason: Reason.INTERNAL });
      expect((await store.list()).some(({ key }) => key.includes("instances"))).toBe(false);
      await store.revoke(lease);
      await store.close();
    });
  });
}
