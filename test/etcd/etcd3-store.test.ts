/** Discovery on a real etcd: the store, and what stands on it when etcd stops, restarts, forgets a lease or compacts. */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3, Range } from "etcd3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { openDirectory } from "../../src/discovery/directory.ts";
import type { DiscoveryEntry, NodeEntry } from "../../src/discovery/discovery-entry.ts";
import { startRegistration } from "../../src/discovery/registration.ts";
import { openEtcd3Store } from "../../src/etcd/etcd3-store.ts";
import { Reason } from "../../src/fault.ts";
import { silentLog } from "../../src/log.ts";
import { discoveryStoreContract } from "../discovery/discovery-store-contract.ts";
import { etcdProgram, startEtcd, type RealEtcd } from "./real-etcd.ts";

const clock = systemClock;
const patient = { timeout: 20_000, interval: 50 };

function node(nodeId: string): NodeEntry {
  return { kind: "node", nodeId, address: `http://127.0.0.1:1/${nodeId}`, ingressAddress: "", protocolVersion: 1 };
}

describe.skipIf(etcdProgram === undefined)("on a real etcd", () => {
  let etcd: RealEtcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  }, 60_000);
  afterAll(() => etcd.close());

  const open = (callTimeoutMs = 2_000): ReturnType<typeof openEtcd3Store> =>
    openEtcd3Store({ endpoints: [etcd.url], callTimeoutMs });

  discoveryStoreContract({ open: () => open(), pass: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)) });

  test("a directory hears of nodes that register, change and leave", async () => {
    const [ofAgent, ofControlPlane] = [open(), open()];
    let entries: readonly DiscoveryEntry[] = [node("hears-a")];
    const directory = openDirectory({
      store: ofControlPlane,
      clock,
      entropy: systemEntropy,
      log: silentLog,
      onNodes: () => undefined,
    });
    const registration = startRegistration({ store: ofAgent, clock, log: silentLog, entries: () => entries });
    await vi.waitFor(() => expect(directory.nodes).toContainEqual(node("hears-a")), patient);
    entries = [
      { ...node("hears-a"), address: "http://127.0.0.1:2" },
      { kind: "provider", nodeId: "hears-a", providerId: "kv", type: "kv", backend: "sqlite", isRunning: true },
    ];
    registration.refresh();
    await vi.waitFor(() => {
      expect(directory.nodes).toContainEqual({ ...node("hears-a"), address: "http://127.0.0.1:2" });
      expect(directory.providers).toContainEqual(entries[1]);
    }, patient);
    await registration.close();
    await vi.waitFor(() => expect(directory.nodes.map(({ nodeId }) => nodeId)).not.toContain("hears-a"), patient);
    await directory.close();
    await Promise.all([ofAgent.close(), ofControlPlane.close()]);
  });

  test("a lease that etcd forgot is taken anew, and the entries are back", async () => {
    const store = open();
    const registration = startRegistration({
      store,
      clock,
      log: silentLog,
      entries: () => [node("again-a")],
      ttlMs: 1_500,
    });
    const admin = new Etcd3({ hosts: etcd.url });
    const key = "/wasmatrix/nodes/again-a";
    await vi.waitFor(async () => expect(await admin.get(key)).not.toBeNull(), patient);
    const { kvs } = await admin.kv.range({ key: Buffer.from(key) });
    await admin.leaseClient.leaseRevoke({ ID: kvs[0]?.lease ?? "" });
    await vi.waitFor(async () => expect(await admin.get(key)).not.toBeNull(), patient);
    expect(registration.health.kind).toBe("reached");
    await registration.close();
    admin.close();
    await store.close();
  });

  test("a watch that was compacted away goes on", async () => {
    const [store, admin] = [open(), new Etcd3({ hosts: etcd.url })];
    const heard = vi.fn<() => void>();
    store.watch(heard);
    const lease = await store.grantLease(60_000);
    const { header } = await admin.kv.range({ key: Buffer.from("/wasmatrix/") });
    await admin.kv.compact({ revision: header.revision, physical: true });
    const before = heard.mock.calls.length;
    await etcd.restart();
    await vi.waitFor(() => expect(heard.mock.calls.length).toBeGreaterThan(before), patient);
    await store.revoke(lease).catch(() => undefined);
    admin.close();
    await store.close();
  });

  test("while etcd is away both sides go on with what they know and say so, and mend when it is back", async () => {
    const [ofAgent, ofControlPlane] = [open(500), open(500)];
    const directory = openDirectory({
      store: ofControlPlane,
      clock,
      entropy: systemEntropy,
      log: silentLog,
      lookIntervalMs: 200,
      onNodes: () => undefined,
    });
    let entries = [node("away-a")];
    const registration = startRegistration({
      store: ofAgent,
      clock,
      log: silentLog,
      entries: () => entries,
      ttlMs: 1_500,
    });
    await vi.waitFor(() => expect(directory.nodes).toContainEqual(node("away-a")), patient);
    await etcd.halt();
    await vi.waitFor(() => {
      expect(directory.health.kind).toBe("unreachable");
      expect(registration.health.kind).toBe("unreachable");
    }, patient);
    expect(directory.nodes).toContainEqual(node("away-a"));
    entries = [node("away-a"), node("away-b")];
    await etcd.start();
    await vi.waitFor(() => {
      expect(registration.health.kind).toBe("reached");
      expect(directory.nodes).toContainEqual(node("away-b"));
    }, patient);
    await registration.close();
    await directory.close();
    await Promise.all([ofAgent.close(), ofControlPlane.close()]);
  });

  test("a stopped etcd makes every call fail in its time, and none hang", async () => {
    const store = open(300);
    await store.list();
    etcd.child().kill("SIGSTOP");
    try {
      for (const call of [() => store.list(), () => store.grantLease(5_000), () => store.keepAlive("1")]) {
        await expect(call()).rejects.toMatchObject({ reason: Reason.DISCOVERY_UNAVAILABLE });
      }
    } finally {
      etcd.child().kill("SIGCONT");
    }
    await vi.waitFor(() => store.list(), patient);
    await store.close();
  });
});

