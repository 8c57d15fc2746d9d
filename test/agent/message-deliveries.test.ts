import { describe, expect, test } from "vitest";
import { createMessageDeliveries } from "../../src/agent/message-deliveries.ts";
import type { InstanceRecord } from "../../src/agent/instance-record.ts";
import { fault, Reason } from "../../src/fault.ts";
import { silentLog } from "../../src/log.ts";
import type { Message, MessagingProvider, Subscription } from "../../src/providers/messaging/messaging.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import type { Guest } from "../../src/runtime/runtime.ts";
import { grantOf, recordOf, specOf } from "./records.ts";

const message: Message = { topic: "orders.eu", body: new Uint8Array([1]), replyTo: undefined };
const messaging = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant =>
  grantOf(permissions, { providerId: "messaging", type: "messaging", bucket: "", deniedPermissions });

/** A provider that only keeps subscriptions. */
function createProvider(): MessagingProvider & { readonly held: Set<Subscription>; refuses: boolean } {
  const held = new Set<Subscription>();
  const provider = {
    held,
    refuses: false,
    publish: async () => undefined,
    request: () => Promise.reject(new Error("not asked here")),
    async subscribe(subscription: Subscription) {
      if (provider.refuses) throw fault(Reason.PROVIDER_LIMIT, "Cannot subscribe: too many");
      held.add(subscription);
      return async () => void held.delete(subscription);
    },
    close: async () => undefined,
  };
  return provider;
}

function guestThat(deliver: Guest["deliver"]): Guest {
  const none = async (): Promise<never> => Promise.reject(new Error("not asked here"));
  return {
    kind: "messaging",
    ended: new Promise(() => undefined),
    fetch: none,
    invoke: none,
    deliver,
    setRights: none,
    drain: none,
    kill: none,
  };
}

function setUp() {
  let provider: ReturnType<typeof createProvider> | undefined = createProvider();
  const failed: string[] = [];
  const taken: Message[] = [];
  let permitted = true;
  const deliveries = createMessageDeliveries({
    messaging() {
      if (provider === undefined) throw fault(Reason.PROVIDER_STOPPED, "Cannot use provider: it is stopped");
      return provider;
    },
    mayReceive: () => permitted,
    onFailed: (_id, why) => void failed.push(why),
    log: silentLog,
  });
  const guest = guestThat(async (one) => void taken.push(one));
  const recordWith = (grants: readonly Grant[], fields: Partial<InstanceRecord> = {}) =>
    recordOf({ kind: "messaging", grants, spec: specOf({ name: "worker" }), ...fields });
  return {
    deliveries,
    guest,
    failed,
    taken,
    recordWith,
    provider: () => provider ?? createProvider(),
    setProvider: (next: ReturnType<typeof createProvider> | undefined) => (provider = next),
    setPermitted: (next: boolean) => (permitted = next),
    topics: () => [...(provider?.held ?? [])].map(({ topic, group }) => `${topic} ${group}`).toSorted(),
    deliver: () => [...(provider?.held ?? [])][0]?.deliver(message) ?? Promise.reject(new Error("nobody subscribes")),
  };
}

describe("the subscriptions of an instance", () => {
  test("are what it was granted, in the group of its name, while its guest runs", async () => {
    const { deliveries, recordWith, guest, topics } = setUp();
    const grants = [messaging(["msg:subscribe:orders.*", "msg:subscribe:audit.>", "msg:publish:x"])];
    await deliveries.follow(recordWith(grants, { state: "starting" }), undefined);
    expect(topics()).toEqual([]);
    await deliveries.follow(recordWith(grants), guest);
    await deliveries.follow(recordWith(grants), guest);
    expect(topics()).toEqual(["audit.> worker", "orders.* worker"]);
    await deliveries.follow(recordWith(grants, { state: "backoff" }), undefined);
    expect(topics()).toEqual([]);
  });

  test("follow grants, denials and revocations", async () => {
    const { deliveries, recordWith, guest, topics } = setUp();
    await deliveries.follow(recordWith([messaging(["msg:subscribe:a", "msg:subscribe:b"])]), guest);
    expect(topics()).toEqual(["a worker", "b worker"]);
    await deliveries.follow(
      recordWith([messaging(["msg:subscribe:b", "msg:subscribe:c"], ["msg:subscribe:b"])]),
      guest,
    );
    expect(topics()).toEqual(["c worker"]);
    await deliveries.follow(recordWith([]), guest);
    expect(topics()).toEqual([]);
  });

  test("of an instance without a name have a group of their own", async () => {
    const { deliveries, recordWith, guest, topics } = setUp();
    await deliveries.follow(recordWith([messaging(["msg:subscribe:a"])], { id: "x1", spec: specOf() }), guest);
    expect(topics()).toEqual(["a x1"]);
  });

  test("are made again when the provider was stopped and started", async () => {
    const { deliveries, recordWith, guest, topics, setProvider } = setUp();
    const record = recordWith([messaging(["msg:subscribe:a"])]);
    await deliveries.follow(record, guest);
    setProvider(undefined);
    await deliveries.follow(record, guest);
    setProvider(createProvider());
    await deliveries.follow(record, guest);
    expect(topics()).toEqual(["a worker"]);
  });

  test("that the provider refuses are told, and the instance runs on", async () => {
    const { deliveries, recordWith, guest, failed, provider } = setUp();
    provider().refuses = true;
    await deliveries.follow(recordWith([messaging(["msg:subscribe:a"])]), guest);
    expect(failed).toEqual(['Cannot subscribe to "a": Cannot subscribe: too many']);
  });

  test("are not there for guests that take no messages", async () => {
    const { deliveries, recordWith, guest, topics } = setUp();
    await deliveries.follow(recordWith([messaging(["msg:subscribe:a"])], { kind: "http" }), guest);
    expect(topics()).toEqual([]);
  });
});

describe("a delivery", () => {
  test("reaches the guest, and is dropped once it is not permitted", async () => {
    const { deliveries, recordWith, guest, taken, deliver, setPermitted } = setUp();
    await deliveries.follow(recordWith([messaging(["msg:subscribe:orders.*"])]), guest);
    await deliver();
    expect(taken).toEqual([message]);
    setPermitted(false);
    await deliver();
    expect(taken).toHaveLength(1);
  });

  test("that the guest fails to take fails for the provider as well, and is told", async () => {
    const { deliveries, recordWith, failed, deliver } = setUp();
    const record = recordWith([messaging(["msg:subscribe:orders.*"])]);
    await deliveries.follow(
      record,
      guestThat(() => Promise.reject(fault(Reason.DELIVERY_FAILED, "the handler answered with an error"))),
    );
    await expect(deliver()).rejects.toThrow("the handler answered");
    await deliveries.follow(
      record,
      guestThat(() => Promise.reject(new Error("secret"))),
    );
    await expect(deliver()).rejects.toThrow("secret");
    expect(failed).toEqual([
      'Cannot deliver a message from "orders.eu": the handler answered with an error',
      'Cannot deliver a message from "orders.eu": the runtime failed',
    ]);
  });

  test("that comes while the guest restarts fails without being the instance's failure", async () => {
    const { deliveries, recordWith, guest, failed, provider } = setUp();
    const grants = [messaging(["msg:subscribe:orders.*"])];
    await deliveries.follow(recordWith(grants), guest);
    const [subscription] = provider().held;
    await deliveries.follow(recordWith(grants, { state: "backoff" }), undefined);
    await expect(subscription?.deliver(message)).rejects.toEqual(
      expect.objectContaining({ reason: Reason.INSTANCE_NOT_RUNNING }),
    );
    expect(failed).toEqual([]);
  });
});
