/** `wasmatrix logs`. */
import {
  addClientFlags,
  addExamples,
  parsedFlag,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { openSession } from "../control-plane-session.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { createLineStream } from "../line-stream.ts";
import { wholeNumberFromText } from "../whole-number.ts";

type LogsFlags = ClientFlags & {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly timestamps?: boolean;
};

const LINES_MAX = 1_000_000;

/** Shows what an instance writes. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .argument("<instance>", INSTANCE_HELP)
    .option("-f, --follow", "go on with new lines until the instance has ended")
    .addOption(
      parsedFlag(
        "-n, --lines <count>",
        "only the last so many of the kept lines (default: all)",
        wholeNumberFromText(1, LINES_MAX),
      ),
    )
    .option("-t, --timestamps", "show when each line was written");
  addClientFlags(command).action(async (instance: string, flags: LogsFlags) => showLogs(context, instance, flags));
  addExamples(command, [
    ["logs hello", "all lines that are kept"],
    ["logs -f -n 20 hello", "the last 20, then new ones as they come"],
    ["logs hello 2>/dev/null", "only what it wrote to stdout"],
  ]);
};

async function showLogs(context: CommandContext, instance: string, flags: LogsFlags): Promise<void> {
  const session = await openSession(context, flags);
  const show = createLineStream(context.io, {
    json: flags.json === true,
    timestamps: flags.timestamps === true,
    prefix: "",
  });
  const request = { instance, follow: flags.follow === true, lastLines: flags.lines ?? 0 };
  for await (const { lines } of session.client.tailLogs(request, session.call())) await show(lines);
}
