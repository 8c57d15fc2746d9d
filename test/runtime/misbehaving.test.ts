import { beforeAll, describe, expect, it } from "vitest";
import { fault, isFault, Reason } from "../../src/fault.ts";
import type { OutgoingHttpError } from "../../src/providers/http/http.ts";
import type { Guest } from "../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime, type StartOptions } from "./guest-starts.ts";
import { GARBAGE, MISBEHAVING, MISDEEDS } from "./misbehaving-http.ts";
import { FUNCTIONS, loopsInStart, trapsInStart } from "./misbehaving-modules.ts";
import { get, request, textOf } from "./probe-guest.ts";
import { answersDuring, startNeighbour } from "./well-behaved-neighbour.ts";

// One thread for all, so that they are in each other's way.
const runtime = testRuntime({ poolThreadsMax: 1 });
let neighbour: Guest;
beforeAll(async () => {
  neighbour = await startNeighbour(runtime);
});

const start = (module: Uint8Array<ArrayBuffer>, options: StartOptions = {}): Promise<Guest> =>
  runtime.start(guestStart(module, options));

/** A body that breaks off counts as what the caller is told. */
const askFor = async (guest: Guest, path: string): Promise<string> => textOf(await guest.fetch(request(path)));

describe("a guest", () => {
  it.each(MISDEEDS)(
    "that $name ends, and its neighbour answers all the while; its twin $twin lives",
    async (misdeed) => {
      const { limits = {}, path, reason, ending, twin, answer } = misdeed;
      const good = await start(MISBEHAVING, { limits });
      expect(await askFor(good, twin)).toBe(answer);
      const bad = await start(MISBEHAVING, { limits });
      const told = askFor(bad, path).then(
        () => "answered",
        (error: unknown) => (isFault(error) ? error.reason : error),
      );
      expect(await answersDuring(neighbour, told)).toBe(reason);
      expect(await answersDuring(neighbour, bad.ended)).toMatchObject(ending);
      expect(await askFor(good, "/ok")).toBe("ok");
      await good.kill();
    },
  );

  it.each([
    ["is refused memory at its limit", "/grow", /^refused after MiB 6[0-3]$/, "/grow?mib=1", "took MiB 1"],
    [
      "throws its chance to answer away",
      "/discard?what=outparam",
      /gave no response/,
      "/discard",
      "kept what it needs",
    ],
    [
      "fills the host with headers",
      "/fields?each=1&bytes=30000",
      /^refused at \d+$/,
      "/fields?each=1&bytes=3000&count=20",
      "gave 20",
    ],
  ])("that %s lives on; its twin gets what it wants", async (_, path, told, twin, answer) => {
    const good = await start(MISBEHAVING);
    expect(await askFor(good, twin)).toBe(answer);
    const bad = await start(MISBEHAVING);
    expect(await answersDuring(neighbour, askFor(bad, path))).toMatch(told);
    for (const guest of [good, bad]) {
      expect(await askFor(guest, "/ok")).toBe("ok");
      await guest.kill();
    }
  });

  it("that sends without end is cut off at the limit of a response and lives on; its twin just below is not", async () => {
    const guest = await start(MISBEHAVING, { limits: { responseBodyMaxBytes: 1_000_000 } });
    await answersDuring(
      neighbour,
      expect(askFor(guest, "/huge")).rejects.toMatchObject({ reason: Reason.BODY_TOO_LARGE }),
    );
    expect((await askFor(guest, "/huge?bytes=1000000")).length).toBe(1_000_000);
    await expect(askFor(guest, "/huge?bytes=1000001")).rejects.toMatchObject({ reason: Reason.BODY_TOO_LARGE });
    await guest.kill();
  });

  it.each(["body", "stream", "parent"])(
    "that throws away its %s breaks its response off and lives on",
    async (what) => {
      const guest = await start(MISBEHAVING);
      await answersDuring(neighbour, expect(askFor(guest, `/discard?what=${what}`)).rejects.toThrow());
      expect(await get(guest, "/discard?what=nothing")).toBe("kept what it needs");
      await guest.kill();
    },
  );

  it("that computes just below its limit, again and again, does not keep its neighbour waiting", async () => {
    const hog = await start(MISBEHAVING, { limits: { callTimeoutMs: 10_000 } });
    const hogging = (async () => {
      for (let call = 0; call < 8; call += 1) expect(await get(hog, "/spin?ms=300")).toBe("ok");
    })();
    await answersDuring(neighbour, hogging);
    await hog.kill();
  });

  it("that begins requests without end and awaits none meets its limit of handles", async () => {
    let abandoned = 0;
    const host = {
      ...recordingHost(),
      http: (_request: unknown, signal: AbortSignal) =>
        new Promise<never>((_, reject) =>
          signal.addEventListener("abort", () => {
            abandoned += 1;
            const cause: OutgoingHttpError = { code: "connection-terminated", message: "abandoned" };
            reject(fault(Reason.PROVIDER_UNAVAILABLE, "abandoned", { cause }));
          }),
        ),
    };
    const guest = await start(MISBEHAVING, { host, limits: { openHandlesMax: 200 } });
    expect(await askFor(guest, "/outgoing?count=10")).toBe("began 10");
    const ended = await answersDuring(
      neighbour,
      Promise.all([guest.ended, askFor(guest, "/outgoing").catch(() => undefined)]),
    );
    expect(ended[0]).toMatchObject({ kind: "limit", limit: "openHandlesMax" });
    expect(abandoned).toBeGreaterThanOrEqual(10);
  });
});

