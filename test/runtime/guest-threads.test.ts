import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { createGuestThreads, type GuestThreads } from "../../src/runtime/guest-threads.ts";

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

function threads(): GuestThreads {
  const made = createGuestThreads();
  opened.push(made);
  return made;
}

function taken(from: GuestThreads): ReturnType<GuestThreads["take"]> {
  const thread = from.take();
  opened.push({ close: () => thread.terminate() });
  return thread;
}

describe("a supply of threads", () => {
  it("gives out the spare one that it has prepared, and never the same twice", async () => {
    const supply = threads();
    supply.prepare();
    supply.prepare();
    const first = taken(supply);
    await once(first, "online");
    const second = taken(supply);
    expect(second.threadId).toBe(first.threadId + 1);
  });

  it("gives out a fresh one when the spare one has died", async () => {
    const supply = threads();
    supply.prepare();
    const doomed = supply.take();
    await doomed.terminate();
    supply.prepare();
    const alive = taken(supply);
    await once(alive, "online");
    expect(alive.threadId).toBeGreaterThan(0);
  });

  it("may be closed twice, and prepares nothing afterwards", async () => {
    const supply = threads();
    supply.prepare();
    await supply.close();
    await supply.close();
    supply.prepare();
    const fresh = taken(supply);
    await once(fresh, "online");
  });
});
