import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { Reason } from "../../src/fault.ts";
import {
  AssignmentSchema,
  CapabilityType,
  Isolation,
  RestartMode,
  Reuse,
  type Assignment,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { NodeShares } from "../../src/agent/guest-rights.ts";
import { createTestNode, idOf, orderOf, type TestNode } from "./test-node.ts";
import { settle } from "./virtual-clock.ts";

const withReason = (reason: Reason) => expect.objectContaining({ reason });
const folders = new Set(["/srv", "/srv/a", "/srv/b"]);
const shares: NodeShares = {
  sharedFolders: ["/srv"],
  sharedEnv: { LANG: "C" },
  realPathOf: (path) => (folders.has(path) ? path : undefined),
};
const files = (...permissions: string[]): Assignment =>
  create(AssignmentSchema, { type: CapabilityType.FILES, permissions });
const env = (...permissions: string[]): Assignment =>
  create(AssignmentSchema, { type: CapabilityType.ENVIRONMENT, permissions });
const kv = (...permissions: string[]): Assignment => create(AssignmentSchema, { type: CapabilityType.KV, permissions });
const rightsOf = (node: TestNode) => {
  const rights = node.runtime.guests.at(-1)?.rights;
  return { folders: rights?.folders.map(({ hostPath }) => hostPath), env: rights?.env };
};

describe("a guest", () => {
  test("is started with what its spec says of configuration, isolation, reuse and rights", async () => {
    const node = createTestNode({ shares });
    const assignments = [files("fs:read:/srv/a"), env("env:LANG")];
    await node.supervisor.start(
      orderOf("a", {
        assignments,
        env: { OWN: "1" },
        config: { greeting: "hi" },
        isolation: Isolation.DEDICATED,
        reuse: Reuse.NONE,
      }),
    );
    expect(node.runtime.guests[0]?.start).toMatchObject({
      config: { greeting: "hi" },
      isolation: "dedicated",
      reuse: "none",
      rights: { folders: [{ hostPath: "/srv/a" }], env: { OWN: "1", LANG: "C" } },
    });
    await node.supervisor.start(orderOf("b"));
    expect(node.runtime.guests[1]?.start).toMatchObject({ isolation: "shared", reuse: "instance", config: {} });
  });

  test("is not admitted with rights that the node does not share", async () => {
    const node = createTestNode({ shares });
    for (const assignment of [files("fs:read:/etc"), files("fs:read:/srv/missing"), env("env:HOME")]) {
      await expect(node.supervisor.start(orderOf("a", { assignments: [assignment] }))).rejects.toEqual(
        withReason(Reason.NOT_SHARED),
      );
    }
    expect(node.supervisor.list()).toEqual([]);
    expect(node.facts).toEqual([]);
  });

  test("that restarts when a folder is gone fails its start, and comes back with the folder", async () => {
    const node = createTestNode({ shares });
    const policy = { mode: RestartMode.ALWAYS };
    await node.supervisor.start(orderOf("a", { policy, assignments: [files("fs:read:/srv/b")] }));
    folders.delete("/srv/b");
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await node.clock.advance(2_000);
    expect(node.supervisor.get(idOf("a"))).toMatchObject({
      state: "backoff",
      lastEnding: { cause: "start-failed", message: expect.stringContaining("there is no /srv/b on this node") },
    });
    folders.add("/srv/b");
    await node.clock.advance(10_000);
    expect(node.supervisor.get(idOf("a")).state).toBe("running");
  });
});

describe("a change of rights", () => {
  test("is answered when it is in force in the guest's thread", async () => {
    const node = createTestNode({ shares });
    await node.supervisor.start(orderOf("a", { assignments: [files("fs:read:/srv/a")] }));
    const [guest] = node.runtime.guests;
    if (guest === undefined) throw new Error("no guest");
    const gate = Promise.withResolvers<void>();
    guest.rightsGate = gate.promise;
    let answered = false;
    const revoked = node.supervisor.revoke(idOf("a"), files(), "").then(() => (answered = true));
    await settle();
    expect(node.supervisor.get(idOf("a")).grants).toEqual([]);
    expect(answered).toBe(false);
    gate.resolve();
    await revoked;
    expect(rightsOf(node).folders).toEqual([]);
    await node.supervisor.assign(idOf("a"), env("env:LANG"), "");
    expect(rightsOf(node)).toEqual({ folders: [], env: { LANG: "C" } });
  });

  test("that comes while the guest is made ready is in force before it takes a call", async () => {
    const node = createTestNode({ shares });
    const gate = Promise.withResolvers<void>();
    node.runtime.gate = gate.promise;
    const started = node.supervisor.start(orderOf("a", { assignments: [files("fs:read:/srv/a", "fs:write:/srv/a")] }));
    await settle();
    const revoked = node.supervisor.revoke(idOf("a"), files("fs:write:/srv/a"), "");
    gate.resolve();
    await Promise.all([started, revoked]);
    expect(node.runtime.guests[0]?.start.rights.folders[0]?.canWrite).toBe(true);
    expect(node.runtime.guests[0]?.rights.folders[0]).toMatchObject({ canRead: true, canWrite: false });
  });

  test("does not wait for a guest that ends, and ends one that cannot be told", async () => {
    const node = createTestNode({ shares });
    await node.supervisor.start(orderOf("a", { assignments: [files("fs:read:/srv/a")] }));
    const [guest] = node.runtime.guests;
    if (guest === undefined) throw new Error("no guest");
    guest.rightsGate = new Promise(() => undefined);
    const revoked = node.supervisor.revoke(idOf("a"), files(), "");
    guest.end({ kind: "exited", exitCode: 0 });
    await revoked;

    await node.supervisor.start(orderOf("b", { assignments: [files("fs:read:/srv/a")] }));
    const second = node.runtime.guests[1];
    if (second === undefined) throw new Error("no guest");
    second.rightsGate = Promise.reject(new Error("its thread is gone"));
    await node.supervisor.revoke(idOf("b"), files(), "");
    await settle();
    expect(node.runtime.live).toEqual([]);
  });

  test("beyond what the node shares is refused and changes nothing; a revocation is never", async () => {
    const node = createTestNode({ shares });
    await node.supervisor.start(orderOf("a", { assignments: [files("fs:read:/srv/a", "fs:read:/srv/b")] }));
    await expect(node.supervisor.assign(idOf("a"), files("fs:read:/etc"), "")).rejects.toEqual(
      withReason(Reason.NOT_SHARED),
    );
    await expect(
      node.supervisor.assign(idOf("a"), files("fs:read:/srv/a::/x", "fs:read:/srv/b::/x"), ""),
    ).rejects.toEqual(withReason(Reason.PERMISSION_INVALID));
    expect(node.supervisor.get(idOf("a")).grants[0]?.permissions).toEqual(["fs:read:/srv/a", "fs:read:/srv/b"]);
    folders.delete("/srv/b");
    await node.supervisor.revoke(idOf("a"), files("fs:read:/srv/a"), "");
    expect(rightsOf(node).folders).toEqual([]);
    folders.add("/srv/b");
  });

  test("of another type leaves the guest's thread alone", async () => {
    const node = createTestNode({ shares });
    await node.supervisor.start(orderOf("a", { assignments: [files("fs:read:/srv/a")] }));
    const before = node.runtime.guests[0]?.rights;
    await node.supervisor.assign(idOf("a"), kv("kv:read"), "");
    expect(node.runtime.guests[0]?.rights).toBe(before);
  });
});

describe("assignments", () => {
  const held = async (change: (node: TestNode) => Promise<unknown>) => {
    const node = createTestNode({ shares });
    const assignment = create(AssignmentSchema, {
      type: CapabilityType.KV,
      permissions: ["kv:read", "kv:write"],
      deniedPermissions: ["kv:delete"],
    });
    await node.supervisor.start(orderOf("a", { assignments: [assignment] }));
    await change(node);
    const grants = node.supervisor.get(idOf("a")).grants.map((one) => [one.permissions, one.deniedPermissions]);
    return { grants, message: node.facts.at(-1)?.message };
  };
  const change = (permissions: string[], deniedPermissions: string[]) =>
    create(AssignmentSchema, { type: CapabilityType.KV, permissions, deniedPermissions });

  test("may hold denials alone, and are replaced with them", async () => {
    expect(await held((node) => node.supervisor.assign(idOf("a"), change([], ["kv:write"]), ""))).toEqual({
      grants: [[[], ["kv:write"]]],
      message: 'Assigned denied: kv:write on bucket "default" of provider "kv"',
    });
    await expect(held((node) => node.supervisor.assign(idOf("a"), change([], []), ""))).rejects.toEqual(
      withReason(Reason.PERMISSION_INVALID),
    );
  });

  test("lose what a revocation names, permissions and denials each, and all of it if it names nothing", async () => {
    const revoke = (permissions: string[], denied: string[]) =>
      held((node) => node.supervisor.revoke(idOf("a"), change(permissions, denied), ""));
    expect((await revoke(["kv:read"], [])).grants).toEqual([[["kv:write"], ["kv:delete"]]]);
    expect((await revoke([], ["kv:delete"])).grants).toEqual([[["kv:read", "kv:write"], []]]);
    expect((await revoke(["kv:read", "kv:write"], [])).grants).toEqual([[[], ["kv:delete"]]]);
    expect((await revoke(["kv:read", "kv:write"], ["kv:delete"])).grants).toEqual([]);
    expect(await revoke([], [])).toEqual({
      grants: [],
      message: 'Revoked everything on bucket "default" of provider "kv"',
    });
  });

  test("are kept in one spelling, so that a revocation finds them", async () => {
    const node = createTestNode({ shares });
    const http = (...permissions: string[]) => create(AssignmentSchema, { type: CapabilityType.HTTP, permissions });
    await node.supervisor.start(orderOf("a", { assignments: [http("http:domain:API.Example.com")] }));
    expect(node.supervisor.get(idOf("a")).grants[0]?.permissions).toEqual(["http:domain:api.example.com"]);
    await node.supervisor.revoke(idOf("a"), http("http:domain:api.EXAMPLE.com"), "");
    expect(node.supervisor.get(idOf("a")).grants).toEqual([]);
  });

  test("of messaging are carried to the subscriptions before the order is answered, as is the switch of a provider", async () => {
    const node = createTestNode({ shares });
    const topic = create(AssignmentSchema, { type: CapabilityType.MESSAGING, permissions: ["msg:subscribe:a"] });
    await node.supervisor.start(orderOf("a", { assignments: [files("fs:read:/srv/a")] }));
    const before = node.followed.length;
    await node.supervisor.assign(idOf("a"), topic, "");
    expect(node.followed.slice(before)).toEqual([{ id: idOf("a"), state: "running", takes: true }]);
    await node.supervisor.providerSwitched("messaging");
    expect(node.followed.slice(before)).toHaveLength(2);
    const rights = node.runtime.guests[0]?.rights;
    await node.supervisor.providerSwitched("files");
    expect(node.runtime.guests[0]?.rights).not.toBe(rights);
    expect(node.followed.slice(before)).toHaveLength(2);
  });

  test("end with the run: deliveries are told of every step", async () => {
    const node = createTestNode({ shares });
    await node.supervisor.start(orderOf("a", { policy: { mode: RestartMode.ALWAYS } }));
    node.runtime.guests[0]?.end({ kind: "trapped", message: "x" });
    await node.clock.advance(2_000);
    await node.supervisor.stop(idOf("a"), 0, "");
    expect(node.followed.map(({ state, takes }) => `${state} ${takes}`)).toEqual([
      "running true",
      "backoff false",
      "starting false",
      "running true",
      "stopping false",
      "stopped false",
    ]);
  });
});
