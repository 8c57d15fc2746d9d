/** Waits until an instance runs, or for a command until it has ended, with its output passed on as it comes. */
import { sleep } from "../clock.ts";
import { fault, Reason } from "../fault.ts";
import { GuestKind, InstanceState, TerminationCause, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import { answered } from "./answered.ts";
import type { CliIo } from "./cli-io.ts";
import { ASK_TIMEOUT_MS, type ControlPlaneSession } from "./control-plane-session.ts";
import { EXIT } from "./exit-code.ts";
import { endText, hasEnded } from "./instance-text.ts";
import { createLineStream, type LineStreamOptions } from "./line-stream.ts";

const POLL_MS = 150;
/** How long the end of an instance may take to be reported after its output has ended. */
const END_REPORT_MAX_MS = 30_000;

/** What is waited for. */
export type WaitOptions = {
  readonly io: CliIo;
  readonly session: ControlPlaneSession;
  readonly instance: Instance;
  readonly lines: LineStreamOptions;
};

/** Waits until an instance runs or has ended, at most `maxMs`; answers it as it is then, whether it runs or not. */
export async function waitUntilRunning(options: Omit<WaitOptions, "lines">, maxMs: number): Promise<Instance> {
  return poll(options, { isAwaited: isRunningOrEnded, maxMs });
}

/** A command: waits until it has ended for good. Others: until they run or have ended. Answers the instance as it is then. */
export async function waitForInstance(options: WaitOptions): Promise<Instance> {
  const { io, session, instance } = options;
  if (instance.kind !== GuestKind.COMMAND)
    return poll(options, { isAwaited: isRunningOrEnded, maxMs: Number.POSITIVE_INFINITY });
  const show = createLineStream(io, options.lines);
  // Ends with the instance; also for one that has ended already, whose lines are kept.
  for await (const { lines } of session.client.tailLogs({ instance: instance.id, follow: true }, session.call()))
    await show(lines);
  const ended = await poll(options, { isAwaited: hasEnded, maxMs: END_REPORT_MAX_MS });
  if (hasEnded(ended)) return ended;
  throw fault(
    Reason.CALL_TIMED_OUT,
    `Cannot tell how instance "${instance.id}" ended: its output has ended, but its node has not reported its end`,
    { subject: instance.id },
  );
}

function isRunningOrEnded(instance: Instance): boolean {
  return instance.state === InstanceState.RUNNING || hasEnded(instance);
}

type Poll = { readonly isAwaited: (instance: Instance) => boolean; readonly maxMs: number };

async function poll(
  { io, session, instance }: Omit<WaitOptions, "lines">,
  { isAwaited, maxMs }: Poll,
): Promise<Instance> {
  const startMs = io.clock.nowMs();
  let now = instance;
  while (!isAwaited(now) && io.clock.nowMs() - startMs < maxMs) {
    await sleep(io.clock, POLL_MS, io.signal);
    io.signal.throwIfAborted();
    now = answered(await session.client.queryInstance({ instance: instance.id }, session.call(ASK_TIMEOUT_MS)));
  }
  return now;
}

/** How an instance came out: the exit code, and the sentence to tell if it did not go well. Pure. */
export function outcomeOf(instance: Instance): { readonly exitCode: number; readonly problem: string } {
  if (!hasEnded(instance) || instance.state === InstanceState.EXITED) return { exitCode: EXIT.ok, problem: "" };
  const end = instance.lastTermination;
  const told = (how: string): string =>
    `Instance "${instance.name || instance.id}" ${how}${end?.message ? `: ${end.message}` : ""}`;
  if (instance.state === InstanceState.STOPPED) return { exitCode: EXIT.failure, problem: told("was stopped") };
  if (instance.state === InstanceState.LOST)
    return { exitCode: EXIT.unavailable, problem: told("was lost with its node") };
  if (end === undefined) return { exitCode: EXIT.failure, problem: told("failed") };
  switch (end.cause) {
    case TerminationCause.EXITED:
      // An exit status has eight bits; a code that would look like success must not.
      return {
        exitCode: (end.exitCode & 0xff) === 0 && end.exitCode !== 0 ? EXIT.failure : end.exitCode & 0xff,
        problem: "",
      };
    case TerminationCause.LIMIT:
      return {
        exitCode: end.limit.endsWith("_timeout_ms") ? EXIT.timeout : EXIT.exhausted,
        problem: told(`failed (${endText(end)})`),
      };
    default:
      return { exitCode: EXIT.failure, problem: told(`failed (${endText(end)})`) };
  }
}
