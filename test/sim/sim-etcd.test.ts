import { expect, test } from "vitest";
import { discoveryStoreContract } from "../discovery/discovery-store-contract.ts";
import { DiscoveryKey } from "../../src/discovery/discovery-key.ts";
import type { DiscoveryStore } from "../../src/discovery/discovery-store.ts";
import { Reason } from "../../src/fault.ts";
import { createRandom } from "./random.ts";
import { createSimEtcd, ETCD_HOST, type SimEtcd } from "./sim-etcd.ts";
import { startSimProcess } from "./sim-process.ts";
import { createTimeline, type Timeline } from "./timeline.ts";
import { settlePromises } from "./virtual-globals.ts";
import { createWeather, type Weather } from "./weather.ts";

type Place = { readonly etcd: SimEtcd; readonly weather: Weather; readonly timeline: Timeline; open(): DiscoveryStore };

function createPlace(): Place {
  const timeline = createTimeline(0, settlePromises);
  const weather = createWeather(createRandom(1, "weather"));
  const etcd = createSimEtcd({ timeline, weather, random: createRandom(1, "etcd") });
  const process = startSimProcess("client", timeline, () => ({ offsetMs: 0, rate: 1 }));
  return { etcd, weather, timeline, open: () => inTime(timeline, etcd.connect({ host: "client", process })) };
}

/** The same store for a caller who lets no time pass by himself: each call does, until it has settled. */
function inTime(timeline: Timeline, store: DiscoveryStore): DiscoveryStore {
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    const state = { isPending: true };
    const settles = promise.finally(() => (state.isPending = false));
    settles.catch(() => undefined);
    while (state.isPending && (await timeline.step(timeline.nowMs + 10_000)));
    return settles;
  };
  return {
    grantLease: (ttlMs) => settled(store.grantLease(ttlMs)),
    keepAlive: (lease) => settled(store.keepAlive(lease)),
    revoke: (lease) => settled(store.revoke(lease)),
    put: (key, text, lease) => settled(store.put(key, text, lease)),
    remove: (key) => settled(store.remove(key)),
    list: () => settled(store.list()),
    watch: (onChange) => store.watch(onChange),
    close: () => store.close(),
  };
}

async function pass(timeline: Timeline, ms: number): Promise<void> {
  const untilMs = timeline.nowMs + ms;
  while (await timeline.step(untilMs));
}

const place = createPlace();
discoveryStoreContract({ open: place.open, pass: (ms) => pass(place.timeline, ms) });

const key = DiscoveryKey.of({ kind: "node", nodeId: "n1" });

test("a key that was written again under another lease outlives the first", async () => {
  const { open, timeline } = createPlace();
  const store = open();
  await store.put(key, "one", await store.grantLease(5_000));
  await store.put(key, "two", await store.grantLease(60_000));
  await pass(timeline, 10_000);
  expect(await store.list()).toEqual([{ key: "/wasmatrix/nodes/n1", text: "two" }]);
});

test("while it is away, or cut off, calls fail within their time limit; afterwards they go on", async () => {
  const { open, etcd, weather } = createPlace();
  const store = open();
  etcd.isAway = true;
  await expect(store.list()).rejects.toMatchObject({ reason: Reason.DISCOVERY_UNAVAILABLE });
  etcd.isAway = false;
  const mend = weather.block((_, to) => to === ETCD_HOST);
  await expect(store.list()).rejects.toMatchObject({ reason: Reason.DISCOVERY_UNAVAILABLE });
  mend();
  expect(await store.list()).toEqual([]);
});

test("a member that lags answers what stood there before", async () => {
  const { open, etcd, timeline } = createPlace();
  const store = open();
  const lease = await store.grantLease(60_000);
  await store.put(key, "one", lease);
  await pass(timeline, 5_000);
  await store.put(key, "two", lease);
  etcd.lagMs = 2_000;
  expect(await store.list()).toEqual([{ key: "/wasmatrix/nodes/n1", text: "one" }]);
  etcd.lagMs = 0;
  expect(await store.list()).toEqual([{ key: "/wasmatrix/nodes/n1", text: "two" }]);
});

test("watchers that were dropped hear of nothing; a wiped store is empty, its leases gone", async () => {
  const { open, etcd, timeline } = createPlace();
  const store = open();
  let heard = 0;
  store.watch(() => (heard += 1));
  etcd.watchesDrop = true;
  const lease = await store.grantLease(60_000);
  await store.put(key, "one", lease);
  await pass(timeline, 100);
  expect(heard).toBe(0);
  etcd.watchesDrop = false;
  etcd.wipe();
  await pass(timeline, 100);
  expect(heard).toBe(1);
  expect(await store.list()).toEqual([]);
  expect(await store.keepAlive(lease)).toBe(false);
});
