import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCapabilityGate } from "../../src/agent/capability-gate.ts";
import { openMemoryJournal } from "../../src/agent/memory-journal.ts";
import { openProviderSet } from "../../src/agent/provider-set.ts";
import { Reason } from "../../src/fault.ts";
import { FactKind } from "../../src/gen/wasmatrix/v1/fact_pb.ts";
import { ProviderState } from "../../src/gen/wasmatrix/v1/node_pb.ts";
import { silentLog } from "../../src/log.ts";
import type { KvProvider } from "../../src/providers/kv/kv.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import type { Grant } from "../../src/providers/permissions.ts";
import { grantOf } from "./records.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const withReason = (reason: Reason) => expect.objectContaining({ reason });

async function setUp(open: () => Promise<KvProvider> = async () => createMemoryKv()) {
  const clock = createVirtualClock();
  const grants = new Map<string, readonly Grant[]>();
  const denials: { id: string; count: number; message: string }[] = [];
  const facts: { kind: FactKind; id: string; state: ProviderState }[] = [];
  const journal = openMemoryJournal();
  const openSet = () =>
    openProviderSet({
      nodeId: "n",
      configs: [
        { id: "kv", type: "kv", backend: "sqlite", durable: true, open },
        { id: "kv-memory", type: "kv", backend: "memory", durable: false, open: async () => createMemoryKv() },
      ],
      journal,
      onFact: (kind, provider) => void facts.push({ kind, id: provider.id, state: provider.state }),
      log: silentLog,
    });
  const providers = await openSet();
  const gate = createCapabilityGate({
    grantsOf: (id) => grants.get(id),
    providers,
    uses: { count: () => undefined },
    onDenied: (id, count, message) => void denials.push({ id, count, message }),
    clock,
  });
  const grant = (id: string, ...permissions: string[]) => void grants.set(id, [grantOf(permissions)]);
  return { clock, grants, grant, denials, facts, providers, gate, openSet };
}

const get = { kind: "get" as const, bucket: "default", key: "k" };
const set = { kind: "set" as const, bucket: "default", key: "k", value: bytes("v") };

