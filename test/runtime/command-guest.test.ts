import { describe, expect, it, vi } from "vitest";
import { Reason } from "../../src/fault.ts";
import { guestStart, recordingHost, testRuntime } from "./guest-starts.ts";
import { wasmFromWat } from "./wat.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A command whose `_start` is `body`; it may use what WASI programs use. */
function command(body: string, extra = ""): Uint8Array<ArrayBuffer> {
  return wasmFromWat(`(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
    (memory (export "memory") 1)
    ${extra}
    (func $write (param $fd i32) (param $start i32) (param $length i32)
      (i32.store (i32.const 0) (local.get $start))
      (i32.store (i32.const 4) (local.get $length))
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))
    (func (export "_start") ${body}))`);
}

const ECHO = command(`(local $n i32)
  (loop $more
    (i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 1000))
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
    (local.set $n (i32.load (i32.const 8)))
    (if (local.get $n) (then (call $write (i32.const 1) (i32.const 1024) (local.get $n)) (br $more))))`);

const ARGS_AND_ENV = command(`
  (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
  (drop (call $args_get (i32.const 100) (i32.const 1024)))
  (call $write (i32.const 1) (i32.const 1024) (i32.load (i32.const 20)))
  (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
  (drop (call $environ_get (i32.const 100) (i32.const 1024)))
  (call $write (i32.const 2) (i32.const 1024) (i32.load (i32.const 20)))`);

const SLEEP_FOREVER = command(`
  (i64.store (i32.const 512) (i64.const 7)) (i32.store (i32.const 528) (i32.const 1)) (i64.store (i32.const 536) (i64.const 9000000000000000))
  (drop (call $poll_oneoff (i32.const 512) (i32.const 1024) (i32.const 1) (i32.const 8)))`);

const FLOOD = command(`(loop $more (call $write (i32.const 1) (i32.const 1024) (i32.const 60000)) (br $more))`);

const runtime = testRuntime();

describe("a command", () => {
  it("reads its input to the end and writes its output", async () => {
    const host = recordingHost();
    const input = "line\n".repeat(5_000);
    const guest = await runtime.start(guestStart(ECHO, { stdin: text(input), host }));
    expect(guest.kind).toBe("command");
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
    expect(host.written).toEqual({ stdout: input, stderr: "" });
  });

  it("sees its arguments and its environment, and none of the agent's", async () => {
    const host = recordingHost();
    const guest = await runtime.start(
      guestStart(ARGS_AND_ENV, { args: ["stats", "--all"], env: { A: "1", B: "two" }, host }),
    );
    await guest.ended;
    expect(host.written).toEqual({ stdout: "stats\0--all\0", stderr: "A=1\0B=two\0" });
  });

  it("ends with the code that it exits with", async () => {
    const guest = await runtime.start(guestStart(command("i32.const 3 call $proc_exit")));
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 3 });
  });

  it("cannot swallow its own exit with an exception handler", async () => {
    const guest = await runtime.start(
      guestStart(command("(try (do i32.const 3 call $proc_exit) (catch_all)) unreachable")),
    );
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 3 });
  });

  it("ends trapped on unreachable, and takes no calls at any time", async () => {
    const guest = await runtime.start(guestStart(command("unreachable")));
    await expect(guest.invoke("_start", [])).rejects.toMatchObject({ reason: Reason.MODULE_KIND_UNSUPPORTED });
    expect(await guest.ended).toEqual({ kind: "trapped", message: "unreachable" });
  });

  it("is ended when it runs longer than it may, in a loop as in a sleep", async () => {
    for (const module of [command("(loop br 0)"), SLEEP_FOREVER]) {
      const guest = await runtime.start(guestStart(module, { limits: { commandTimeoutMs: 100 } }));
      expect(await guest.ended).toMatchObject({ kind: "limit", limit: "commandTimeoutMs" });
    }
  });

  it("may run longer than a call and longer than a start may take", async () => {
    const nap = command(`
      (i32.store (i32.const 528) (i32.const 1)) (i64.store (i32.const 536) (i64.const 50000000))
      (drop (call $poll_oneoff (i32.const 512) (i32.const 1024) (i32.const 1) (i32.const 8)))`);
    const guest = await runtime.start(guestStart(nap, { limits: { callTimeoutMs: 1 } }));
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
  });

  it("can be killed out of a loop, out of a sleep, and out of waiting for its output to be taken", async () => {
    for (const module of [command("(loop br 0)"), SLEEP_FOREVER, FLOOD]) {
      const guest = await runtime.start(guestStart(module));
      await guest.kill();
      expect(await guest.ended).toEqual({ kind: "stopped" });
    }
  });

  it("is drained until its grace time is over, or until it ends by itself", async () => {
    const sleeper = await runtime.start(guestStart(SLEEP_FOREVER));
    await sleeper.drain(20);
    expect(await sleeper.ended).toEqual({ kind: "stopped" });
    const echo = await runtime.start(guestStart(ECHO));
    await echo.drain(60_000);
    expect(await echo.ended).toEqual({ kind: "exited", exitCode: 0 });
  });

  it("that floods its output is held to the pace of who takes it", async () => {
    let bytes = 0;
    let isBehind = false;
    const host = {
      ...recordingHost(),
      output: (_: "stdout" | "stderr", piece: Uint8Array): void => void (bytes += piece.length),
    };
    const guest = await runtime.start(guestStart(FLOOD, { host }));
    await vi.waitFor(() => expect(bytes).toBeGreaterThan(10_000_000), { timeout: 20_000 });
    // This thread is busy here and takes nothing; what then is in flight is bounded by the window.
    const before = bytes;
    for (const until = performance.now() + 100; performance.now() < until;) isBehind = true;
    await new Promise((resolve) => setImmediate(resolve));
    expect(isBehind && bytes - before < 2_000_000).toBe(true);
    await guest.kill();
  });

  it("that writes byte by byte is held to a few writes in one turn of the agent's event loop", async () => {
    let writes = 0;
    const host = { ...recordingHost(), output: (): void => void (writes += 1) };
    const dripping = command("(loop $more (call $write (i32.const 1) (i32.const 1024) (i32.const 1)) (br $more))");
    const guest = await runtime.start(guestStart(dripping, { host }));
    await vi.waitFor(() => expect(writes).toBeGreaterThan(1_000), { timeout: 20_000 });
    let most = 0;
    // However the threads take turns: some have nothing new, and none has more than the window.
    for (let seen = 0; seen < 2_000;) {
      const before = writes;
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, writes - before);
      seen += writes - before;
    }
    expect(most).toBeLessThanOrEqual(128);
    await guest.kill();
  });

  it("that never leaves its start function is not started, and nothing remains of it", async () => {
    const looping = command("", "(func $forever (loop br 0)) (start $forever)");
    await expect(runtime.start(guestStart(looping, { limits: { startTimeoutMs: 100 } }))).rejects.toMatchObject({
      reason: Reason.START_TIMED_OUT,
    });
    const trapping = command("", "(func $trap unreachable) (start $trap)");
    await expect(runtime.start(guestStart(trapping))).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
  });

  it("starts when its memory begins at the limit, and does not one page under", async () => {
    const guest = await runtime.start(guestStart(ECHO, { limits: { memoryMaxBytes: 65_536 } }));
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 0 });
    await expect(runtime.start(guestStart(ECHO, { limits: { memoryMaxBytes: 65_535 } }))).rejects.toMatchObject({
      reason: Reason.LIMIT_INVALID,
      subject: "memoryMaxBytes",
    });
  });
});
