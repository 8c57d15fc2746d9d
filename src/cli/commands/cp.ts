/** `wasmatrix cp`. */
import { addExamples, parsedFlag, type CommandContext, type CommandModule } from "../command-context.ts";
import { durationMsFromText, durationText } from "../duration.ts";
import { addEtcdFlags, etcdOptionsFromFlags, namingEnv, urlsFromText, type EtcdFlags } from "../etcd-flags.ts";
import { lineText } from "../json-output.ts";
import {
  addServingFlags,
  createStderrLog,
  serveUntilInterrupted,
  servingToken,
  type ServingFlags,
} from "../serving.ts";
import { UsageError } from "../usage-error.ts";
import { portFromText } from "../whole-number.ts";

type CpFlags = ServingFlags &
  EtcdFlags & {
    readonly port?: number;
    readonly agents?: readonly string[];
    readonly reportInterval?: number;
    readonly suspectAfter?: number;
    readonly lostAfter?: number;
  };

/** Starts a control plane. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Start a control plane. It keeps nothing on disk: agents tell it what runs. Ctrl-C stops it; instances go on.",
    )
    .addOption(parsedFlag("--port <port>", "port of API and gateway; 0 for any (default 7420)", portFromText))
    .addOption(
      parsedFlag(
        "--agents <url,...>",
        "agents that it goes to by itself, besides those that come to it (default: $WASMATRIX_AGENTS)",
        urlsFromText,
      ),
    )
    .addOption(
      parsedFlag("--report-interval <duration>", "how often agents report, at least (default 5s)", durationMsFromText),
    )
    .addOption(
      parsedFlag(
        "--suspect-after <duration>",
        "silence after which a node is passed over (default: one and a half report intervals)",
        durationMsFromText,
      ),
    )
    .addOption(
      parsedFlag(
        "--lost-after <duration>",
        "silence after which a node is lost, and what may be is restarted elsewhere (default 10s, or two report intervals)",
        durationMsFromText,
      ),
    );
  addEtcdFlags(command, "where it looks for agents").optionsGroup("Serving:");
  addServingFlags(command, "info").action(async (flags: CpFlags) => serve(context, flags));
  addExamples(command, [
    ["cp", "on this machine only"],
    ['cp --host 0.0.0.0 --token "$(cat token)"', "for other machines, too"],
    ["cp --port 0 --json", "on any free port, which is printed"],
    ["cp --agents http://rack-7:7421,http://rack-8:7421", "with agents that it goes to"],
    ["cp --etcd http://etcd-1:2379,http://etcd-2:2379", "with agents that make themselves known in etcd"],
    ["cp --report-interval 1s --lost-after 3s", "sees sooner that a node is gone"],
  ]);
};

async function serve(context: CommandContext, flags: CpFlags): Promise<void> {
  const { io } = context;
  assertSilence(flags);
  const fromEnv = io.env["WASMATRIX_AGENTS"] ?? "";
  const agents = flags.agents ?? (fromEnv === "" ? [] : namingEnv("WASMATRIX_AGENTS", fromEnv));
  const etcd = await etcdOptionsFromFlags(io, flags);
  const { serveControlPlane } = await import("../../cp/entry/node.ts");
  const token = servingToken(io, flags);
  const controlPlane = await serveControlPlane({
    log: createStderrLog(io, flags.logLevel),
    clock: io.clock,
    entropy: io.entropy,
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.port === undefined ? {} : { port: flags.port }),
    ...(token === undefined ? {} : { token }),
    agents,
    ...(etcd === undefined ? {} : { etcd }),
    ...(flags.reportInterval === undefined ? {} : { reportIntervalMs: flags.reportInterval }),
    ...(flags.suspectAfter === undefined ? {} : { suspectAfterMs: flags.suspectAfter }),
    ...(flags.lostAfter === undefined ? {} : { lostAfterMs: flags.lostAfter }),
  });
  const { url } = controlPlane;
  const text = flags.json
    ? lineText({ controlPlane: url })
    : `control plane at ${url}\njoin it with: wasmatrix agent --control-plane ${dialledUrl(url)}\n${token === undefined ? "" : `${TOKEN_NOTE}\n`}stop it with: Ctrl-C\n`;
  await io.stdout.write(text);
  await serveUntilInterrupted(io, [controlPlane], flags);
}

const REPORT_INTERVAL_DEFAULT_MS = 5_000;

/** Throws `UsageError` for times by which every node would be suspect, or lost before it is suspect. */
function assertSilence({ reportInterval = REPORT_INTERVAL_DEFAULT_MS, suspectAfter, lostAfter }: CpFlags): void {
  if (suspectAfter !== undefined && suspectAfter <= reportInterval)
    throw new UsageError(
      `Cannot use --suspect-after ${durationText(suspectAfter)}: nodes report every ${durationText(reportInterval)} only`,
      "give more, or a shorter --report-interval",
    );
  const suspectMs = suspectAfter ?? reportInterval * 1.5;
  if (lostAfter !== undefined && lostAfter < suspectMs)
    throw new UsageError(
      `Cannot use --lost-after ${durationText(lostAfter)}: a node is suspect only after ${durationText(suspectMs)}`,
      "give more, or less to --suspect-after or --report-interval",
    );
}

const TOKEN_NOTE = "agents and callers must show the token: --token or WASMATRIX_TOKEN";

/** What others dial: listening on all addresses is not an address, so the user fills in the machine's. */
function dialledUrl(url: string): string {
  return url.replace(/^(http:\/\/)(0\.0\.0\.0|\[::\])(?=:|$)/, "$1THIS-MACHINE");
}
