import { once } from "node:events";
import { createServer } from "node:net";
import { afterAll, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { Reason } from "../../../src/fault.ts";
import type { Guest, GuestHost, GuestLimits, GuestStart } from "../../../src/runtime/runtime.ts";
import { startWasixGuest, WASIX_THREADS_MAX } from "../../../src/runtime/wasix/wasix-guest.ts";
import { guestStart, recordingHost } from "../guest-starts.ts";
import * as programs from "./wasix-programs.ts";

const guests: Guest[] = [];
afterAll(() => Promise.all(guests.map((guest) => guest.kill())));

type Options = Partial<Omit<GuestStart, "limits">> & { readonly limits?: Partial<GuestLimits> };

async function start(
  program: Uint8Array<ArrayBuffer>,
  options: Options = {},
): Promise<Guest & { readonly written: { stdout: string; stderr: string } }> {
  const host = recordingHost();
  const guest = await startWasixGuest(guestStart(program, { host, ...options }), program, { clock: systemClock });
  guests.push(guest);
  return Object.assign(guest, { written: host.written });
}

describe("a WASIX program", () => {
  it("gets its arguments, its environment and its input, writes live, and exits with its code", async () => {
    const stdin = Buffer.from("line one\nline two\n".repeat(10_000));
    const guest = await start(programs.TELLS_ALL, {
      args: ["main", "one", "zwei"],
      stdin,
      rights: { folders: [], env: { COLOUR: "blue" } },
    });
    expect(guest.kind).toBe("command");
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
    expect(guest.written.stdout).toBe("main\0one\0zwei\0COLOUR=blue\0");
    expect(guest.written.stderr).toBe(stdin.toString());
    const failing = await start(programs.exiting(7));
    expect(await failing.ended).toEqual({ kind: "exited", exitCode: 7 });
  });

  it("is ended while it computes and while it sleeps, and its output came before", async () => {
    for (const [program, line] of [
      [programs.SPINNING, "spinning\n"],
      [programs.SLEEPING, "sleeping\n"],
    ] as const) {
      const guest = await start(program);
      await vi.waitFor(() => expect(guest.written.stdout).toBe(line), { timeout: 10_000 });
      await guest.kill();
      await guest.kill();
      expect(await guest.ended).toEqual({ kind: "stopped" });
    }
  });

  it("may finish while it drains, and is ended when it does not", async () => {
    const short = await start(programs.writing(10));
    await short.drain(60_000);
    expect(await short.ended).toEqual({ kind: "exited", exitCode: 0 });
    const long = await start(programs.SLEEPING);
    await long.drain(1);
    expect(await long.ended).toEqual({ kind: "stopped" });
  });

  it("traps alone, and others run on", async () => {
    const neighbour = await start(programs.SLEEPING);
    const trapping = await start(programs.TRAPPING);
    expect(await trapping.ended).toMatchObject({ kind: "trapped", message: expect.stringContaining("unreachable") });
    const inStart = await start(programs.TRAPPING_IN_START);
    expect(await inStart.ended).toEqual({ kind: "exited", exitCode: 45 });
    await vi.waitFor(() => expect(neighbour.written.stdout).toBe("sleeping\n"), { timeout: 10_000 });
    const after = await start(programs.exiting(3));
    expect(await after.ended).toEqual({ kind: "exited", exitCode: 3 });
    await neighbour.kill();
  }, 60_000);

  it("takes no calls", async () => {
    const guest = await start(programs.exiting(0));
    for (const call of [guest.fetch, guest.invoke, guest.deliver])
      await expect(Reflect.apply(call, guest, [])).rejects.toMatchObject({ reason: Reason.MODULE_KIND_UNSUPPORTED });
    await guest.ended;
    await guest.setRights({ folders: [], env: {} });
  });
});

describe("a limit of a WASIX program", () => {
  const own = '(memory (export "memory") 2)';
  it.each([
    ["its own memory", 14, 1, own],
    ["its own memory", 15, 0, own],
    ["a shared memory", 14, 1, programs.SHARED_MEMORY],
    ["a shared memory", 15, 0, programs.SHARED_MEMORY],
  ])("holds %s of 16 pages: of 2 it grows by %i: %i", async (_, pages, got, memory) => {
    const guest = await start(programs.growing(pages, memory), { limits: { memoryMaxBytes: 16 * 65_536 } });
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: got });
  });

  it("is its time", async () => {
    const guest = await start(programs.SPINNING, { limits: { commandTimeoutMs: 300 } });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "commandTimeoutMs" });
    const quick = await start(programs.exiting(0), { limits: { commandTimeoutMs: 60_000 } });
    expect(await quick.ended).toEqual({ kind: "exited", exitCode: 0 });
  });

  it("is the time to begin", async () => {
    await expect(start(programs.exiting(0), { limits: { startTimeoutMs: 1 } })).rejects.toMatchObject({
      reason: Reason.START_TIMED_OUT,
    });
  });

  it("is what it writes: lines and bytes", async () => {
    const limits = { outputMaxLinesPerMinute: 100, outputMaxBytesPerMinute: 1_000_000 };
    const flood = await start(programs.writing(), { limits });
    expect(await flood.ended).toMatchObject({ kind: "limit", limit: "outputMaxLinesPerMinute" });
    const twin = await start(programs.writing(100), { limits });
    expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
    const bytes = await start(programs.writing(), { limits: { outputMaxBytesPerMinute: 10_000 } });
    expect(await bytes.ended).toMatchObject({ kind: "limit", limit: "outputMaxBytesPerMinute" });
  });

  it("is the number of its threads", async () => {
    const few = await start(programs.spawning(2, 2));
    expect(await few.ended).toEqual({ kind: "exited", exitCode: 2 });
    // Those that are one too many never begin; the program is not told.
    const many = await start(programs.spawning(64, 4));
    const ending = await many.ended;
    expect(ending.kind === "exited" && ending.exitCode).toBeLessThanOrEqual(WASIX_THREADS_MAX);
  }, 60_000);

  it("is what its files take", async () => {
    const twin = await start(programs.filling(16));
    expect(await twin.ended).toEqual({ kind: "exited", exitCode: 0 });
    const greedy = await start(programs.filling());
    expect(await greedy.ended).not.toEqual({ kind: "exited", exitCode: 0 });
    const after = await start(programs.exiting(3));
    expect(await after.ended).toEqual({ kind: "exited", exitCode: 3 });
  }, 60_000);

  it("cannot be CPU time, and that is said", async () => {
    await expect(start(programs.exiting(0), { limits: { cpuTimeMaxMs: 1_000 } })).rejects.toMatchObject({
      reason: Reason.LIMIT_INVALID,
      subject: "cpuTimeMaxMs",
    });
  });
});

describe("a connection of a WASIX program", () => {
  it("to the node itself is refused, with sockets and without, and counted", async () => {
    let connections = 0;
    const server = createServer(() => (connections += 1)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const counted: string[] = [];
    const host: GuestHost = {
      ...recordingHost(),
      audit: (permission, outcome) => void counted.push(`${permission} ${outcome}`),
    };
    for (const sockets of [false, true]) {
      const guest = await start(programs.connecting([127, 0, 0, 1], port), {
        host,
        rights: { folders: [], env: {}, sockets },
      });
      expect(await guest.ended).toMatchObject({ kind: "exited", exitCode: expect.toSatisfy((code) => code !== 0) });
    }
    expect(counted).toEqual(["http:request denied", "http:request denied"]);
    expect(connections).toBe(0);
    server.close();
  });
});