describe.skipIf(etcdProgram === undefined)("on an etcd with TLS, users and passwords", () => {
  test("who has them is served, who has not is told why", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wasmatrix-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    execFileSync(
      "openssl",
      [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(" "),
        ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
      ].flat(),
      { stdio: "ignore" },
    );
    const etcd = await startEtcd(["--cert-file", cert, "--key-file", key], "https");
    try {
      const tls = { ca: await readFile(cert) };
      const admin = new Etcd3({ hosts: etcd.url, credentials: { rootCertificate: tls.ca } });
      const role = admin.role("wasmatrix");
      await role.create();
      await role.grant({ permission: "Readwrite", range: Range.prefix("/wasmatrix/") });
      const user = admin.user("agent");
      await user.create("secret");
      await user.addRole("wasmatrix");
      const root = admin.user("root");
      await root.create("root");
      await root.addRole("root");
      await admin.auth.authEnable();

      const store = openEtcd3Store({ endpoints: [etcd.url], tls, user: { name: "agent", password: "secret" } });
      const registration = startRegistration({ store, clock, log: silentLog, entries: () => [node("tls-a")] });
      await vi.waitFor(
        async () => expect((await store.list()).map(({ key: at }) => at)).toContain("/wasmatrix/nodes/tls-a"),
        patient,
      );
      await registration.close();
      await store.close();

      const wrong = openEtcd3Store({ endpoints: [etcd.url], tls, user: { name: "agent", password: "no" } });
      await expect(wrong.list()).rejects.toMatchObject({
        reason: Reason.DISCOVERY_UNAVAILABLE,
        message: expect.stringMatching(/authentication failed/),
      });
      await wrong.close();
      const untrusting = openEtcd3Store({ endpoints: [etcd.url], callTimeoutMs: 1_000 });
      await expect(untrusting.list()).rejects.toMatchObject({ reason: Reason.DISCOVERY_UNAVAILABLE });
      await untrusting.close();
      admin.close();
    } finally {
      await etcd.close();
      await rm(folder, { recursive: true, force: true });
    }
  }, 60_000);
});
