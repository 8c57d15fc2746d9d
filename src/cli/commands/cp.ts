/** `wasmatrix cp`. */
import { addExamples, parsedFlag, type CommandContext, type CommandModule } from "../command-context.ts";
import { durationMsFromText } from "../duration.ts";
import { lineText } from "../json-output.ts";
import {
  addServingFlags,
  createStderrLog,
  serveUntilInterrupted,
  servingToken,
  type ServingFlags,
} from "../serving.ts";
import { portFromText } from "../whole-number.ts";

type CpFlags = ServingFlags & {
  readonly port?: number;
  readonly reportInterval?: number;
};

/** Starts a control plane. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Start a control plane. It keeps nothing on disk: agents tell it what runs. Ctrl-C stops it; instances go on.",
    )
    .addOption(parsedFlag("--port <port>", "port of API and gateway; 0 for any (default 7420)", portFromText))
    .addOption(
      parsedFlag("--report-interval <duration>", "how often agents report, at least (default 5s)", durationMsFromText),
    );
  addServingFlags(command, "info").action(async (flags: CpFlags) => serve(context, flags));
  addExamples(command, [
    ["cp", "on this machine only"],
    ['cp --host 0.0.0.0 --token "$(cat token)"', "for other machines, too"],
    ["cp --port 0 --json", "on any free port, which is printed"],
  ]);
};

async function serve(context: CommandContext, flags: CpFlags): Promise<void> {
  const { io } = context;
  const { serveControlPlane } = await import("../../cp/entry/node.ts");
  const token = servingToken(io, flags);
  const controlPlane = await serveControlPlane({
    log: createStderrLog(io, flags.logLevel),
    clock: io.clock,
    entropy: io.entropy,
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.port === undefined ? {} : { port: flags.port }),
    ...(token === undefined ? {} : { token }),
    ...(flags.reportInterval === undefined ? {} : { reportIntervalMs: flags.reportInterval }),
  });
  const { url } = controlPlane;
  const text = flags.json
    ? lineText({ controlPlane: url })
    : `control plane at ${url}\njoin it with: wasmatrix agent --control-plane ${dialledUrl(url)}\n${token === undefined ? "" : `${TOKEN_NOTE}\n`}stop it with: Ctrl-C\n`;
  await io.stdout.write(text);
  await serveUntilInterrupted(io, [controlPlane], flags);
}

const TOKEN_NOTE = "agents and callers must show the token: --token or WASMATRIX_TOKEN";

/** What others dial: listening on all addresses is not an address, so the user fills in the machine's. */
function dialledUrl(url: string): string {
  return url.replace(/^(http:\/\/)(0\.0\.0\.0|\[::\])(?=:|$)/, "$1THIS-MACHINE");
}
