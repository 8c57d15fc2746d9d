/** The misbehaving guests in a whole agent: what is known of each afterwards, and that it and its neighbours answer again. */
import { type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { Reason } from "../../src/fault.ts";
import {
  CapabilityType,
  InstanceState,
  RestartMode,
  TerminationCause,
  type LimitsSchema,
  type RestartPolicySchema,
} from "../../src/gen/wasmatrix/v1/instance_pb.ts";
import type { Ending, GuestLimits } from "../../src/runtime/runtime.ts";
import { MISBEHAVING, MISDEEDS } from "../runtime/misbehaving-http.ts";
import {
  loopsInStart,
  sleepingCommand,
  spinningCommand,
  trapsInStart,
  writingCommand,
} from "../runtime/misbehaving-modules.ts";
import { idOf, query, runAgent, start, type SpecInit } from "./real-agent.ts";

type Agent = Awaited<ReturnType<typeof runAgent>>;

/** They import `wasi:http/outgoing-handler`, which must be decided on. */
const DENY_NET = [{ type: CapabilityType.HTTP, deniedPermissions: ["http:request"] }];

let agent: Agent;
beforeAll(async () => {
  agent = await runAgent();
  await start(agent.rpc, "neighbour", MISBEHAVING, { name: "neighbour", assignments: DENY_NET });
});

/** One restart, at once; then it is given up. */
const RESTART_ONCE: MessageInitShape<typeof RestartPolicySchema> = {
  mode: RestartMode.ON_FAILURE,
  maxRetries: 1,
  backoff: durationFromMs(10),
};
const PATIENCE = { timeout: 20_000 };

/** Limits as the API has them. */
function limitsOf({
  memoryMaxBytes,
  outputMaxBytesPerMinute,
  ...limits
}: Partial<GuestLimits>): MessageInitShape<typeof LimitsSchema> {
  const { callTimeoutMs, cpuTimeMaxMs, openHandlesMax, outputMaxLinesPerMinute, commandTimeoutMs, startTimeoutMs } =
    limits;
  const numbers = {
    callTimeoutMs,
    cpuTimeMaxMs,
    openHandlesMax,
    outputMaxLinesPerMinute,
    commandTimeoutMs,
    startTimeoutMs,
  };
  const big = { memoryMaxBytes, outputMaxBytesPerMinute };
  return {
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
    ...Object.fromEntries(
      Object.entries(big).flatMap(([name, value]) => (value === undefined ? [] : [[name, BigInt(value)]])),
    ),
  };
}

/** What the agent says of an ending. */
function terminationOf(ending: Partial<Ending>): object {
  switch (ending.kind) {
    case "limit":
      return {
        cause: TerminationCause.LIMIT,
        limit: ending.limit?.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      };
    case "exited":
      return { cause: TerminationCause.EXITED, exitCode: ending.exitCode };
    default:
      return { cause: TerminationCause.TRAPPED };
  }
}

/** Status and text; a body that breaks off has none. */
async function ask(
  name: string,
  path: string,
): Promise<{ readonly status: number; readonly text: string | undefined }> {
  const response = await fetch(`${agent.ingressUrl}/-/${name}${path}`);
  const text = await response.text().catch(() => undefined);
  return { status: response.status, text };
}

/** Asks the neighbour until `misdeed` has settled; every request must be answered. */
async function answersDuring<T>(misdeed: Promise<T>): Promise<T> {
  const over = new AbortController();
  const settled = misdeed.finally(() => over.abort());
  // It is awaited below; here only so that a rejection is not unhandled while the neighbour is asked.
  settled.catch(() => undefined);
  do expect(await ask("neighbour", "/ok")).toEqual({ status: 200, text: "ok" });
  while (!over.signal.aborted);
  return settled;
}

const becomes = (id: string, expected: object): Promise<void> =>
  vi.waitFor(async () => expect(await query(agent.rpc, id)).toMatchObject(expected), PATIENCE);

describe("an agent whose guest", () => {
  test.each(MISDEEDS.map((misdeed, index) => ({ ...misdeed, index })))(
    "$name says how it ended, restarts it once, and gives it up",
    async ({ index, path, limits = {}, ending, twin, answer }) => {
      const name = `bad${index}x`;
      const spec: SpecInit = { name, limits: limitsOf(limits), restartPolicy: RESTART_ONCE, assignments: DENY_NET };
      await start(agent.rpc, name, MISBEHAVING, spec);
      expect(await ask(name, twin)).toEqual({ status: 200, text: answer });
      await answersDuring(ask(name, path));
      await answersDuring(
        becomes(name, {
          state: InstanceState.RUNNING,
          restartCount: 1,
          lastTermination: terminationOf(ending),
        }),
      );
      expect(await ask(name, "/ok")).toEqual({ status: 200, text: "ok" });
      await answersDuring(ask(name, path));
      await answersDuring(becomes(name, { state: InstanceState.FAILED, lastTermination: terminationOf(ending) }));
    },
  );

  test.each([
    ["loops in its start function", loopsInStart(), loopsInStart(1_000), Reason.START_TIMED_OUT],
    ["traps in its start function", trapsInStart(true), trapsInStart(false), Reason.GUEST_TRAPPED],
  ])("%s says that it failed to start; its twin runs", async (what, bad, good, reason) => {
    const id = what.startsWith("loops") ? "loopsinstart" : "trapsinstart";
    const limits = limitsOf({ startTimeoutMs: reason === Reason.START_TIMED_OUT ? 1_000 : 30_000 });
    await answersDuring(expect(start(agent.rpc, id, bad, { name: id, limits })).rejects.toMatchObject({ reason }));
    await becomes(id, { state: InstanceState.FAILED, lastTermination: { cause: TerminationCause.START_FAILED } });
    await start(agent.rpc, `${id}good`, good, { name: `${id}good` });
    const { resultsJson } = await agent.rpc.invokeInstance({ instanceId: idOf(`${id}good`), function: "answer" });
    expect(resultsJson).toBe("[42]");
  });

  test.each([
    ["computes past its time", spinningCommand(), { commandTimeoutMs: 500 }, "command_timeout_ms"],
    ["sleeps past its time", sleepingCommand(600_000), { commandTimeoutMs: 500 }, "command_timeout_ms"],
    ["floods its output", writingCommand(64), { outputMaxLinesPerMinute: 1_000 }, "output_max_lines_per_minute"],
  ] as const)("is a command and %s restarts it once and gives it up", async (what, module, limits, limit) => {
    const id = what.replaceAll(" ", "").slice(0, 20);
    await start(agent.rpc, id, module, { name: id, limits: limitsOf(limits), restartPolicy: RESTART_ONCE });
    await answersDuring(
      becomes(id, {
        state: InstanceState.FAILED,
        restartCount: 1,
        lastTermination: { cause: TerminationCause.LIMIT, limit },
      }),
    );
  });

  test("is a command within its limits says that it exited", async () => {
    for (const [id, module] of [
      ["computed", spinningCommand(1_000)],
      ["slept", sleepingCommand(1)],
      ["wrote", writingCommand(64, 900)],
    ] as const) {
      const limits = limitsOf({ commandTimeoutMs: 30_000, outputMaxLinesPerMinute: 1_000 });
      await start(agent.rpc, id, module, { name: id, limits, restartPolicy: RESTART_ONCE });
      await becomes(id, {
        state: InstanceState.EXITED,
        restartCount: 0,
        lastTermination: { cause: TerminationCause.EXITED, exitCode: 0 },
      });
    }
  });
});