describe("the capability gate", () => {
  test("lets through what an assignment permits, and refuses it the moment it is taken away", async () => {
    const { gate, grant, grants } = await setUp();
    grant("a", "kv:read", "kv:write");
    await gate.kv("a", set);
    expect(await gate.kv("a", get)).toEqual({ kind: "value", value: bytes("v") });
    grant("a", "kv:write");
    await expect(gate.kv("a", get)).rejects.toEqual(withReason(Reason.CAPABILITY_DENIED));
    await gate.kv("a", set);
    grants.set("a", []);
    await expect(gate.kv("a", set)).rejects.toEqual(withReason(Reason.CAPABILITY_DENIED));
  });

  test("keeps the assignments of instances apart, whatever they are", async () => {
    const { gate, grant } = await setUp();
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(["kv:read", "kv:write", "kv:delete"]),
        fc.subarray(["kv:read", "kv:write", "kv:delete"]),
        async (left, right) => {
          grant("left", ...left);
          grant("right", ...right);
          for (const [id, permissions] of [
            ["left", left],
            ["right", right],
          ] as const) {
            const outcome = await gate.kv(id, get).then(
              () => "allowed",
              () => "denied",
            );
            expect(outcome).toBe(permissions.includes("kv:read") ? "allowed" : "denied");
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test("says what would be needed", async () => {
    const { gate, grant } = await setUp();
    grant("a");
    await expect(gate.kv("a", { kind: "increment", bucket: "default", key: "k", delta: 1n })).rejects.toThrow(
      'Cannot increment in bucket "default": instance "a" has no assignment with kv:read and kv:write',
    );
  });

  test("makes the refusals of a second one fact, after the first", async () => {
    const { gate, clock, denials, grant } = await setUp();
    grant("a");
    const deny = () => gate.kv("a", get).catch(() => undefined);
    await deny();
    expect(denials).toMatchObject([{ id: "a", count: 1 }]);
    for (let count = 0; count < 10; count++) await deny();
    expect(denials).toHaveLength(1);
    await clock.advance(1_000);
    expect(denials.slice(1)).toMatchObject([
      { id: "a", count: 10, message: expect.stringContaining("and 9 more refusals") },
    ]);
    await clock.advance(1_000);
    await deny();
    expect(denials).toHaveLength(3);
    await deny();
    gate.flush();
    expect(denials.reduce((sum, { count }) => sum + count, 0)).toBe(13);
    await clock.advance(10_000);
    expect(denials).toHaveLength(4);
  });

  test("refuses instances that are not live", async () => {
    const { gate } = await setUp();
    await expect(gate.kv("gone", get)).rejects.toEqual(withReason(Reason.INSTANCE_NOT_RUNNING));
  });

  test("passes a provider's own refusal on, and wraps a backend's failure without its text", async () => {
    const broken: KvProvider = { ...createMemoryKv(), get: () => Promise.reject(new Error("password=hunter2")) };
    const { gate, grant } = await setUp(async () => broken);
    grant("a", "kv:read", "kv:write");
    const failure = gate.kv("a", get);
    await expect(failure).rejects.toEqual(withReason(Reason.PROVIDER_UNAVAILABLE));
    await expect(failure).rejects.toThrow('Cannot use provider "kv": its backend failed');
    await expect(gate.kv("a", { ...set, key: "x".repeat(2_000) })).rejects.toEqual(withReason(Reason.PROVIDER_LIMIT));
  });

  test("says that a provider is missing or stopped", async () => {
    const { gate, grant, grants, providers } = await setUp();
    grant("a", "kv:read");
    await providers.stop("kv", "");
    await expect(gate.kv("a", get)).rejects.toEqual(withReason(Reason.PROVIDER_STOPPED));
    await providers.start("kv", "");
    expect((await gate.kv("a", get)).kind).toBe("value");
    grants.set("a", [grantOf(["kv:read"], { providerId: "nope" })]);
    await expect(gate.kv("a", get)).rejects.toEqual(withReason(Reason.PROVIDER_NOT_FOUND));
  });
});

describe("the providers of a node", () => {
  test("are listed by id with their state", async () => {
    const { providers } = await setUp();
    await providers.stop("kv", "");
    expect(providers.list()).toMatchObject([
      { id: "kv", backend: "sqlite", state: ProviderState.STOPPED, nodeId: "n" },
      { id: "kv-memory", backend: "memory", state: ProviderState.RUNNING },
    ]);
    expect(providers.defaultId("kv")).toBe("kv");
    expect(providers.defaultId("http")).toBeUndefined();
    expect(providers.typeOf("kv-memory")).toBe("kv");
  });

  test("start and stop once however often they are told, with one fact each", async () => {
    const { providers, facts } = await setUp();
    await Promise.all([providers.stop("kv", ""), providers.stop("kv", "")]);
    await Promise.all([providers.start("kv", ""), providers.start("kv", "")]);
    expect(facts).toEqual([
      { kind: FactKind.PROVIDER_STOPPED, id: "kv", state: ProviderState.STOPPED },
      { kind: FactKind.PROVIDER_STARTED, id: "kv", state: ProviderState.RUNNING },
    ]);
    await expect(providers.start("nope", "")).rejects.toEqual(withReason(Reason.PROVIDER_NOT_FOUND));
  });

  test("keep the data of one in memory while it is stopped", async () => {
    const { providers } = await setUp();
    await providers.kv("kv-memory").set("default", "k", bytes("v"));
    await providers.stop("kv-memory", "");
    expect(() => providers.kv("kv-memory")).toThrow(withReason(Reason.PROVIDER_STOPPED));
    await providers.start("kv-memory", "");
    expect(await providers.kv("kv-memory").get("default", "k")).toEqual(bytes("v"));
  });

  test("that were stopped stay so after the agent's restart", async () => {
    const { providers, openSet } = await setUp();
    await providers.stop("kv", "");
    await providers.close();
    await providers.close();
    expect((await openSet()).list()[0]?.state).toBe(ProviderState.STOPPED);
  });

  test("that cannot be opened refuse calls, and can be started once they can", async () => {
    let broken = true;
    const { providers } = await setUp(async () => {
      if (broken) throw new Error("disk on fire");
      return createMemoryKv();
    });
    expect(() => providers.kv("kv")).toThrow(withReason(Reason.PROVIDER_UNAVAILABLE));
    await expect(providers.start("kv", "")).rejects.toEqual(withReason(Reason.PROVIDER_UNAVAILABLE));
    broken = false;
    expect((await providers.start("kv", "")).state).toBe(ProviderState.RUNNING);
  });
});
