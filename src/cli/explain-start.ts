/** What `wasmatrix run --dry-run` does. */
import { fault, Reason } from "../fault.ts";
import { StartInstanceResponseSchema, type PlacementVerdict } from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { mayColour } from "./cli-io.ts";
import { createPaint } from "./colour.ts";
import type { CommandContext } from "./command-context.ts";
import { openSession } from "./control-plane-session.ts";
import { documentText, messageJson } from "./json-output.ts";
import { chooseModule } from "./module-choice.ts";
import { counted } from "./printable.ts";
import { createProgressBar } from "./progress-bar.ts";
import type { RunFlags } from "./run-flags.ts";
import { requestFromOrder } from "./run-request.ts";
import { readStdin, type SettledOrder } from "./start-and-wait.ts";
import { createInstanceStarter } from "./start-instance.ts";
import { tableText, type Column } from "./table.ts";
import { UsageError } from "./usage-error.ts";

/** Shows where the instance would go and why. Throws `NO_NODE_FITS`, after the table, if it would go nowhere. */
export async function explainStart(context: CommandContext, order: SettledOrder, flags: RunFlags): Promise<void> {
  const { io } = context;
  if (flags.wait === true)
    throw new UsageError("Cannot use --wait with --dry-run: nothing is started", "leave one of them out");
  const session = await openSession(context, flags);
  const module = await chooseModule(order.module, { digest: order.digest ?? "", signal: io.signal });
  const stdin = await readStdin(io, order.stdin);
  const createProgress = (): ReturnType<typeof createProgressBar> =>
    createProgressBar({ stream: io.stderr, clock: io.clock, title: "Uploading", totalBytes: 0 });
  const start = createInstanceStarter(session, { module, createProgress });
  const key = { idempotencyKey: flags.idempotencyKey ?? io.entropy.hex(16), isOld: false };
  const answer = await start({ ...requestFromOrder(order, stdin, key), dryRun: true });
  if (flags.json) await io.stdout.write(documentText(messageJson(StartInstanceResponseSchema, answer)));
  else if (answer.instance === undefined)
    await io.stdout.write(tableText(verdictColumns(), answer.verdicts, createPaint(mayColour(io, io.stdout))));
  if (answer.instance !== undefined) {
    if (!flags.json) await io.stdout.write(`${answer.instance.id}\n`);
    await io.stderr.write(`note: this idempotency key stands for an instance already\n`);
    return;
  }
  if (answer.verdicts.some(({ failed }) => failed.length === 0)) return;
  const nodes =
    answer.verdicts.length === 0 ? "no node has reported yet" : `of ${counted(answer.verdicts.length, "node")}`;
  throw fault(Reason.NO_NODE_FITS, `Cannot start an instance: no node fits (${nodes})`);
}

/** How nodes were judged, the first choice first; pure. */
export function verdictColumns(): Column<PlacementVerdict>[] {
  const cost = (pick: (verdict: PlacementVerdict) => number) => (verdict: PlacementVerdict) =>
    verdict.failed.length > 0 ? "" : pick(verdict).toFixed(3);
  return [
    { title: "NODE", cell: ({ nodeId }) => nodeId },
    {
      title: "VERDICT",
      cell: ({ failed }) => (failed.length === 0 ? "fits" : failed.join(", ")),
      tone: ({ failed }) => (failed.length === 0 ? "good" : "quiet"),
    },
    { title: "COST", cell: cost((verdict) => verdict.cost), align: "right" },
    { title: "LOAD", cell: cost((verdict) => verdict.loadCost), align: "right" },
    { title: "MODULE", cell: cost((verdict) => verdict.moduleCost), align: "right" },
    { title: "SPREAD", cell: cost((verdict) => verdict.spreadCost), align: "right" },
  ];
}
