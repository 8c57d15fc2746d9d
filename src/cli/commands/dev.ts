/** `wasmatrix dev`: all that one machine needs, in one process. */
import { resolve } from "node:path";
import { fault, isFault, Reason } from "../../fault.ts";
import type { Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { DEFAULT_ADDRESS } from "../address.ts";
import type { CliIo } from "../cli-io.ts";
import { addExamples, parsedFlag, type CommandContext, type CommandModule } from "../command-context.ts";
import { createSession } from "../control-plane-session.ts";
import { ensureExample, EXAMPLE_NAME } from "../example-instance.ts";
import { stateText } from "../instance-text.ts";
import { lineText } from "../json-output.ts";
import { addNodeFlags, agentOptionsFromFlags, type NodeFlags } from "../node-flags.ts";
import { packageVersion } from "../package-version.ts";
import { servedUrls } from "../served-urls.ts";
import {
  addServingFlags,
  closeAll,
  createStderrLog,
  serveUntilInterrupted,
  servingToken,
  type Closable,
  type ServingFlags,
} from "../serving.ts";
import { detailsText } from "../table.ts";
import { portFromText } from "../whole-number.ts";

type DevFlags = ServingFlags &
  NodeFlags & {
    readonly port?: number;
    readonly agentPort?: number;
    readonly ingressPort?: number;
    readonly data: string;
    readonly example?: boolean;
  };

/** Starts a control plane and an agent that belong together. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Start a control plane and an agent in one process. What runs and what guests store is kept in the data folder and found again by the next start. Ctrl-C stops it in order.",
    )
    .addOption(parsedFlag("--port <port>", "port of API and gateway; 0 for any (default 7420)", portFromText))
    .addOption(parsedFlag("--agent-port <port>", "port of the agent's API; 0 for any (default 7421)", portFromText))
    .addOption(
      parsedFlag("--ingress-port <port>", "port of HTTP into instances; 0 for any (default 7480)", portFromText),
    )
    .option("--data <folder>", "where journal, key-value data and modules are kept", "./.wasmatrix")
    .option("--example", `start the example service as "${EXAMPLE_NAME}", unless it lives already`);
  addNodeFlags(command, { workDir: context.io.workDir, sharedByDefault: "the working folder" }).optionsGroup(
    "Serving:",
  );
  addServingFlags(command, "warn").action(async (flags: DevFlags) => serve(context, flags));
  addExamples(command, [
    ["dev", "then, in another terminal: wasmatrix run app.wasm --name app"],
    ["dev --example", "with a service to try"],
    ['dev --port 0 --agent-port 0 --ingress-port 0 --data "$(mktemp -d)"', "beside another, on any free ports"],
  ]);
};

async function serve(context: CommandContext, flags: DevFlags): Promise<void> {
  const { io } = context;
  const [{ serveControlPlane }, { serveAgent }] = await Promise.all([
    import("../../cp/entry/node.ts"),
    import("../../agent/serve.ts"),
  ]);
  const token = servingToken(io, flags);
  const dataDir = resolve(flags.data);
  const log = createStderrLog(io, flags.logLevel);
  const common = {
    clock: io.clock,
    entropy: io.entropy,
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(token === undefined ? {} : { token }),
  };
  // Last opened, first closed: the agent's last report still finds the control plane.
  const parts: Closable[] = [];
  try {
    const controlPlane = await serveControlPlane({
      ...common,
      log: log.with({ part: "control-plane" }),
      ...(flags.port === undefined ? {} : { port: flags.port }),
    });
    parts.unshift(controlPlane);
    const agent = await serveAgent({
      ...common,
      dataDir,
      softwareVersion: packageVersion(),
      ...agentOptionsFromFlags(flags, [io.workDir]),
      controlPlanes: [controlPlane.url],
      log: log.with({ part: "agent" }),
      ...(flags.agentPort === undefined ? {} : { port: flags.agentPort }),
      ...(flags.ingressPort === undefined ? {} : { ingressPort: flags.ingressPort }),
    }).catch(namingAgentPort);
    parts.unshift(agent);
    await settled(io, agent.joined);
    const session = createSession({ url: controlPlane.url, token, signal: io.signal, requestId: context.requestId });
    const example = flags.example && !io.signal.aborted ? await ensureExample(io, session) : undefined;
    await announce(io, {
      controlPlane: controlPlane.url,
      agent: agent.url,
      node: agent.nodeId,
      ingress: agent.ingressUrl,
      dataDir,
      sharedFolders: flags.shareFolder ?? [io.workDir],
      example,
      json: flags.json === true,
      hasToken: token !== undefined,
    });
  } catch (error) {
    // What failed to start is what the user must hear of, not what then fails to close.
    await closeAll(parts, 0).catch(() => undefined);
    throw error;
  }
  await serveUntilInterrupted(io, parts, flags);
  if (!flags.json) await io.stderr.write("stopped\n");
}

/** The agent names its own flag for a port that is taken; here that flag is the control plane's. */
function namingAgentPort(error: unknown): never {
  if (!isFault(error, Reason.INVALID_REQUEST)) throw error;
  const message = error.message.replace(/ with --port$/, " with --agent-port");
  throw fault(error.reason, message, { subject: error.subject, cause: error });
}

/** Waits for the first report, or for Ctrl-C. */
async function settled(io: CliIo, joined: Promise<void>): Promise<void> {
  const { promise, resolve: interrupted } = Promise.withResolvers<void>();
  const onAbort = (): void => interrupted();
  io.signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([joined, promise]);
    io.signal.throwIfAborted();
  } finally {
    io.signal.removeEventListener("abort", onAbort);
  }
}

