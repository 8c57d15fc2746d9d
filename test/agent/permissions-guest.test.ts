/** Each permission, used by a real guest in a real agent: granted, absent, denied over granted, revoked while running. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { AssignmentSchema, CapabilityType } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { idOf, query, runAgent, start } from "./real-agent.ts";

type AssignmentInit = MessageInitShape<typeof AssignmentSchema>;
type Agent = Awaited<ReturnType<typeof runAgent>>;

const guests = join(import.meta.dirname, "..", "runtime", "guests");
const probeModule = new Uint8Array(readFileSync(join(guests, "permissions.wasm")));
const subscriberModule = new Uint8Array(readFileSync(join(guests, "subscriber.wasm")));

const folder = mkdtempSync(join(tmpdir(), "granted-"));
mkdirSync(join(folder, "secret"));
writeFileSync(join(folder, "note.txt"), "from the host");
writeFileSync(join(folder, "secret", "key"), "do not read");

const server = http.createServer((_request, response) => response.end("from outside"));
let port = 0;
let agent: Agent;
let number = 0;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  agent = await runAgent({
    sharedFolders: [folder],
    sharedEnv: ["PROBE"],
    env: { PROBE: "from the node", WASMATRIX_TOKEN: "secret" },
  });
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** Grants of each type whose imports must be decided on; of no use to any test, so that what a test asks for stays absent. */
const ELSEWHERE: readonly AssignmentInit[] = [
  { type: CapabilityType.KV, bucket: "elsewhere", permissions: ["kv:read"] },
  { type: CapabilityType.HTTP, permissions: ["http:domain:elsewhere.example"] },
  { type: CapabilityType.MESSAGING, permissions: ["msg:publish:elsewhere"] },
];

/** The assignments, with a useless one of each type that is not among them. */
function decided(assignments: readonly AssignmentInit[]) {
  const others = ELSEWHERE.filter(({ type }) => !assignments.some((one) => one.type === type));
  return [...assignments, ...others].map((one) => create(AssignmentSchema, one));
}

/** A running probe with these assignments. */
async function startProbe(assignments: readonly AssignmentInit[]) {
  const id = `probe${++number}x`;
  await start(agent.rpc, id, probeModule, { name: id, assignments: decided(assignments) });
  return {
    id,
    async ask(path: string): Promise<{ readonly status: number; readonly text: string }> {
      const response = await fetch(`${agent.ingressUrl}/-/${id}${path}`);
      return { status: response.status, text: await response.text() };
    },
    assign: (assignment: AssignmentInit) => agent.rpc.assignCapability({ instanceId: idOf(id), assignment }),
    revoke: (assignment: AssignmentInit) => agent.rpc.revokeCapability({ instanceId: idOf(id), assignment }),
    async uses(permission: string): Promise<{ readonly used: bigint; readonly denied: bigint } | undefined> {
      const found = (await query(agent.rpc, id)).permissionUses.find((use) => use.permission === permission);
      return found && { used: found.usedCount, denied: found.deniedCount };
    },
  };
}

type Case = {
  readonly permission: string;
  readonly type: CapabilityType;
  /** What is granted besides, without which the permission is of no use. */
  readonly besides?: readonly string[];
  readonly path: string;
  /** What the guest gets to read when it may. */
  readonly text: string;
  /** Whether the guest asks for it by name: otherwise it only does not see it. */
  readonly isAsked: boolean;
};

const cases = (): readonly Case[] => [
  { permission: "kv:read", type: CapabilityType.KV, path: "/kv/exists?key=k", text: "false", isAsked: true },
  { permission: "kv:write", type: CapabilityType.KV, path: "/kv/set?key=other&value=v", text: "done", isAsked: true },
  { permission: "kv:delete", type: CapabilityType.KV, path: "/kv/delete?key=k", text: "done", isAsked: true },
  {
    permission: "http:request",
    type: CapabilityType.HTTP,
    // The name is permitted by the permission in question, the addresses of this machine must be by themselves.
    besides: ["http:domain:127.0.0.1", "http:domain:[::1]"],
    path: `/http?url=http://localhost:${port}/`,
    text: "200\nfrom outside",
    isAsked: true,
  },
  {
    permission: `http:domain:127.0.0.1:${port}`,
    type: CapabilityType.HTTP,
    path: `/http?url=http://127.0.0.1:${port}/`,
    text: "200\nfrom outside",
    isAsked: true,
  },
  {
    permission: "msg:publish:orders.*",
    type: CapabilityType.MESSAGING,
    path: "/publish?topic=orders.eu&body=x",
    text: "published",
    isAsked: true,
  },
  {
    permission: `fs:read:${folder}`,
    type: CapabilityType.FILES,
    path: `/file/read?path=${folder}/note.txt`,
    text: "from the host",
    isAsked: false,
  },
  {
    permission: `fs:write:${folder}`,
    type: CapabilityType.FILES,
    path: `/file/write?path=${folder}/new.txt&text=x`,
    text: "written",
    isAsked: false,
  },
  {
    permission: "env:PROBE",
    type: CapabilityType.ENVIRONMENT,
    path: "/env?name=PROBE",
    text: "from the node",
    isAsked: false,
  },
];

