/** Each permission that is checked at the gate: granted, absent, denied over granted, revoked. `permissions-guest.test.ts` has the same with guests. */
import { describe, expect, test } from "vitest";
import { createCapabilityGate } from "../../src/agent/capability-gate.ts";
import { openMemoryJournal } from "../../src/agent/memory-journal.ts";
import { createPermissionUses } from "../../src/agent/permission-uses.ts";
import { openProviderSet } from "../../src/agent/provider-set.ts";
import { fault, isFault, Reason } from "../../src/fault.ts";
import { silentLog } from "../../src/log.ts";
import type { HttpProvider, HttpRequest } from "../../src/providers/http/http.ts";
import { createMemoryKv } from "../../src/providers/kv/memory-kv.ts";
import type { MessagingProvider } from "../../src/providers/messaging/messaging.ts";
import type { CapabilityType, Grant } from "../../src/providers/permissions.ts";
import { grantOf } from "./records.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const text = new TextEncoder();
const request = (authority: string): HttpRequest => ({
  method: "GET",
  scheme: "http",
  authority,
  pathWithQuery: "/",
  headers: [],
  body: undefined,
  connectTimeoutMs: undefined,
  firstByteTimeoutMs: undefined,
  betweenBytesTimeoutMs: undefined,
});
const http: HttpProvider = {
  async send({ authority }) {
    // As the real one does for a name that stands for an address of the node's own network.
    if (authority === "rebound.example")
      throw fault(Reason.CAPABILITY_DENIED, "Cannot send a request: 10.0.0.1 is private", {
        subject: "http:domain:10.0.0.1",
        cause: { code: "HTTP-request-denied", message: "10.0.0.1 is private" },
      });
    if (authority === "broken.example") throw new Error("socket of 10.0.0.1 closed");
    return { status: 200, headers: [], body: (async function* () {})() };
  },
  close: async () => undefined,
};
const messaging: MessagingProvider = {
  publish: async () => undefined,
  request: async (topic) => ({ topic, body: text.encode("reply"), replyTo: undefined }),
  subscribe: async () => async () => undefined,
  close: async () => undefined,
};

async function setUp() {
  const clock = createVirtualClock();
  const denials: string[] = [];
  let grants: readonly Grant[] | undefined = [];
  const providers = await openProviderSet({
    nodeId: "n",
    configs: [
      { id: "kv", type: "kv", backend: "memory", durable: false, open: async () => createMemoryKv() },
      { id: "http", type: "http", backend: "test", durable: true, open: async () => http },
      { id: "messaging", type: "messaging", backend: "test", durable: true, open: async () => messaging },
    ],
    journal: openMemoryJournal(),
    onFact: () => undefined,
    log: silentLog,
  });
  const uses = createPermissionUses({ clock, onChanged: () => undefined });
  const gate = createCapabilityGate({
    grantsOf: () => grants,
    providers,
    uses,
    onDenied: (_id, count, message) => void denials.push(`${count} ${message}`),
    clock,
  });
  const counts = () =>
    uses.of("a").map((use) => `${use.permission} ${use.bucket} ${use.usedCount}/${use.deniedCount}`.replace("  ", " "));
  return { clock, providers, gate, denials, counts, setGrants: (next: typeof grants) => (grants = next) };
}

type Gate = Awaited<ReturnType<typeof setUp>>["gate"];
type Permission = {
  readonly permission: string;
  readonly type: CapabilityType;
  /** An operation that needs it and nothing else. */
  readonly use: (gate: Gate) => Promise<unknown>;
  /** Under what it is counted when no assignment speaks of it, if not itself. */
  readonly needed?: string;
};

const deliver = async (gate: Gate, topic: string): Promise<void> => {
  if (!gate.mayReceive("a", { topic, body: new Uint8Array(), replyTo: undefined })) {
    throw fault(Reason.CAPABILITY_DENIED, "not delivered");
  }
};
const kv = (kind: "get" | "set" | "delete") => (gate: Gate) =>
  gate.kv("a", { kind, bucket: "default", key: "k", value: text.encode("v") });
const signal = new AbortController().signal;
const PERMISSIONS: readonly Permission[] = [
  { permission: "kv:read", type: "kv", use: kv("get") },
  { permission: "kv:write", type: "kv", use: kv("set") },
  { permission: "kv:delete", type: "kv", use: kv("delete") },
  {
    permission: "http:request",
    type: "http",
    use: (gate) => gate.http("a", request("api.example"), signal),
    needed: "http:domain:api.example",
  },
  {
    permission: "http:domain:api.example",
    type: "http",
    use: (gate) => gate.http("a", request("api.example"), signal),
  },
  {
    permission: "msg:publish:orders.*",
    type: "messaging",
    use: (gate) =>
      gate.messaging("a", {
        kind: "publish",
        message: { topic: "orders.eu", body: text.encode(""), replyTo: undefined },
      }),
    needed: "msg:publish:orders.eu",
  },
  {
    permission: "msg:subscribe:orders.*",
    type: "messaging",
    use: (gate) => deliver(gate, "orders.eu"),
    needed: "msg:subscribe:orders.eu",
  },
];

