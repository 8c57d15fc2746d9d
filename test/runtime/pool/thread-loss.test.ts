/** Threads that go away without anybody's fault, as far as a test can bring that about: it ends them. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { coreModuleFromBytes } from "../../../src/runtime/core-module.ts";
import { prepareCoreInvoke } from "../../../src/runtime/invoke-arguments.ts";
import { createDeadlines } from "../../../src/runtime/pool/deadlines.ts";
import { startPooledGuest } from "../../../src/runtime/pool/pooled-guest.ts";
import type { ThreadWorker } from "../../../src/runtime/pool/pool-thread.ts";
import { createPool, type Pool } from "../../../src/runtime/pool/pool.ts";
import { createThreadSupply } from "../../../src/runtime/pool/thread-supply.ts";
import type { Guest } from "../../../src/runtime/runtime.ts";
import { guestStart, type StartOptions } from "../guest-starts.ts";
import { patientHost, TOY } from "./toy-guest.ts";

const PATIENT = { timeout: 20_000 };
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

type Bench = { readonly workers: ThreadWorker[]; start(options?: StartOptions): Promise<Guest> };

/** A pool of one thread whose workers the test has its hands on. */
async function bench(): Promise<Bench> {
  const workers: ThreadWorker[] = [];
  const supply = createThreadSupply(128);
  const watched = {
    ...supply,
    take() {
      const taken = supply.take();
      workers.push(taken.worker);
      return taken;
    },
  };
  const counts = { threadsMax: 1, soloThreadsMax: 1, dedicatedThreadsMax: 1 };
  const pool: Pool = createPool({ clock: systemClock, supply: watched, counts });
  const deadlines = createDeadlines(systemClock);
  open.push(pool);
  const program = {
    threadProgram: { kind: "core", module: await WebAssembly.compile(TOY) },
    memoryCount: 1,
  } as const;
  const prepareInvoke = prepareCoreInvoke(coreModuleFromBytes(TOY));
  return {
    workers,
    async start(options = {}) {
      const deps = { kind: "functions", program, prepareInvoke, pool, clock: systemClock, deadlines } as const;
      const { guest, ready } = startPooledGuest(guestStart(TOY, options), deps);
      await ready;
      return guest;
    },
  };
}

describe("a thread that goes away", () => {
  it("takes calls along that had begun, and no guest: they go on with fresh copies elsewhere", async () => {
    const { workers, start } = await bench();
    const host = patientHost();
    const [waiter, neighbour] = [await start({ host }), await start()];
    expect(await neighbour.invoke("count", [])).toEqual([1]);
    const waiting = waiter.invoke("wait", []);
    await vi.waitFor(() => expect(host.waiting).toHaveLength(1), PATIENT);
    void workers[0]?.terminate();
    await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining("the call had begun") });
    expect(await Promise.all([waiter.invoke("count", []), neighbour.invoke("count", [])])).toEqual([[1], [1]]);
    expect(workers).toHaveLength(2);
  });

  it("with a single guest ends that: it may be what broke it", async () => {
    const { workers, start } = await bench();
    const guest = await start();
    void workers[0]?.terminate();
    expect(await guest.ended).toMatchObject({ kind: "host-failed" });
    const next = await start();
    expect(await next.invoke("count", [])).toEqual([1]);
  });

  it("while a guest starts on it together with others has the start done elsewhere", async () => {
    const { workers, start } = await bench();
    const neighbour = await start();
    const starting = start();
    void workers[0]?.terminate();
    expect(await (await starting).invoke("count", [])).toEqual([1]);
    expect(await neighbour.invoke("count", [])).toEqual([1]);
  });
});
