/** What `wasmatrix run` does. */
import { basename } from "node:path";
import { fault, Fault, Reason } from "../fault.ts";
import { GuestKind, InstanceSchema, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import { answered } from "./answered.ts";
import { readFileBounded, readStreamBounded } from "./bounded-read.ts";
import type { CliIo } from "./cli-io.ts";
import type { CommandContext } from "./command-context.ts";
import { openSession, type ControlPlaneSession } from "./control-plane-session.ts";
import { failureFromError } from "./failure.ts";
import { idText } from "./instance-text.ts";
import { documentText, lineText, messageJson } from "./json-output.ts";
import { chooseModule } from "./module-choice.ts";
import { counted, printable } from "./printable.ts";
import { createProgressBar } from "./progress-bar.ts";
import type { RunFlags } from "./run-flags.ts";
import type { RunOrder } from "./run-order.ts";
import { idempotencyKeys, requestFromOrder } from "./run-request.ts";
import { servedUrls } from "./served-urls.ts";
import { settleEach, type Settled } from "./settle-each.ts";
import { createInstanceStarter } from "./start-instance.ts";
import { stopQuietly } from "./stop-quietly.ts";
import { outcomeOf, waitForInstance } from "./wait-for-instance.ts";

const STDIN_MAX_BYTES = 1024 * 1024;
const STARTS_AT_ONCE = 8;

/** An order of which it is known what runs. */
export type SettledOrder = RunOrder & { readonly module: string };

/** Starts what `run` is asked for, and with --wait, waits for it. */
export async function startAndWait(context: CommandContext, order: SettledOrder, flags: RunFlags): Promise<void> {
  const { io } = context;
  const session = await openSession(context, flags);
  const module = await chooseModule(order.module, { digest: order.digest ?? "", signal: io.signal });
  const stdin = await readStdin(io, order.stdin);
  const totalBytes = module.kind === "bytes" ? module.bytes.length : 0;
  const title = `Uploading ${printable(basename(order.module))}`;
  const createProgress = (): ReturnType<typeof createProgressBar> =>
    createProgressBar({ stream: io.stderr, clock: io.clock, title, totalBytes });
  const start = createInstanceStarter(session, { module, createProgress });

  // Always a key of our own, so that a request that got lost on the way can be made again.
  const key = flags.idempotencyKey ?? io.entropy.hex(16);
  const keys = idempotencyKeys(key, order.count ?? 1);
  // With a key that was given, an earlier run may have started it; whoever made one up here knows that nobody did.
  const isOld = flags.idempotencyKey !== undefined;
  const act = async (idempotencyKey: string): Promise<Instance> =>
    answered(await start(requestFromOrder(order, stdin, { idempotencyKey, isOld })));
  const settled = await settleEach(keys, { atOnce: STARTS_AT_ONCE, act });
  const started = settled.flatMap((one) => (one.kind === "done" ? [one.value] : []));
  if (io.signal.aborted) {
    await cleanUp(io, session, started);
    if (started.length < keys.length)
      await io.stderr.write(
        `note: a start was under way; run it again with --idempotency-key ${key} to get that instance\n`,
      );
    io.signal.throwIfAborted();
  }
  const ended = flags.wait ? await waitForAll(io, { session, started, json: flags.json === true }) : started;
  await show(io, { session, settled, ended, flags });
  await finish(context, { settled, ended, isAwaited: flags.wait === true });
}

/** What --stdin names, whole; empty without it. */
export async function readStdin(io: CliIo, from: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (from === undefined) return new Uint8Array();
  const options = {
    what: "standard input",
    maxBytes: STDIN_MAX_BYTES,
    tooLarge: Reason.BODY_TOO_LARGE,
    signal: io.signal,
  };
  return from === "-" ? readStreamBounded(io.stdin, options) : readFileBounded(from, options);
}

type Waiting = { readonly session: ControlPlaneSession; readonly started: readonly Instance[]; readonly json: boolean };

/** Waits for all at the same time; after Ctrl-C, or if the wait cannot go on, none of them is left running. */
async function waitForAll(io: CliIo, waiting: Waiting): Promise<Instance[]> {
  const { session, started, json } = waiting;
  const prefix = (instance: Instance): string => (started.length > 1 ? `${idText(instance.id, false)} | ` : "");
  try {
    return await Promise.all(
      started.map((instance) =>
        waitForInstance({ io, session, instance, lines: { json, timestamps: false, prefix: prefix(instance) } }),
      ),
    );
  } catch (error) {
    if (io.signal.aborted) await cleanUp(io, session, started);
    else await io.stderr.write(`note: still there: ${started.map(({ id }) => id).join(" ")}\n`);
    throw error;
  }
}

async function cleanUp(io: CliIo, session: ControlPlaneSession, started: readonly Instance[]): Promise<void> {
  if (started.length === 0) return;
  const left = await stopQuietly({ session, ids: started.map(({ id }) => id) });
  const note =
    left.length === 0
      ? `stopped ${counted(started.length, "instance")}`
      : `cannot stop ${left.join(" ")}; see wasmatrix ps`;
  await io.stderr.write(`note: ${note}\n`);
}

type Outcome = {
  readonly session: ControlPlaneSession;
  readonly settled: readonly Settled<Instance>[];
  readonly ended: readonly Instance[];
  readonly flags: RunFlags;
};

async function show(io: CliIo, outcome: Outcome): Promise<void> {
  const { session, ended, flags } = outcome;
  const serving = ended.find(
    (instance) => instance.kind === GuestKind.HTTP && instance.name !== "" && outcomeOf(instance).problem === "",
  );
  const urls = serving === undefined ? [] : servedUrls(session.url, serving.name);
  if (flags.json) {
    const failed = outcome.settled.flatMap((one) =>
      one.kind === "failed" ? [{ idempotencyKey: one.item, error: failureFromError(one.error, "") }] : [],
    );
    const value = { instances: ended.map((instance) => messageJson(InstanceSchema, instance)), urls, failed };
    await io.stdout.write(flags.wait ? lineText(value) : documentText(value));
    return;
  }
  // With --wait, a command's own output is what stands on stdout.
  const named = flags.wait ? ended.filter((instance) => instance.kind !== GuestKind.COMMAND) : ended;
  await io.stdout.write(named.map(({ id }) => `${id}\n`).join(""));
  if (urls[0] !== undefined)
    await io.stderr.write(`${urls.map((url) => `serving at ${url}`).join("\n")}\ntry: curl ${urls[0]}\n`);
}

type Finish = {
  readonly settled: readonly Settled<Instance>[];
  readonly ended: readonly Instance[];
  readonly isAwaited: boolean;
};

/** Ends with the first guest that did not go well, or throws what says which starts failed. */
async function finish(context: CommandContext, { settled, ended, isAwaited }: Finish): Promise<void> {
  const failed = settled.flatMap((one) => (one.kind === "failed" ? [one] : []));
  const [first] = failed;
  if (first !== undefined) throw settled.length === 1 ? first.error : severalFailed(settled.length, failed);
  const outcomes = ended.map(outcomeOf);
  const problem = outcomes.find((outcome) => outcome.problem !== "");
  if (problem !== undefined) await context.io.stderr.write(`error: ${printable(problem.problem)}\n`);
  // Without --wait, a command's own exit code is nothing that this program promised to tell.
  const worst = problem ?? (isAwaited ? outcomes.find((outcome) => outcome.exitCode !== 0) : undefined);
  context.exitWith(worst?.exitCode ?? 0);
}

const FAILURES_SHOWN_MAX = 5;

/** One error for several starts: how many run, and which failed and why, alike ones together. */
function severalFailed(count: number, failed: readonly { readonly item: string; readonly error: unknown }[]): Fault {
  const byMessage = Map.groupBy(failed, ({ error }) => (error instanceof Error ? error.message : String(error)));
  const shown = [...byMessage].slice(0, FAILURES_SHOWN_MAX).map(([message, alike]) => {
    const numbers = alike.map(({ item }) => `#${/-(\d+)$/.exec(item)?.[1] ?? ""}`);
    return `${numbers.slice(0, FAILURES_SHOWN_MAX).join(", ")}${numbers.length > FAILURES_SHOWN_MAX ? ` and ${numbers.length - FAILURES_SHOWN_MAX} more` : ""}: ${message}`;
  });
  const first = failed[0]?.error;
  const reason = first instanceof Fault ? first.reason : Reason.INTERNAL;
  return fault(
    reason,
    `Cannot start all ${count} instances: ${count - failed.length} started, ${failed.length} failed (${shown.join("; ")})`,
    { cause: first },
  );
}