describe.each(PERMISSIONS)("$permission at the gate", ({ permission, type, use, needed }) => {
  const bucket = type === "kv" ? "default" : "";
  const grant = (permissions: readonly string[], deniedPermissions: readonly string[] = []): Grant =>
    grantOf(permissions, { providerId: type, type, bucket, deniedPermissions });
  const counted = (name: string, used: number, denied: number) =>
    `${name} ${bucket} ${used}/${denied}`.replace("  ", " ");
  const denied = expect.objectContaining({ reason: Reason.CAPABILITY_DENIED });

  test("granted, permits, and is counted", async () => {
    const { gate, setGrants, counts, denials } = await setUp();
    setGrants([grant([permission])]);
    await use(gate);
    await use(gate);
    expect(counts()).toEqual([counted(permission, 2, 0)]);
    expect(denials).toEqual([]);
  });

  test("absent, does not, and the refusal is counted", async () => {
    const { gate, setGrants, counts, denials } = await setUp();
    const others = PERMISSIONS.filter((one) => one.type !== type).map((one) =>
      grantOf([one.permission], { providerId: one.type, type: one.type, bucket: one.type === "kv" ? "default" : "" }),
    );
    setGrants(others);
    await expect(use(gate)).rejects.toEqual(denied);
    if (permission.startsWith("msg:subscribe")) return;
    expect(counts()).toEqual([counted(needed ?? permission, 0, 1)]);
    expect(denials).toEqual([expect.stringContaining(`has no assignment with ${needed ?? permission}`)]);
  });

  test("denied, wins over granted, by whichever assignment", async () => {
    const { gate, setGrants, counts, denials } = await setUp();
    for (const grants of [
      [grant([permission], [permission])],
      [grant([permission]), { ...grant([], [permission]), providerId: "another" }],
    ]) {
      setGrants(grants);
      await expect(use(gate)).rejects.toEqual(denied);
    }
    gate.flush();
    expect(counts()).toEqual([counted(permission, 0, 2)]);
    expect(denials).toEqual([
      expect.stringContaining(`is denied ${permission}`),
      expect.stringContaining(`is denied ${permission}`),
    ]);
  });

  test("revoked, permits no more from the next operation on", async () => {
    const { gate, setGrants, counts } = await setUp();
    setGrants([grant([permission])]);
    await use(gate);
    setGrants([]);
    await expect(use(gate)).rejects.toEqual(denied);
    setGrants([grant([permission])]);
    await use(gate);
    expect(counts()).toContainEqual(expect.stringContaining(counted(permission, 2, 0).slice(0, -1)));
  });
});

describe("the gate", () => {
  const domain = (permission: string) => grantOf([permission], { providerId: "http", type: "http", bucket: "" });

  test("counts a refusal by address for the permission that would be needed", async () => {
    const { gate, setGrants, counts, denials } = await setUp();
    setGrants([domain("http:request")]);
    await expect(gate.http("a", request("rebound.example"), signal)).rejects.toMatchObject({
      reason: Reason.CAPABILITY_DENIED,
      cause: { code: "HTTP-request-denied" },
    });
    expect(counts()).toEqual(["http:domain:10.0.0.1 0/1"]);
    expect(denials).toEqual(["1 Cannot send a request: 10.0.0.1 is private"]);
  });

  test("gives every failed request a cause that a guest understands, and tells it nothing of the node", async () => {
    const { gate, setGrants, providers } = await setUp();
    const causeOf = async (authority: string): Promise<unknown> => {
      const error: unknown = await gate.http("a", request(authority), signal).catch((failure: unknown) => failure);
      return isFault(error) ? error.cause : error;
    };
    expect(await causeOf("api.example")).toMatchObject({ code: "HTTP-request-denied" });
    expect(await causeOf("not a host")).toMatchObject({ code: "HTTP-request-denied" });
    setGrants([domain("http:request")]);
    expect(await causeOf("broken.example")).toEqual({
      code: "internal-error",
      message: 'Cannot use provider "http": its backend failed',
    });
    await providers.stop("http", "");
    expect(await causeOf("api.example")).toEqual({
      code: "internal-error",
      message: 'Cannot use provider "http": it is stopped',
    });
    setGrants(undefined);
    expect(await causeOf("api.example")).toMatchObject({ message: expect.stringContaining("is not live") });
  });

  test("answers requests for a reply, and says that the messaging provider is stopped", async () => {
    const { gate, setGrants, providers } = await setUp();
    setGrants([grantOf(["msg:publish:q"], { providerId: "messaging", type: "messaging", bucket: "" })]);
    const call = { kind: "request" as const, topic: "q", body: new Uint8Array(), timeoutMs: 1_000 };
    expect(await gate.messaging("a", call)).toMatchObject({ kind: "reply", message: { body: text.encode("reply") } });
    await providers.stop("messaging", "");
    await expect(gate.messaging("a", call)).rejects.toEqual(
      expect.objectContaining({ reason: Reason.PROVIDER_STOPPED }),
    );
  });

  test("names what an operation lacks when it needs two permissions", async () => {
    const { gate, setGrants, counts } = await setUp();
    setGrants([grantOf(["kv:read"])]);
    const increment = { kind: "increment" as const, bucket: "default", key: "k", delta: 1n };
    await expect(gate.kv("a", increment)).rejects.toThrow("has no assignment with kv:read and kv:write");
    expect(counts()).toEqual(["kv:write default 0/1"]);
    setGrants([grantOf(["kv:read", "kv:write"])]);
    await gate.kv("a", increment);
    expect(counts()).toEqual(["kv:read default 1/0", "kv:write default 1/1"]);
  });

  test("takes counts of what was checked in the guest's thread, and makes refusals of them facts", async () => {
    const { gate, setGrants, counts, denials } = await setUp();
    setGrants([grantOf(["fs:read:/srv::/data"], { providerId: "files", type: "files", bucket: "" })]);
    gate.audit("a", "fs:read:/srv::/data", "used", 3);
    gate.audit("a", "fs:write:/srv::/data", "denied", 2);
    expect(counts()).toEqual(["fs:read:/srv::/data 3/0", "fs:write:/srv::/data 0/2"]);
    expect(denials).toEqual([expect.stringMatching(/^2 .*fs:write:\/srv::\/data.*and 1 more refusals/)]);
  });
});
