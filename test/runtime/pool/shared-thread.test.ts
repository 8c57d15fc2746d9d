import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../../src/fault.ts";
import { oneThread, patientHost, startToy } from "./toy-guest.ts";

const PATIENT = { timeout: 20_000 };

describe("guests that share a thread", () => {
  it("take turns: while one waits for its host, the other is called", async () => {
    const runtime = oneThread();
    const host = patientHost();
    const waiter = await startToy(runtime, { host });
    const neighbour = await startToy(runtime);
    const waiting = waiter.invoke("wait", []);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    for (const count of [1, 2, 3]) expect(await neighbour.invoke("count", [])).toEqual([count]);
    host.letGo();
    expect(await waiting).toEqual([1]);
  });

  it("one that waits past its time is ended alone: its neighbour keeps its memory", async () => {
    const runtime = oneThread();
    const neighbour = await startToy(runtime);
    expect(await neighbour.invoke("count", [])).toEqual([1]);
    const waiter = await startToy(runtime, { host: patientHost(), limits: { callTimeoutMs: 100 } });
    await expect(waiter.invoke("wait", [])).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await waiter.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
    expect(await neighbour.invoke("count", [])).toEqual([2]);
  });

  it("one that computes past its time is ended with the thread: calls of its neighbour that had not begun are carried out elsewhere, once", async () => {
    const runtime = oneThread({ soloThreadsMax: 1 });
    const neighbour = await startToy(runtime);
    const runaway = await startToy(runtime, { limits: { callTimeoutMs: 300 } });
    const running = runaway.invoke("spin", []);
    const calls = [neighbour.invoke("count", []), neighbour.invoke("count", [])];
    await expect(running).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await runaway.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
    expect(await Promise.all(calls)).toEqual([[1], [2]]);
    expect(await neighbour.invoke("count", [])).toEqual([3]);
  });

  it("a call that had begun when a neighbour took the thread along is not tried again, and its guest lives on", async () => {
    const runtime = oneThread();
    const host = patientHost();
    const innocent = await startToy(runtime, { host });
    const runaway = await startToy(runtime, { limits: { callTimeoutMs: 200 } });
    const waiting = innocent.invoke("wait", []);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    const running = runaway.invoke("spin", []);
    await expect(running).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining("because of another instance") });
    expect(host.waiting).toHaveLength(1);
    expect(await innocent.invoke("count", [])).toEqual([1]);
  });

  it("one that keeps the thread is left alone with it: its neighbours go on elsewhere while it computes", async () => {
    const runtime = oneThread();
    const neighbours = [await startToy(runtime), await startToy(runtime)];
    const hog = await startToy(runtime);
    const running = hog.invoke("spin", []).catch((error: unknown) => error);
    for (const count of [1, 2]) {
      const answers = await Promise.all(neighbours.map((guest) => guest.invoke("count", [])));
      expect(answers).toEqual([[count], [count]]);
    }
    await hog.kill();
    expect(await running).toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING });
  });

  it("one that keeps the thread by many copies, none of them for long, is left alone with it as well", async () => {
    const runtime = oneThread();
    const host = { ...patientHost(), kv: async () => ({ kind: "exists", exists: true }) as const };
    const neighbour = await startToy(runtime);
    expect(await neighbour.invoke("count", [])).toEqual([1]);
    const crowd = await startToy(runtime, { host, limits: { concurrentCallsMax: 32, queuedCallsMax: 32 } });
    const calls = Promise.allSettled(Array.from({ length: 32 }, () => crowd.invoke("alternate", [1_000_000])));
    // A copy elsewhere begins to count anew.
    await vi.waitFor(async () => {
      const first = await neighbour.invoke("count", []);
      expect([first, await neighbour.invoke("count", [])]).toEqual([[1], [2]]);
    }, PATIENT);
    await crowd.kill();
    await calls;
    expect(await neighbour.invoke("count", [])).toEqual([3]);
  });

  it("copies of one that is alone on the thread, and calls that wait for their host, are nobody's hog", async () => {
    const runtime = oneThread();
    const host = patientHost();
    const waiter = await startToy(runtime, { host });
    expect(await waiter.invoke("count", [])).toEqual([1]);
    const waiting = waiter.invoke("wait", []);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    const busy = await startToy(runtime, {
      host: { ...patientHost(), kv: async () => ({ kind: "exists", exists: true }) as const },
      limits: { concurrentCallsMax: 4 },
    });
    await Promise.all(Array.from({ length: 4 }, () => busy.invoke("alternate", [20])));
    host.letGo();
    expect(await waiting).toEqual([2]);
  });

  it("those that keep threads from others share what there is for them, and wait for each other", async () => {
    const runtime = oneThread({ soloThreadsMax: 1 });
    const neighbour = await startToy(runtime);
    const limits = { callTimeoutMs: 1_000 };
    const first = await startToy(runtime);
    const second = await startToy(runtime, { limits });
    const running = first.invoke("spin", []).catch((error: unknown) => error);
    expect(await neighbour.invoke("count", [])).toEqual([1]);
    // The thread of hogs is taken: this one keeps the other thread, until its time is over.
    const late = second.invoke("spin", []);
    const waiting = neighbour.invoke("count", []);
    await expect(late).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await waiting).toEqual([expect.any(Number)]);
    await first.kill();
    await running;
  });

  it("one can be killed while another keeps the thread, without waiting for that one", async () => {
    const runtime = oneThread({ soloThreadsMax: 1 });
    const host = patientHost();
    const waiter = await startToy(runtime, { host });
    const waiting = waiter.invoke("wait", []).catch((error: unknown) => error);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    const hog = await startToy(runtime, { limits: { callTimeoutMs: 60_000 } });
    const running = hog.invoke("spin", []).catch((error: unknown) => error);
    await waiter.kill();
    expect(await waiting).toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING });
    host.letGo();
    await hog.kill();
    await running;
  });

  it("one with a thread of its own keeps its memory whatever others do", async () => {
    const runtime = oneThread();
    const own = await startToy(runtime, { isolation: "dedicated" });
    expect(await own.invoke("count", [])).toEqual([1]);
    const runaway = await startToy(runtime, { limits: { callTimeoutMs: 100 } });
    await expect(runaway.invoke("spin", [])).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await own.invoke("count", [])).toEqual([2]);
    await own.kill();
  });

  it("beyond the threads there are for such, one that wants its own is refused", async () => {
    const runtime = oneThread({ dedicatedThreadsMax: 1 });
    const own = await startToy(runtime, { isolation: "dedicated" });
    await expect(startToy(runtime, { isolation: "dedicated" })).rejects.toMatchObject({
      reason: Reason.NODE_AT_CAPACITY,
    });
    await own.kill();
    const next = await startToy(runtime, { isolation: "dedicated" });
    expect(await next.invoke("count", [])).toEqual([1]);
    await next.kill();
  });
});
