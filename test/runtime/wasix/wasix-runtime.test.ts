import { beforeAll, describe, expect, it } from "vitest";
import { Reason } from "../../../src/fault.ts";
import type { Guest } from "../../../src/runtime/runtime.ts";
import { guestStart, recordingHost, testRuntime } from "../guest-starts.ts";
import { answersDuring, startNeighbour } from "../well-behaved-neighbour.ts";
import { exiting, SPINNING, TRAPPING, wasixFromWat, writing } from "./wasix-programs.ts";

const runtime = testRuntime({ poolThreadsMax: 1 });
let neighbour: Guest;
beforeAll(async () => {
  neighbour = await startNeighbour(runtime);
});

describe("the runtime", () => {
  it("tells a WASIX program from its imports", async () => {
    expect(await runtime.inspect(exiting(0))).toMatchObject({
      kind: "command",
      format: "wasix",
      functions: [],
      imports: expect.arrayContaining(["wasix_32v1.proc_exit"]),
    });
    const unknown =
      wasixFromWat(`(module (import "wasix_32v1" "thread_id" (func)) (import "wasix_32v1" "telepathy" (func))
      (memory (export "memory") 1) (func (export "_start")))`);
    await expect(runtime.inspect(unknown)).rejects.toMatchObject({
      reason: Reason.MODULE_IMPORT_UNKNOWN,
      subject: "wasix_32v1.telepathy",
    });
  });

  it("hosts WASIX programs beside guests of the pool, which answer whatever those do", async () => {
    const host = recordingHost();
    const good = await runtime.start(guestStart(writing(2), { host }));
    expect(await answersDuring(neighbour, good.ended)).toEqual({ kind: "exited", exitCode: 0 });
    expect(host.written.stdout).toBe(`${"x".repeat(63)}\n`.repeat(2));
    const trapping = await runtime.start(guestStart(TRAPPING));
    expect(await answersDuring(neighbour, trapping.ended)).toMatchObject({ kind: "trapped" });
    const spinning = await runtime.start(guestStart(SPINNING, { limits: { commandTimeoutMs: 500 } }));
    expect(await answersDuring(neighbour, spinning.ended)).toMatchObject({ kind: "limit", limit: "commandTimeoutMs" });
  });

  it("ends them when it is closed", async () => {
    const closing = testRuntime();
    const spinning = await closing.start(guestStart(SPINNING));
    await closing.close();
    expect(await spinning.ended).toEqual({ kind: "stopped" });
  });
});
