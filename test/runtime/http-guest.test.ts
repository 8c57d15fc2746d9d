import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../src/fault.ts";
import { recordingHost, testRuntime } from "./guest-starts.ts";
import { get, request, startProbe as start, textOf } from "./probe-guest.ts";

const runtime = testRuntime();
const startProbe = (options: Parameters<typeof start>[1] = {}): ReturnType<typeof start> => start(runtime, options);

async function* bytesOf(total: number, pieceBytes = 10_000): AsyncGenerator<Uint8Array> {
  for (let left = total; left > 0; left -= pieceBytes) yield new Uint8Array(Math.min(left, pieceBytes));
}

describe("an HTTP guest", () => {
  it("answers with status, headers and body, and keeps its state between requests", async () => {
    const guest = await startProbe();
    expect(guest.kind).toBe("http");
    const response = await guest.fetch(request("/headers"));
    expect(response.status).toBe(201);
    expect(response.headers).toEqual([
      ["x-twice", "1"],
      ["X-Twice", "2"],
      ["x-byte", "\xe9\tx"],
    ]);
    expect(await textOf(response)).toBe("refused");
    expect(await get(guest, "/calls")).toBe("2");
    expect(await Promise.all([get(guest, "/calls"), get(guest, "/calls")])).toEqual(["3", "4"]);
    await expect(guest.invoke("handle", [])).rejects.toMatchObject({ reason: Reason.MODULE_KIND_UNSUPPORTED });
    await guest.kill();
  });

  it("sees its environment, clocks and randomness, and neither files nor a terminal", async () => {
    const guest = await startProbe({ env: { GREETING: "hello" } });
    // That a request to the outside is denied shows only when its response is awaited: `permissions` tests that.
    expect((await get(guest, "/surroundings")).split("\n").slice(0, 6)).toEqual([
      "GREETING=hello",
      "directories=0",
      "terminal=0",
      "this century=true",
      "random=true",
      "slept=true",
    ]);
    await guest.kill();
  });

  it("sends the pieces of a response while the request is still coming in", async () => {
    const guest = await startProbe();
    const gate = Promise.withResolvers<void>();
    const body = (async function* () {
      yield Buffer.from("first");
      await gate.promise;
      yield Buffer.from("second");
    })();
    const response = await guest.fetch(request("/splice", body));
    const pieces = response.body[Symbol.asyncIterator]();
    expect(Buffer.from((await pieces.next()).value ?? []).toString()).toBe("first");
    gate.resolve();
    expect(Buffer.from((await pieces.next()).value ?? []).toString()).toBe("second");
    expect((await pieces.next()).done).toBe(true);
    await guest.kill();
  });

  it("moves a large body through a small window", async () => {
    const guest = await startProbe();
    let taken = 0;
    let given = 0;
    let aheadMax = 0;
    const body = (async function* () {
      for (let index = 0; index < 800; index++) {
        given += 10_000;
        aheadMax = Math.max(aheadMax, given - taken);
        yield new Uint8Array(10_000).fill(index);
      }
    })();
    for await (const piece of (await guest.fetch(request("/splice", body))).body) taken += piece.length;
    expect(taken).toBe(8_000_000);
    expect(aheadMax).toBeLessThan(1_000_000);
    await guest.kill();
  });

  it("waits for a reader that takes its time", async () => {
    const host = recordingHost();
    const guest = await startProbe({ host });
    const response = await guest.fetch(request("/fill?bytes=3000000"));
    const pieces = response.body[Symbol.asyncIterator]();
    const first = await pieces.next();
    expect(host.written.stderr).toBe("");
    let total = first.value?.length ?? 0;
    for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next()) total += piece.value.length;
    expect(total).toBe(3_000_000);
    expect(host.written.stderr).toBe("all written\n");
    await guest.kill();
  });

  it("polls a body against a timer and reads it without blocking", async () => {
    const guest = await startProbe();
    expect(await get(guest, "/count", bytesOf(123_456))).toBe("end after 123456");
    expect(await get(guest, "/count")).toBe("end after 0");
    await guest.kill();
  });

  it("may write its body before it has set the response", async () => {
    const guest = await startProbe();
    expect(await get(guest, "/early")).toBe("early");
    await guest.kill();
  });

  it("that gives an error or nothing makes a 500, and goes on", async () => {
    const guest = await startProbe();
    const error = await guest.fetch(request("/error"));
    expect([error.status, await textOf(error)]).toEqual([
      500,
      "The handler gave no response: internal-error (no idea)\n",
    ]);
    const silence = await guest.fetch(request("/silence"));
    expect([silence.status, await textOf(silence)]).toEqual([
      500,
      "The handler gave no response: the handler returned without a response\n",
    ]);
    expect(await get(guest, "/calls")).toBe("3");
    await guest.kill();
  });

  it("that drops its body midway makes the reader fail, and goes on", async () => {
    const guest = await startProbe();
    await expect(get(guest, "/half")).rejects.toMatchObject({
      reason: Reason.GUEST_TRAPPED,
      message: expect.stringContaining("dropped the body unfinished"),
    });
    expect(await get(guest, "/calls")).toBe("2");
    await guest.kill();
  });

  it("is ended by a trap, by exit, and by a request that takes too long, each as what it is", async () => {
    for (const [path, reason, ending] of [
      ["/trap", Reason.GUEST_TRAPPED, { kind: "trapped", message: "unreachable" }],
      ["/exit", Reason.GUEST_TRAPPED, { kind: "exited", exitCode: 1 }],
      [
        "/spin",
        Reason.CALL_TIMED_OUT,
        { kind: "limit", limit: "callTimeoutMs", message: "ran longer than callTimeoutMs allows (300 ms)" },
      ],
    ] as const) {
      const guest = await startProbe({ limits: { callTimeoutMs: 300 } });
      const waiting = guest.fetch(request(path));
      await expect(waiting).rejects.toMatchObject({ reason });
      expect(await guest.ended).toEqual(ending);
      await expect(guest.fetch(request("/calls"))).rejects.toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING });
    }
  });

  it("tells the reader of a response when it ends midway", async () => {
    const guest = await startProbe();
    const response = await guest.fetch(request("/fill?bytes=3000000"));
    await guest.kill();
    await expect(textOf(response)).rejects.toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING });
  });

  it("survives a reader that goes away, one that is too slow, and a client that stops sending", async () => {
    const guest = await startProbe({ limits: { callTimeoutMs: 1_000, responseBodyMaxBytes: 1e9 } });
    for await (const _ of (await guest.fetch(request("/fill?bytes=3000000"))).body) break;
    expect(await get(guest, "/calls")).toBe("2");

    const slow = await guest.fetch(request("/fill?bytes=3000000"));
    expect(await get(guest, "/calls")).toBe("4");
    await expect(textOf(slow)).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });

    const silent = (async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      await new Promise(() => {});
    })();
    await expect(get(guest, "/count", silent)).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await get(guest, "/calls")).toBe("6");

    const controller = new AbortController();
    const aborted = guest.fetch(request("/fill?bytes=3000000"), controller.signal);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ reason: Reason.CANCELED });
    expect(await get(guest, "/calls")).toBe("8");
    await guest.kill();
  });

  it("has a request body cut off beyond its limit, and takes one that just fits", async () => {
    const guest = await startProbe({ limits: { requestBodyMaxBytes: 50_000 } });
    expect(await get(guest, "/count", bytesOf(50_000))).toBe("end after 50000");
    await expect(get(guest, "/count", bytesOf(50_001))).rejects.toMatchObject({
      reason: Reason.BODY_TOO_LARGE,
      subject: "requestBodyMaxBytes",
    });
    expect(await get(guest, "/calls")).toBe("3");
    await guest.kill();
  });

  it("has a response body cut off beyond its limit, and sends one that just fits", async () => {
    const host = recordingHost();
    const guest = await startProbe({ host, limits: { responseBodyMaxBytes: 500_000 } });
    expect(await get(guest, "/fill?bytes=500000")).toHaveLength(500_000);
    await expect(get(guest, "/fill?bytes=500001")).rejects.toMatchObject({
      reason: Reason.BODY_TOO_LARGE,
      subject: "responseBodyMaxBytes",
    });
    await vi.waitFor(() => expect(host.written.stderr.split("\n")).toHaveLength(3));
    expect(await get(guest, "/calls")).toBe("3");
    await guest.kill();
  });

  it("learns that the request body could not be read", async () => {
    const guest = await startProbe();
    const broken = (async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(5);
      throw new Error("connection reset");
    })();
    await expect(get(guest, "/count", broken)).rejects.toMatchObject({ reason: Reason.CANCELED });
    expect(await get(guest, "/calls")).toBe("2");
    await guest.kill();
  });

  it.each(["bodies", "timers"])("cannot make the host hold %s without end", async (what) => {
    const guest = await startProbe({ limits: { openHandlesMax: 10_000 } });
    await expect(guest.fetch(request(`/hoard/${what}`))).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "openHandlesMax" });
  });

  it("cannot make the host hold large headers without end: it gets no more, and has its call's time to notice", async () => {
    const guest = await startProbe({ limits: { callTimeoutMs: 500 } });
    await expect(guest.fetch(request("/hoard/fields"))).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT });
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
  });

  it("gives back every handle, so that it goes on for thousands of requests", async () => {
    const guest = await startProbe();
    for (let number = 1; number <= 1_500; number++) expect(await get(guest, "/calls")).toBe(String(number));
    expect(await get(guest, "/count", bytesOf(15_000_000, 10_000))).toBe("end after 15000000");
    await guest.kill();
  });

  it("cannot make the host hold one megabyte a thousand times", async () => {
    const guest = await startProbe();
    expect(await get(guest, "/amplify?count=10")).toBe("refused");
    await expect(get(guest, "/amplify?count=1000")).rejects.toMatchObject({
      reason: Reason.GUEST_TRAPPED,
      message: expect.stringContaining("in one call"),
    });
  });
});
