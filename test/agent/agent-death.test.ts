/** kill -9 of a real agent process, and what its successor makes of the folder. */
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { InstanceState, RestartMode, TerminationCause } from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import { dataFolder, exampleModule, idOf, query, spawnAgent, start } from "./real-agent.ts";

const misbehave = exampleModule("misbehave");
const functions = exampleModule("functions");
const always = { restartPolicy: { mode: RestartMode.ALWAYS, backoff: durationFromMs(50) } };

test(
  "after kill -9 an agent resumes what its policies say, reports what is lost, and undoes no stop",
  { timeout: 120_000 },
  async () => {
    const dataDir = dataFolder();
    const first = await spawnAgent(dataDir);
    await start(first.rpc, "back", misbehave, { name: "web", ...always });
    await start(first.rpc, "gone", functions);
    await start(first.rpc, "stopped", misbehave, { name: "stopped", ...always });
    await first.rpc.stopInstance({ instanceId: idOf("stopped") });
    await start(first.rpc, "stopping", misbehave, { name: "stopping", ...always });
    const slow = await fetch(`${first.ingressUrl}/-/stopping/drip?lines=100&ms=1000`);
    const cut = slow.text().catch(() => "cut");
    const stopping = first.rpc
      .stopInstance({ instanceId: idOf("stopping"), grace: durationFromMs(60_000) })
      .catch(() => undefined);
    await vi.waitFor(async () => expect((await query(first.rpc, "stopping")).state).toBe(InstanceState.STOPPING));
    await first.kill();
    await Promise.all([cut, stopping]);

    const second = await spawnAgent(dataDir);
    await vi.waitFor(async () => expect((await query(second.rpc, "back")).state).toBe(InstanceState.RUNNING), {
      timeout: 60_000,
    });
    expect(await query(second.rpc, "back")).toMatchObject({
      restartCount: 1,
      generation: 1n,
      lastTermination: { cause: TerminationCause.AGENT_LOST },
    });
    expect(await query(second.rpc, "gone")).toMatchObject({ state: InstanceState.LOST });
    expect(await query(second.rpc, "stopped")).toMatchObject({ state: InstanceState.STOPPED });
    expect(await query(second.rpc, "stopping")).toMatchObject({ state: InstanceState.STOPPED });
    expect((await fetch(`${second.ingressUrl}/-/web/ok`)).status).toBe(200);
    const again = await start(second.rpc, "stopped", misbehave, { name: "stopped", ...always });
    expect(again.state).toBe(InstanceState.STOPPED);
    expect((await second.rpc.listInstances({})).instances).toHaveLength(4);
  },
);

test(
  "a journal that is torn at its end costs at most the last records; one that is no journal is moved aside",
  { timeout: 120_000 },
  async () => {
    const dataDir = dataFolder();
    const first = await spawnAgent(dataDir);
    await start(first.rpc, "first", misbehave, { name: "web", ...always });
    await start(first.rpc, "stopped", misbehave, always);
    await first.rpc.stopInstance({ instanceId: idOf("stopped") });
    await start(first.rpc, "last", functions, always);
    await first.kill();
    const wal = join(dataDir, "journal.sqlite-wal");
    truncateSync(wal, statSync(wal).size - 100);

    const second = await spawnAgent(dataDir);
    await vi.waitFor(async () => expect((await query(second.rpc, "first")).state).toBe(InstanceState.RUNNING), {
      timeout: 10_000,
    });
    expect(await query(second.rpc, "stopped")).toMatchObject({ state: InstanceState.STOPPED });
    await second.kill();
    // SQLite mends the file from its log if it can: both must be gone.
    rmSync(wal);
    writeFileSync(join(dataDir, "journal.sqlite"), "not a database at all, ".repeat(50));

    const third = await spawnAgent(dataDir);
    expect((await third.rpc.listInstances({})).instances).toEqual([]);
    expect(readdirSync(dataDir).some((name) => name.startsWith("journal.sqlite.unreadable-"))).toBe(true);
    expect((await start(third.rpc, "fresh", functions)).state).toBe(InstanceState.RUNNING);
  },
);