describe("a module", () => {
  it("that loops in its start function is given up; one that loops a little is not", async () => {
    const limits = { startTimeoutMs: 500 };
    await answersDuring(
      neighbour,
      expect(start(loopsInStart(), { limits })).rejects.toMatchObject({ reason: Reason.START_TIMED_OUT }),
    );
    const twin = await start(loopsInStart(1_000_000));
    expect(await twin.invoke("answer", [])).toEqual([42]);
    await twin.kill();
  });

  it("that traps in its start function is refused; one that does not is not", async () => {
    await answersDuring(
      neighbour,
      expect(start(trapsInStart(true))).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED }),
    );
    const twin = await start(trapsInStart(false));
    expect(await twin.invoke("answer", [])).toEqual([42]);
    await twin.kill();
  });

  it("gets memory and table entries up to the limit, and lives on when it is refused more", async () => {
    const guest = await start(FUNCTIONS, { limits: { memoryMaxBytes: 16 * 65_536 } });
    expect(await guest.invoke("grow_memory", [15])).toEqual([1]);
    expect(await answersDuring(neighbour, guest.invoke("grow_memory", [1]))).toEqual([-1]);
    expect(await guest.invoke("grow_table", [262_143])).toEqual([1]);
    expect(await answersDuring(neighbour, guest.invoke("grow_table", [1]))).toEqual([-1]);
    expect(await guest.invoke("answer", [])).toEqual([42]);
    await guest.kill();
  });

  it.each<[string, readonly unknown[], readonly unknown[]]>([
    ["recurse", [1_000_000_000], [1_000]],
    ["divide", [1, 0], [1, 1]],
  ])("whose function %s traps on %j ends; on %j it does not", async (name, args, good) => {
    const guest = await start(FUNCTIONS);
    expect(await guest.invoke(name, good)).toHaveLength(1);
    await answersDuring(
      neighbour,
      expect(guest.invoke(name, args)).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED }),
    );
    expect(await guest.ended).toMatchObject({ kind: "trapped" });
  });

  it("whose function computes past its time ends", async () => {
    const guest = await start(FUNCTIONS, { limits: { callTimeoutMs: 500 } });
    expect(await guest.invoke("spin", ["1000"])).toEqual([1]);
    await answersDuring(
      neighbour,
      expect(guest.invoke("spin", ["-1"])).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT }),
    );
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
  });
});

describe("a component", () => {
  const named = (name: string): string => `wasmatrix:garbage/functions#${name}`;

  it.each([
    ["text", "good"],
    ["bytes", [103, 111, 111, 100]],
    ["letter", "g"],
    ["hue", "green"],
    ["maybe", "7"],
  ])("whose %s is garbage traps; when it is good it is taken", async (name, good) => {
    const guest = await start(GARBAGE);
    expect(await guest.invoke(named(name), [true])).toEqual([good]);
    await answersDuring(
      neighbour,
      expect(guest.invoke(named(name), [false])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED }),
    );
    expect(await guest.ended).toMatchObject({ kind: "trapped" });
  });

  it.each([
    ["an address outside of its memory", 1],
    ["an address that is not aligned", 2],
    ["a trap", 3],
  ])("that gives %s as room for arguments traps", async (_, mode) => {
    const guest = await start(GARBAGE);
    expect(await guest.invoke(named("numbers"), [[1, 2, 3]])).toEqual([3]);
    await guest.invoke(named("set-realloc"), [mode]);
    await answersDuring(
      neighbour,
      expect(guest.invoke(named("numbers"), [[1, 2, 3]])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED }),
    );
    expect(await guest.ended).toMatchObject({ kind: "trapped" });
  });

  it("that looks for room for ever is ended at the time of its call", async () => {
    const guest = await start(GARBAGE, { limits: { callTimeoutMs: 500 } });
    expect(await guest.invoke(named("length"), ["four"])).toEqual([4]);
    await guest.invoke(named("set-realloc"), [4]);
    await answersDuring(
      neighbour,
      expect(guest.invoke(named("length"), ["four"])).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT }),
    );
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
  });
});
