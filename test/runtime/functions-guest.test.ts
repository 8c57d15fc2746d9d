import { describe, expect, it } from "vitest";
import { Reason } from "../../src/fault.ts";
import { guestStart, testRuntime } from "./guest-starts.ts";
import { wasmFromWat } from "./wat.ts";

const ARITHMETIC = wasmFromWat(`(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
  (func (export "twice64") (param i64) (result i64) local.get 0 i64.const 2 i64.mul)
  (func (export "half") (param f64) (result f64) local.get 0 f64.const 2 f64.div)
  (func (export "round32") (param f32) (result f32) local.get 0)
  (func (export "swap") (param i32 i64) (result i64 i32) local.get 1 local.get 0)
  (func (export "nothing"))
  (func (export "count") (result i32) (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))
  (func (export "divide") (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s)
  (func (export "spin") (loop br 0))
  (func $deep (export "deep") (result i32) call $deep i32.const 1 i32.add)
  (func (export "quit") (param i32) local.get 0 call $exit)
  (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
  (func (export "vector") (param v128)))`);

const runtime = testRuntime();

describe("a guest with exported functions", () => {
  it("is called with JSON values and answers with JSON values", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    expect(guest.kind).toBe("functions");
    expect(await guest.invoke("add", [2, 3])).toEqual([5]);
    expect(await guest.invoke("add", [4294967295, 1])).toEqual([0]);
    expect(await guest.invoke("twice64", ["4611686018427387904"])).toEqual(["-9223372036854775808"]);
    expect(await guest.invoke("twice64", [21])).toEqual(["42"]);
    expect(await guest.invoke("half", [5])).toEqual([2.5]);
    expect(await guest.invoke("half", ["-Infinity"])).toEqual(["-Infinity"]);
    expect(await guest.invoke("round32", [0.1])).toEqual([Math.fround(0.1)]);
    expect(await guest.invoke("swap", [1, "2"])).toEqual(["2", 1]);
    expect(await guest.invoke("nothing", [])).toEqual([]);
    await guest.kill();
  });

  it("keeps its state between calls and serves them in order", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    const counts = await Promise.all(Array.from({ length: 10 }, () => guest.invoke("count", [])));
    expect(counts.flat()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await guest.kill();
  });

  it.each([
    ["add", [1], "it takes 2 arguments (i32, i32), 1 given", ""],
    ["add", [1, "2"], 'argument 2 must be i32, a whole number from -2147483648 to 4294967295 (got "2")', "args[1]"],
    [
      "add",
      [1, 4294967296],
      "argument 2 must be i32, a whole number from -2147483648 to 4294967295 (got 4294967296)",
      "args[1]",
    ],
    [
      "twice64",
      ["0x10"],
      'argument 1 must be i64, a string of decimal digits (or a safe integer) from -9223372036854775808 to 18446744073709551615 (got "0x10")',
      "args[0]",
    ],
    ["half", [null], 'argument 1 must be f64, a number, or "NaN", "Infinity", "-Infinity" (got null)', "args[0]"],
    ["vector", [0], "argument 1 is a v128, which JSON cannot carry", "args[0]"],
  ])("refuses %s(%j) with a sentence and is not disturbed", async (name, args, problem, subject) => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    await expect(guest.invoke(name, args)).rejects.toMatchObject({
      reason: Reason.ARGUMENT_INVALID,
      message: `Cannot call function "${name}": ${problem}`,
      subject,
    });
    expect(await guest.invoke("add", [1, 1])).toEqual([2]);
    await guest.kill();
  });

  it("refuses a function that it does not export, naming those that it does", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    await expect(guest.invoke("subtract", [])).rejects.toMatchObject({
      reason: Reason.FUNCTION_NOT_FOUND,
      subject: "subtract",
      message: expect.stringContaining("add, twice64"),
    });
    await guest.kill();
  });

  it("refuses HTTP requests", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    const request = {
      method: "GET",
      scheme: "http",
      authority: "x",
      pathWithQuery: "/",
      headers: [],
      body: undefined,
    } as const;
    await expect(guest.fetch(request)).rejects.toMatchObject({ reason: Reason.MODULE_KIND_UNSUPPORTED });
    await guest.kill();
  });

  it("is ended by a trap, which the caller is told", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    expect(await guest.invoke("divide", [6, 3])).toEqual([2]);
    await expect(guest.invoke("divide", [1, 0])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toEqual({ kind: "trapped", message: "divide by zero" });
    await expect(guest.invoke("divide", [6, 3])).rejects.toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING });
  });

  it("is ended by recursion without end as by a trap", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    await expect(guest.invoke("deep", [])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toEqual({ kind: "trapped", message: "Maximum call stack size exceeded" });
  });

  it("is ended by exit, with its code", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    await expect(guest.invoke("quit", [7])).rejects.toMatchObject({ reason: Reason.GUEST_TRAPPED });
    expect(await guest.ended).toEqual({ kind: "exited", exitCode: 7 });
  });

  it("is ended when a call takes too long, and calls that wait are refused", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC, { limits: { callTimeoutMs: 100 } }));
    const running = guest.invoke("spin", []);
    const waiting = guest.invoke("add", [1, 1]);
    await Promise.all([
      expect(running).rejects.toMatchObject({ reason: Reason.CALL_TIMED_OUT }),
      expect(waiting).rejects.toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING }),
    ]);
    expect(await guest.ended).toMatchObject({ kind: "limit", limit: "callTimeoutMs" });
  });

  it("has memory.grow answer -1 past its limit, and the old size up to it", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC, { limits: { memoryMaxBytes: 10 * 65_536 + 100 } }));
    expect(await guest.invoke("grow", [10])).toEqual([-1]);
    expect(await guest.invoke("grow", [9])).toEqual([1]);
    expect(await guest.invoke("grow", [1])).toEqual([-1]);
    await guest.kill();
  });

  it("refuses the call beyond the queue, and takes it when there is room", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC, { limits: { queuedCallsMax: 2 } }));
    const calls = [1, 2, 3].map(() => guest.invoke("count", []));
    await expect(guest.invoke("count", [])).rejects.toMatchObject({ reason: Reason.CALL_QUEUE_FULL, subject: "a1" });
    expect(await Promise.all(calls)).toEqual([[1], [2], [3]]);
    expect(await guest.invoke("count", [])).toEqual([4]);
    await guest.kill();
  });

  it("leaves out a call that was abandoned in the queue, and finishes one that runs", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    const controllers = [0, 1, 2].map(() => new AbortController());
    const calls = controllers.map(({ signal }) => guest.invoke("count", [], signal));
    controllers[0]?.abort();
    controllers[1]?.abort();
    await Promise.all([0, 1].map((index) => expect(calls[index]).rejects.toMatchObject({ reason: Reason.CANCELED })));
    expect(await calls[2]).toEqual([2]);
    await expect(guest.invoke("count", [], AbortSignal.abort())).rejects.toMatchObject({ reason: Reason.CANCELED });
    await guest.kill();
  });

  it("finishes the calls it has while it drains, and takes no new ones", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    const calls = [1, 2, 3].map(() => guest.invoke("count", []));
    const drained = guest.drain(60_000);
    await expect(guest.invoke("count", [])).rejects.toMatchObject({
      reason: Reason.INSTANCE_NOT_RUNNING,
      message: expect.stringContaining("stopping"),
    });
    expect(await Promise.all(calls)).toEqual([[1], [2], [3]]);
    await drained;
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it("is ended after the grace time if a call does not finish", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    const call = expect(guest.invoke("spin", [])).rejects.toMatchObject({ reason: Reason.INSTANCE_NOT_RUNNING });
    await guest.drain(50);
    await call;
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it("may be drained twice, and is gone for both as soon as it is idle", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    const calls = [1, 2].map(() => guest.invoke("count", []));
    await Promise.all([guest.drain(60_000), guest.drain(60_000)]);
    expect(await Promise.all(calls)).toEqual([[1], [2]]);
    await guest.drain(60_000);
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it("may be killed twice and stays ended as it was", async () => {
    const guest = await runtime.start(guestStart(ARITHMETIC));
    await Promise.all([guest.kill(), guest.kill()]);
    await guest.drain(1_000);
    expect(await guest.ended).toEqual({ kind: "stopped" });
  });

  it("has _initialize called before the first call, and not offered as a function", async () => {
    const reactor = wasmFromWat(`(module (global $ready (mut i32) (i32.const 0))
      (func (export "_initialize") i32.const 41 global.set $ready)
      (func (export "ready") (result i32) global.get $ready))`);
    const guest = await runtime.start(guestStart(reactor));
    expect(await guest.invoke("ready", [])).toEqual([41]);
    await expect(guest.invoke("_initialize", [])).rejects.toMatchObject({ reason: Reason.FUNCTION_NOT_FOUND });
    await guest.kill();
  });
});
