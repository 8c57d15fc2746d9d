import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lockDataFolder } from "../../src/agent/data-folder-lock.ts";
import { isNodeId, nodeIdFromHostname, settleNodeId } from "../../src/agent/node-id.ts";
import { systemEntropy } from "../../src/clock.ts";
import { Reason } from "../../src/fault.ts";
import { CapabilityType } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { dataFolder, exampleModule, runAgent, start } from "./real-agent.ts";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "data-"));
});
afterEach(() => rm(dataDir, { recursive: true }));

describe("the lock of a data folder", () => {
  test("keeps a second agent off, and lets it in afterwards", async () => {
    const lock = await lockDataFolder(dataDir, systemEntropy);
    await expect(lockDataFolder(dataDir, systemEntropy)).rejects.toEqual(
      expect.objectContaining({
        reason: Reason.INVALID_REQUEST,
        message: expect.stringContaining(`process id ${process.pid} uses it`),
      }),
    );
    await lock.release();
    await lock.release();
    const second = await lockDataFolder(dataDir, systemEntropy);
    await lock.release();
    expect(await readdir(dataDir)).toEqual(["lock"]);
    await second.release();
    expect(await readdir(dataDir)).toEqual([]);
  });

  test("of a dead process, or one that cannot be read, is taken over", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    for (const stale of [`${child.pid} - abc`, "", "garbage", `${process.pid} another-boot/1 abc`]) {
      await writeFile(join(dataDir, "lock"), stale);
      const lock = await lockDataFolder(dataDir, systemEntropy);
      expect(await readFile(join(dataDir, "lock"), "utf8")).toContain(String(process.pid));
      await lock.release();
    }
  });

  test("is taken by one of many who try at once", async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFolder(dataDir, systemEntropy)));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

test("what an agent holds is kept from other users, also in a folder that is open to them", async () => {
  const opened = dataFolder();
  await chmod(opened, 0o755);
  const agent = await runAgent({ dataDir: opened });
  const assignments = [{ type: CapabilityType.KV, permissions: ["kv:read", "kv:write"] }];
  await start(agent.rpc, "counter", exampleModule("http-counter"), { name: "counter", assignments });
  expect(await (await fetch(`${agent.ingressUrl}/-/counter/`)).text()).toContain("1");
  const modes = new Map<string, number>();
  for (const name of await readdir(opened)) modes.set(name, (await stat(join(opened, name))).mode & 0o077);
  for (const name of ["journal.sqlite", "journal.sqlite-wal", "kv.sqlite", "kv.sqlite-wal", "modules", "logs", "cache"])
    expect([name, modes.get(name)]).toEqual([name, 0]);
});

describe("a node's id", () => {
  const settle = (asked?: string) =>
    settleNodeId({ dataDir, asked, hostname: "My Host.example", entropy: systemEntropy });

  test("is made once and kept", async () => {
    const id = await settle();
    expect(id).toMatch(/^my-host-example-[0-9a-f]{8}$/);
    expect(await settle()).toBe(id);
    expect(await settle(id)).toBe(id);
  });

  test("may be asked for, but not changed", async () => {
    expect(await settle("edge-1")).toBe("edge-1");
    expect(await settle()).toBe("edge-1");
    await expect(settle("edge-2")).rejects.toThrow('belongs to node "edge-1"');
    await expect(settle("Not Valid")).rejects.toEqual(expect.objectContaining({ reason: Reason.INVALID_REQUEST }));
  });

  test("is made anew if the file is torn", async () => {
    await writeFile(join(dataDir, "node-id"), "");
    expect(isNodeId(await settle())).toBe(true);
  });

  test("is valid whatever the host is called", () => {
    for (const name of ["", "---", "ÄÖÜ", "x".repeat(300), "a.b.c"])
      expect(isNodeId(nodeIdFromHostname(name, "0123abcd"))).toBe(true);
  });
});
