import { describe, expect, it } from "vitest";
import { isFault, Reason } from "../../../src/fault.ts";
import type { WatchFactsResponse } from "../../../src/gen/wasmatrix/v1/control_plane_pb.ts";
import { FactKind } from "../../../src/gen/wasmatrix/v1/fact_pb.ts";
import { createTestFleet, eventually, inline, reasonOf } from "../test-fleet.ts";
import { startedFleet } from "./started-fleet.ts";

describe("watching facts", () => {
  const kinds = (messages: readonly WatchFactsResponse[]): FactKind[] =>
    messages.flatMap(({ facts }) => facts).map(({ kind }) => kind);
  async function collect(stream: AsyncIterable<WatchFactsResponse>): Promise<WatchFactsResponse[]> {
    const messages: WatchFactsResponse[] = [];
    for await (const message of stream) messages.push(message);
    return messages;
  }

  it("begins with an empty message, then the remembered facts, and ends there unless it follows", async () => {
    const { fleet } = await startedFleet();
    const messages = await collect(fleet.client.watchFacts({}));
    expect(messages[0]?.facts).toEqual([]);
    expect(kinds(messages)).toEqual([FactKind.INSTANCE_STARTING, FactKind.INSTANCE_RUNNING]);
    expect(messages.at(-1)?.cursor?.positions).toEqual([
      expect.objectContaining({ nodeId: "n1", epoch: "e1", sequence: 2n }),
    ]);
  });

  it("goes on after a cursor without repeats, and says if facts between are no longer remembered", async () => {
    const { fleet } = await startedFleet();
    const cursor = (await collect(fleet.client.watchFacts({}))).at(-1)?.cursor;
    await fleet.client.stopInstance({ instance: "web" });
    const resumed = await collect(fleet.client.watchFacts(cursor ? { after: cursor } : {}));
    expect(kinds(resumed)).toEqual([FactKind.INSTANCE_STOPPED]);
    expect(resumed.some(({ gap }) => gap)).toBe(false);
    const stale = { positions: [{ nodeId: "n1", epoch: "e0", sequence: 7n }] };
    expect((await collect(fleet.client.watchFacts({ after: stale }))).some(({ gap }) => gap)).toBe(false);
    const forgetful = createTestFleet({ limits: { factsPerNodeMax: 1 } });
    await forgetful.addAgent();
    await forgetful.client.startInstance({ spec: { name: "web" }, module: inline() });
    await forgetful.client.stopInstance({ instance: "web" });
    const early = { positions: [{ nodeId: "n1", epoch: "e1", sequence: 1n }] };
    expect((await collect(forgetful.client.watchFacts({ after: early }))).map(({ gap }) => gap)).toEqual([false, true]);
  });

  it("follows new facts of one instance as they are reported, with empty messages while nothing happens", async () => {
    const { fleet, agent } = await startedFleet(["web", "other"]);
    const messages: WatchFactsResponse[] = [];
    const abort = new AbortController();
    const reading = (async () => {
      for await (const message of fleet.client.watchFacts({ follow: true, instance: "web" }, { signal: abort.signal }))
        messages.push(message);
    })();
    await eventually(() => expect(kinds(messages)).toEqual([FactKind.INSTANCE_STARTING, FactKind.INSTANCE_RUNNING]));
    const before = messages.length;
    await eventually(() => {
      fleet.clock.advance(5_000);
      expect(messages.length).toBeGreaterThan(before);
    });
    expect(messages.at(-1)?.facts).toEqual([]);
    await agent.report();
    await fleet.client.stopInstance({ instance: "other" });
    await fleet.client.stopInstance({ instance: "web" });
    await eventually(() =>
      expect(kinds(messages)).toEqual([
        FactKind.INSTANCE_STARTING,
        FactKind.INSTANCE_RUNNING,
        FactKind.INSTANCE_STOPPED,
      ]),
    );
    abort.abort();
    expect(await reasonOf(reading)).toBe(Reason.CANCELED);
  });

  it("refuses a cursor that cannot be read", async () => {
    const { fleet } = await startedFleet();
    const twice = { positions: [{ nodeId: "n1" }, { nodeId: "n1" }] };
    expect(await reasonOf(collect(fleet.client.watchFacts({ after: twice })))).toBe(Reason.CURSOR_INVALID);
    expect(await reasonOf(collect(fleet.client.watchFacts({ after: { positions: [{}] } })))).toBe(
      Reason.CURSOR_INVALID,
    );
  });

  it("refuses one stream more than its limit, and takes another once one has ended", async () => {
    const fleet = createTestFleet({ limits: { streamsMax: 1 } });
    const abort = new AbortController();
    const first = fleet.client.watchFacts({ follow: true }, { signal: abort.signal })[Symbol.asyncIterator]();
    await first.next();
    expect(await reasonOf(collect(fleet.client.watchFacts({})))).toBe(Reason.TOO_MANY_REQUESTS);
    abort.abort();
    await first.next().catch((error: unknown) => expect(isFault(error, Reason.CANCELED)).toBe(true));
    await eventually(async () => expect(await collect(fleet.client.watchFacts({}))).toHaveLength(1));
  });

  it("ends followed streams with a clear reason when the control plane closes", async () => {
    const fleet = createTestFleet();
    const reading = collect(fleet.client.watchFacts({ follow: true }));
    await eventually(async () => {
      await fleet.controlPlane.close();
      expect(await reasonOf(reading)).toBe(Reason.SHUTTING_DOWN);
    });
  });
});