describe.each(
  cases().map(({ permission }, index) => [permission.replace(folder, "DIR").replace(/:0$/, ""), index] as const),
)("%s", (_, index) => {
  const caseNow = (): Case => cases()[index] ?? expect.unreachable();

  test("granted, works and is counted", async () => {
    const { type, permission, besides = [], path, text } = caseNow();
    const probe = await startProbe([{ type, permissions: [permission, ...besides] }]);
    expect(await probe.ask(path)).toEqual({ status: 200, text });
    await vi.waitFor(async () => expect(await probe.uses(permission)).toMatchObject({ denied: 0n }));
    expect((await probe.uses(permission))?.used).toBeGreaterThan(0n);
  });

  test("absent, is denied", async () => {
    const { type, besides = [], path, isAsked } = caseNow();
    const probe = await startProbe(besides.length === 0 ? [] : [{ type, permissions: [...besides] }]);
    expect((await probe.ask(path)).status).not.toBe(200);
    if (isAsked) expect((await query(agent.rpc, probe.id)).deniedCount).toBeGreaterThan(0n);
  });

  test("denied, wins over granted", async () => {
    const { type, permission, besides = [], path, isAsked } = caseNow();
    const probe = await startProbe([{ type, permissions: [permission, ...besides], deniedPermissions: [permission] }]);
    expect((await probe.ask(path)).status).not.toBe(200);
    if (isAsked) expect(await probe.uses(permission)).toMatchObject({ used: 0n, denied: 1n });
  });

  test("revoked while the guest runs, is denied from the next call on", async () => {
    const { type, permission, besides = [], path, text } = caseNow();
    const probe = await startProbe([{ type, permissions: [permission, ...besides] }]);
    expect(await probe.ask(path)).toEqual({ status: 200, text });
    await probe.revoke({ type, permissions: [permission] });
    expect((await probe.ask(path)).status).not.toBe(200);
    await probe.assign({ type, permissions: [permission, ...besides] });
    expect(await probe.ask(path)).toEqual({ status: 200, text });
    await probe.assign({ type, permissions: [permission, ...besides], deniedPermissions: [permission] });
    expect((await probe.ask(path)).status).not.toBe(200);
  });
});

describe("msg:subscribe", () => {
  const type = CapabilityType.MESSAGING;

  async function startSubscriber(assignment: AssignmentInit, name = "") {
    const id = `sub${++number}x`;
    await start(agent.rpc, id, subscriberModule, { name, assignments: decided([assignment]) });
    const received = async (): Promise<readonly string[]> => {
      const texts: string[] = [];
      for await (const { lines } of agent.rpc.tailLogs({ instanceId: idOf(id) }))
        texts.push(...lines.map((line) => line.text));
      return texts;
    };
    const uses = async (permission: string) =>
      (await query(agent.rpc, id)).permissionUses.find((use) => use.permission === permission);
    return {
      id,
      received,
      uses,
      revoke: (init: AssignmentInit) => agent.rpc.revokeCapability({ instanceId: idOf(id), assignment: init }),
    };
  }

  const startPublisher = () => startProbe([{ type, permissions: ["msg:publish:>"] }]);

  test("granted, brings messages, and is counted", async () => {
    const [subscriber, publisher] = [
      await startSubscriber({ type, permissions: ["msg:subscribe:a1.*"] }),
      await startPublisher(),
    ];
    await publisher.ask("/publish?topic=a1.eu&body=hello");
    await publisher.ask("/publish?topic=elsewhere&body=hello");
    await vi.waitFor(async () => expect(await subscriber.received()).toEqual(["a1.eu hello"]));
    expect(await subscriber.uses("msg:subscribe:a1.*")).toMatchObject({ usedCount: 1n, deniedCount: 0n });
  });

  test("absent, brings none", async () => {
    const none = await startSubscriber({ type, permissions: ["msg:publish:a2.*"] });
    const [witness, publisher] = [
      await startSubscriber({ type, permissions: ["msg:subscribe:a2.*"] }),
      await startPublisher(),
    ];
    await publisher.ask("/publish?topic=a2.eu&body=hello");
    await vi.waitFor(async () => expect(await witness.received()).toHaveLength(1));
    expect(await none.received()).toEqual([]);
  });

  test("denied in part, wins over granted there and nowhere else", async () => {
    const subscriber = await startSubscriber({
      type,
      permissions: ["msg:subscribe:a3.*"],
      deniedPermissions: ["msg:subscribe:a3.secret"],
    });
    const publisher = await startPublisher();
    await publisher.ask("/publish?topic=a3.secret&body=hidden");
    await publisher.ask("/publish?topic=a3.eu&body=seen");
    await vi.waitFor(async () => expect(await subscriber.received()).toEqual(["a3.eu seen"]));
    expect(await subscriber.uses("msg:subscribe:a3.secret")).toMatchObject({ usedCount: 0n, deniedCount: 1n });
  });

  test("revoked while the guest runs, brings none from the next message on", async () => {
    const subscriber = await startSubscriber({ type, permissions: ["msg:subscribe:a4.*"] });
    const [witness, publisher] = [
      await startSubscriber({ type, permissions: ["msg:subscribe:a4.*"] }),
      await startPublisher(),
    ];
    await publisher.ask("/publish?topic=a4.eu&body=one");
    await vi.waitFor(async () => expect(await subscriber.received()).toEqual(["a4.eu one"]));
    await subscriber.revoke({ type, permissions: ["msg:subscribe:a4.*"] });
    await publisher.ask("/publish?topic=a4.eu&body=two");
    await vi.waitFor(async () => expect(await witness.received()).toEqual(["a4.eu one", "a4.eu two"]));
    expect(await subscriber.received()).toEqual(["a4.eu one"]);
  });

  test("of instances of one name brings each message to one of them, and answers come back", async () => {
    const [one, two] = [
      await startSubscriber({ type, permissions: ["msg:subscribe:a5.*"] }, "workers"),
      await startSubscriber({ type, permissions: ["msg:subscribe:a5.*"] }, "workers"),
    ];
    const publisher = await startPublisher();
    for (let index = 0; index < 6; index++)
      expect(await publisher.ask(`/request?topic=a5.q&body=${index}`)).toEqual({ status: 200, text: `echo: ${index}` });
    const [left, right] = [await one.received(), await two.received()];
    expect([...left, ...right].toSorted()).toEqual(Array.from({ length: 6 }, (_, index) => `a5.q ${index}`));
  });
});