type Running = {
  readonly controlPlane: string;
  readonly agent: string;
  readonly node: string;
  readonly ingress: string;
  readonly dataDir: string;
  readonly sharedFolders: readonly string[];
  readonly example: Instance | undefined;
  readonly json: boolean;
  readonly hasToken: boolean;
};

async function announce(io: CliIo, running: Running): Promise<void> {
  const { controlPlane, agent, node, ingress, dataDir, example } = running;
  const urls =
    example === undefined ? [] : [...servedUrls(ingress, example.name), ...servedUrls(controlPlane, example.name)];
  if (running.json) {
    await io.stdout.write(
      lineText({
        controlPlane,
        agent,
        nodeId: node,
        ingress,
        dataDir,
        sharedFolders: running.sharedFolders,
        ...(example === undefined ? {} : { example: { id: example.id, urls } }),
      }),
    );
    return;
  }
  // From a checkout there is no `wasmatrix` to call yet.
  const program = io.env["npm_lifecycle_event"] === "start" ? "npm run -s wasmatrix --" : "wasmatrix";
  const elsewhere = controlPlane === DEFAULT_ADDRESS ? "" : ` --address ${controlPlane}`;
  const details: (readonly [string, string | readonly string[]])[] = [
    ["control plane", `${controlPlane} (API and gateway)`],
    ["node", `${node}, agent at ${agent}`],
    ["ingress", `${ingress} (HTTP into instances)`],
    ["data folder", dataDir],
    ["shared folders", running.sharedFolders],
    ...(example === undefined
      ? []
      : [[`example "${example.name}"`, [stateText(example, io.clock.nowMs()), ...urls]] as const]),
    ["try it", urls[0] === undefined ? `${program} run FILE.wasm --name NAME${elsewhere}` : `curl ${urls[0]}`],
    ["look", `${program} ps${elsewhere}`],
    ...(running.hasToken ? [["token", "callers must show it: --token or WASMATRIX_TOKEN"] as const] : []),
    ["stop", "Ctrl-C"],
  ];
  await io.stdout.write(`wasmatrix ${packageVersion()}\n\n${detailsText(details)}`);
}
