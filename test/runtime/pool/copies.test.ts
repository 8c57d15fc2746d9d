import { readFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { get, startProbe } from "../probe-guest.ts";
import { testRuntime } from "../guest-starts.ts";
import { oneThread, patientHost, startToy } from "./toy-guest.ts";

/** Memory mappings of this process. */
async function mappings(): Promise<number> {
  return (await readFile("/proc/self/maps", "latin1")).split("\n").length;
}

const PATIENT = { timeout: 20_000 };

describe("copies of a guest", () => {
  it("are as many as calls that overlap, up to the limit, each with a memory of its own; the next call waits", async () => {
    const host = patientHost();
    const guest = await startToy(testRuntime(), { host, limits: { concurrentCallsMax: 3, queuedCallsMax: 1 } });
    const calls = [1, 2, 3, 4].map(() => guest.invoke("wait", []));
    await expect(guest.invoke("wait", [])).rejects.toMatchObject({ reason: Reason.CALL_QUEUE_FULL });
    await vi.waitFor(() => expect(host.waiting).toHaveLength(3), PATIENT);
    host.letGo();
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    host.letGo();
    const counts = (await Promise.all(calls)).flat().map(Number);
    expect(counts.sort((left, right) => left - right)).toEqual([1, 1, 1, 2]);
    await guest.kill();
  });

  it("is one, which is never entered twice, unless more are allowed", async () => {
    const host = patientHost();
    const guest = await startToy(testRuntime(), { host });
    const calls = [1, 2].map(() => guest.invoke("wait", []));
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    host.letGo();
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    host.letGo();
    expect(await Promise.all(calls)).toEqual([[1], [2]]);
    await guest.kill();
  });

  it("carry nothing over from call to call if none is to be used again: not memory, its size, tables or globals", async () => {
    const runtime = testRuntime();
    const fresh = await startToy(runtime, { reuse: "none" });
    const kept = await startToy(runtime);
    const marks: unknown[] = [];
    for (let call = 0; call < 5; call++) {
      expect(await fresh.invoke("mark", [])).toEqual([20_201]);
      expect(await fresh.invoke("count", [])).toEqual([1]);
      marks.push(...(await kept.invoke("mark", [])));
    }
    expect(marks).toEqual([20_201, 30_302, 40_403, 50_504, 60_605]);
    await Promise.all([fresh.kill(), kept.kill()]);
  });

  it("carry nothing over in HTTP guests either, one after the other as at once", async () => {
    const guest = await startProbe(testRuntime(), { reuse: "none", limits: { concurrentCallsMax: 4 } });
    for (let call = 0; call < 3; call++) expect(await get(guest, "/calls")).toBe("1");
    const answers = await Promise.all(Array.from({ length: 16 }, () => get(guest, "/calls")));
    expect(new Set(answers)).toEqual(new Set(["1"]));
    await guest.kill();
  });

  it("that are not used again can have a thread of their guest's own", async () => {
    const guest = await startToy(testRuntime(), { reuse: "none", isolation: "dedicated" });
    for (let call = 0; call < 3; call++) expect(await guest.invoke("count", [])).toEqual([1]);
    await guest.kill();
  });

  it("whose caller goes away while they wait are given up, and the next call finds a fresh one", async () => {
    const host = patientHost();
    const guest = await startToy(oneThread(), { host });
    expect(await guest.invoke("count", [])).toEqual([1]);
    const controller = new AbortController();
    const abandoned = guest.invoke("wait", [], controller.signal);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    const next = guest.invoke("count", []);
    controller.abort();
    await expect(abandoned).rejects.toMatchObject({ reason: Reason.CANCELED });
    expect(await next).toEqual([1]);
    await guest.kill();
  });

  it("whose caller goes away and that are done soon are kept, with what they remember", async () => {
    const host = patientHost();
    const guest = await startToy(oneThread(), { host });
    const controller = new AbortController();
    const abandoned = guest.invoke("wait", [], controller.signal);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    controller.abort();
    host.letGo();
    await expect(abandoned).rejects.toMatchObject({ reason: Reason.CANCELED });
    expect(await guest.invoke("count", [])).toEqual([2]);
    await guest.kill();
  });

  it("that are given up while they wait leave nothing mapped behind", async () => {
    const runtime = oneThread();
    const guests = await Promise.all(Array.from({ length: 200 }, () => startToy(runtime, { host: patientHost() })));
    const waiting = guests.map((guest) => guest.invoke("wait", []).catch(() => undefined));
    const before = await mappings();
    await Promise.all(guests.map((guest) => guest.kill()));
    await Promise.all(waiting);
    // Two mappings for the stack of each, which the engine would never give back for guests that are merely forgotten.
    await vi.waitFor(
      async () => {
        const guest = await startToy(runtime, { reuse: "none" });
        for (let call = 0; call < 100; call++) await guest.invoke("mark", []);
        await guest.kill();
        expect(await mappings()).toBeLessThan(before - 200);
      },
      { timeout: 25_000 },
    );
  });
});
