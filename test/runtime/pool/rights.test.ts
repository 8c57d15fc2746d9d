import { describe, expect, it, vi } from "vitest";
import { recordingHost } from "../guest-starts.ts";
import { oneThread, startToy } from "./toy-guest.ts";

const GRANTED = { folders: [], env: { NAME: "value" } };
const NOTHING = { folders: [], env: {} };

describe("changed rights", () => {
  it("are in force for the next call, and for copies that are made later", async () => {
    const guest = await startToy(oneThread(), { rights: GRANTED, limits: { callTimeoutMs: 20_000 } });
    await guest.setRights(NOTHING);
    expect(await guest.invoke("follow", [])).toEqual([1]);
    const fresh = await startToy(oneThread(), { rights: GRANTED, reuse: "none" });
    await fresh.setRights(NOTHING);
    for (let call = 0; call < 3; call++) expect(await fresh.invoke("follow", [])).toEqual([1]);
    await Promise.all([guest.kill(), fresh.kill()]);
  });

  it("are in force for a guest that never gives its thread away, and for no other guest of the thread", async () => {
    const runtime = oneThread();
    let used = 0;
    const host = {
      ...recordingHost(),
      audit: (_: string, __: "used" | "denied", count: number): void => void (used += count),
    };
    const guest = await startToy(runtime, { rights: GRANTED, isolation: "dedicated", host });
    const other = await startToy(runtime, { rights: GRANTED });
    const following = guest.invoke("follow", []);
    let isOver = false;
    void following.then(() => (isOver = true));
    // It has begun when it has been seen to use the variable.
    await vi.waitFor(() => expect(used).toBeGreaterThan(0), { timeout: 20_000 });
    expect(isOver).toBe(false);
    await guest.setRights(NOTHING);
    const [looks] = await following;
    expect(looks).toBeGreaterThan(1);
    const stillGranted = other.invoke("follow", []);
    await other.setRights(NOTHING);
    expect((await stillGranted)[0]).toBeGreaterThanOrEqual(1);
    await Promise.all([guest.kill(), other.kill()]);
  });
});