describe("a guest", () => {
  test("sees its folders and variables and nothing else of the node", async () => {
    const probe = await startProbe([
      {
        type: CapabilityType.FILES,
        permissions: [`fs:read:${folder}::/data`],
        deniedPermissions: [`fs:read:${folder}/secret`],
      },
      { type: CapabilityType.ENVIRONMENT, permissions: ["env:*"] },
    ]);
    expect((await probe.ask("/folders")).text).toBe("/data\n");
    expect((await probe.ask("/file/read?path=/data/note.txt")).text).toBe("from the host");
    expect((await probe.ask("/file/read?path=/data/secret/key")).status).toBe(403);
    expect((await probe.ask("/file/write?path=/data/x&text=x")).status).toBe(403);
    expect((await probe.ask("/env")).text).toBe("PROBE=from the node\n");
    const { permissionUses } = await query(agent.rpc, probe.id);
    expect(permissionUses.map(({ permission }) => permission)).toEqual(
      expect.arrayContaining(["env:*", `fs:read:${folder}::/data`]),
    );
  });

  test("is told clearly that a provider is stopped, and goes on once it is started", async () => {
    const probe = await startProbe([
      { type: CapabilityType.MESSAGING, permissions: ["msg:publish:>"] },
      { type: CapabilityType.FILES, permissions: [`fs:read:${folder}`] },
      { type: CapabilityType.HTTP, permissions: ["http:domain:127.0.0.1"] },
    ]);
    const paths = [
      "/publish?topic=x&body=y",
      `/file/read?path=${folder}/note.txt`,
      `/http?url=http://127.0.0.1:${port}/`,
    ];
    const statuses = async () => Promise.all(paths.map(async (path) => (await probe.ask(path)).status));
    expect(await statuses()).toEqual([200, 200, 200]);
    for (const providerId of ["messaging", "files", "http"]) await agent.rpc.stopProvider({ providerId });
    expect(await statuses()).not.toContain(200);
    expect((await probe.ask("/publish?topic=x&body=y")).text).toContain('provider "messaging": it is stopped');
    for (const providerId of ["messaging", "files", "http"]) await agent.rpc.startProvider({ providerId });
    expect(await statuses()).toEqual([200, 200, 200]);
  });

  test("reads its configuration and writes structured lines into its log", async () => {
    const id = `probe${++number}x`;
    await start(agent.rpc, id, probeModule, { name: id, config: { greeting: "hi" }, assignments: decided([]) });
    expect(await (await fetch(`${agent.ingressUrl}/-/${id}/config?key=greeting`)).text()).toBe("hi");
    expect((await query(agent.rpc, id)).configNames).toEqual(["greeting"]);
    await fetch(`${agent.ingressUrl}/-/${id}/log?level=3&text=careful`);
    await vi.waitFor(async () => {
      const lines: { level: string; text: string }[] = [];
      for await (const message of agent.rpc.tailLogs({ instanceId: idOf(id) })) lines.push(...message.lines);
      expect(lines).toMatchObject([{ level: "warn", text: "probe: careful" }]);
    });
  });
});
