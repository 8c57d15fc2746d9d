import { describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import type { Ending, Guest, GuestHost, GuestLimits } from "../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime } from "../runtime/guest-starts.ts";
import { ask, exampleModule, request } from "./example-guests.ts";

const runtime = testRuntime();
const MISBEHAVE = exampleModule("misbehave");
const MIB = 1024 * 1024;

function start(limits: Partial<GuestLimits> = {}, host: GuestHost = recordingHost()): Promise<Guest> {
  return runtime.start(guestStart(MISBEHAVE, { limits, host }));
}

describe("the example misbehave", () => {
  it("behaves when asked to", async () => {
    const guest = await start();
    expect(await ask(guest, "/ok")).toMatchObject({ status: 200, text: "ok\n" });
    expect(await ask(guest, "/slow?ms=5")).toMatchObject({ status: 200, text: "Waited 5 ms.\n" });
    expect(await ask(guest, "/drip?lines=3&ms=1")).toMatchObject({ status: 200, text: "drip\ndrip\ndrip\n" });
    expect(await ask(guest, "/other")).toMatchObject({ status: 404 });
    await guest.kill();
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it.each<[string, Reason, Partial<Ending>]>([
    ["/loop", Reason.CALL_TIMED_OUT, { kind: "limit", limit: "callTimeoutMs" }],
    ["/slow?ms=600000", Reason.CALL_TIMED_OUT, { kind: "limit", limit: "callTimeoutMs" }],
    ["/trap", Reason.GUEST_TRAPPED, { kind: "trapped" }],
    ["/recurse", Reason.GUEST_TRAPPED, { kind: "trapped" }],
    ["/exit", Reason.GUEST_TRAPPED, { kind: "exited", exitCode: 1 }],
  ])("ends itself by %s, and a neighbour keeps answering", async (path, reason, ending) => {
    // A limit that is meant to be met is short, any other far away, also on a slow machine.
    const [bad, neighbour] = [await start(ending.kind === "limit" ? { callTimeoutMs: 1_000 } : {}), await start()];
    const failed = expect(ask(bad, path)).rejects.toMatchObject({ reason });
    const answered = new Set<number>();
    const over = new AbortController();
    void bad.ended.then(() => over.abort());
    do answered.add((await ask(neighbour, "/ok")).status);
    while (!over.signal.aborted);
    await failed;
    expect(await bad.ended).toMatchObject(ending);
    expect([...answered]).toEqual([200]);
    expect((await ask(neighbour, "/ok")).text).toBe("ok\n");
    await neighbour.kill();
  });

  it("is refused memory at its limit and lives on, and gets what is below", async () => {
    const guest = await start({ memoryMaxBytes: 16 * MIB });
    expect((await ask(guest, "/grow?mib=4")).text).toBe("Took 4 MiB, as asked.\n");
    expect((await ask(guest, "/grow")).text).toMatch(/^Took 1[01] MiB, then was refused more\.\n$/);
    expect((await ask(guest, "/grow?mib=1")).text).toBe("Took 0 MiB, then was refused more.\n");
    expect((await ask(guest, "/ok")).status).toBe(200);
    await guest.kill();
  });

  it("floods its log without harm", async () => {
    let loggedBytes = 0;
    const host: GuestHost = { ...recordingHost(), output: (_, bytes) => void (loggedBytes += bytes.length) };
    const guest = await start({}, host);
    expect((await ask(guest, "/flood?mib=4")).text).toBe("Logged 4 MiB.\n");
    expect(loggedBytes).toBeGreaterThanOrEqual(4 * MIB);
    expect((await ask(guest, "/ok")).status).toBe(200);
    await guest.kill();
  });

  it("sends without end until the limit of a response, and lives on", async () => {
    const guest = await start({ responseBodyMaxBytes: MIB });
    await expect(ask(guest, "/huge")).rejects.toMatchObject({ reason: Reason.BODY_TOO_LARGE });
    expect((await ask(guest, "/ok")).status).toBe(200);
    await guest.kill();
  });

  it("stops sending without end when its caller goes away, within the time of a call, and lives on", async () => {
    const guest = await start({ callTimeoutMs: 3_000, responseBodyMaxBytes: 1024 * MIB });
    const { body } = await guest.fetch(request("/huge"));
    for await (const chunk of body) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(await ask(guest, "/ok")).toMatchObject({ status: 200, text: "ok\n" });
    await guest.kill();
  });

  it("fails in the middle of a response, after its first half has come", async () => {
    const guest = await start();
    const { status, body } = await guest.fetch(request("/half"));
    expect(status).toBe(200);
    let text = "";
    const read = (async () => {
      for await (const chunk of body) text += Buffer.from(chunk).toString();
    })();
    await expect(read).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(text).toBe("This is the first half; the sec");
    expect(await guest.ended).toMatchObject({ kind: "trapped" });
  });

  it("returns without an answer, which is answered for it, and lives on", async () => {
    const guest = await start();
    expect(await ask(guest, "/silent")).toMatchObject({ status: 500 });
    expect((await ask(guest, "/ok")).status).toBe(200);
    await guest.kill();
  });
});
