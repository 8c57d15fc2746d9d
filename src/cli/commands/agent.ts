/** `wasmatrix agent`. */
import { resolve } from "node:path";
import { baseUrlFromText } from "../address.ts";
import { addExamples, parsedFlag, repeatedFlag, type CommandContext, type CommandModule } from "../command-context.ts";
import { addEtcdFlags, etcdOptionsFromFlags, type EtcdFlags } from "../etcd-flags.ts";
import { lineText } from "../json-output.ts";
import { withKeyValue } from "../key-value-flag.ts";
import {
  addServingFlags,
  createStderrLog,
  serveUntilInterrupted,
  servingToken,
  type ServingFlags,
} from "../serving.ts";
import { addNodeFlags, agentOptionsFromFlags, type NodeFlags } from "../node-flags.ts";
import { packageVersion } from "../package-version.ts";
import { UsageError } from "../usage-error.ts";
import { portFromText } from "../whole-number.ts";

type AgentFlags = ServingFlags &
  NodeFlags &
  EtcdFlags & {
    readonly controlPlane?: readonly string[];
    readonly listed?: boolean;
    readonly data: string;
    readonly port?: number;
    readonly ingressPort?: number;
    readonly advertise?: string;
    readonly nodeId?: string;
    readonly label?: Readonly<Record<string, string>>;
  };

/** Starts a node agent. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Start a node agent, which runs instances on this machine and reports them. What it was told to run is kept in its data folder and resumed. Ctrl-C stops it in order.",
    )
    .addOption(repeatedFlag("--control-plane <url>", "control plane that it reports to", baseUrlFromText))
    .option("--listed", "control planes come to it by themselves, because it is in their --agents list")
    .option("--data <folder>", "where journal, key-value data and modules are kept", "./.wasmatrix")
    .addOption(parsedFlag("--port <port>", "port of its API; 0 for any (default 7421)", portFromText))
    .addOption(
      parsedFlag("--ingress-port <port>", "port of HTTP into its instances; 0 for any (default 7480)", portFromText),
    )
    .addOption(
      parsedFlag(
        "--advertise <url>",
        "base URL at which control planes reach its API, if not where it listens; needed for those on other machines",
        baseUrlFromText,
      ),
    )
    .option("--node-id <id>", "name of the node (default: kept in the data folder)")
    .addOption(parsedFlag("--label <key=value>", "label of the node, for placement (repeatable)", withKeyValue));
  addNodeFlags(command, { workDir: context.io.workDir, sharedByDefault: "none" });
  addEtcdFlags(command, "where it makes itself known to control planes").optionsGroup("Serving:");
  addServingFlags(command, "info").action(async (flags: AgentFlags) => serve(context, flags));
  addExamples(command, [
    ["agent --control-plane http://127.0.0.1:7420", "on the machine of the control plane"],
    [
      'agent --control-plane http://cp:7420 --host 0.0.0.0 --advertise http://rack-7:7421 --token "$(cat token)"',
      "on another machine",
    ],
    ["agent --control-plane http://127.0.0.1:7420 --label zone=eu --memory-max 4GiB", "with a label and less room"],
    [
      "agent --control-plane http://127.0.0.1:7420 --share-folder /srv/data --share-env LANG,TZ",
      "with a folder and variables that instances may be granted",
    ],
    ["agent --etcd http://etcd-1:2379 --host 10.0.0.7", "found by control planes through etcd"],
  ]);
};

async function serve(context: CommandContext, flags: AgentFlags): Promise<void> {
  const { io } = context;
  const controlPlanes = flags.controlPlane ?? [];
  const etcd = await etcdOptionsFromFlags(io, flags);
  if (controlPlanes.length === 0 && etcd === undefined && flags.listed !== true)
    throw new UsageError(
      "Cannot start an agent: it is not said which control plane it belongs to",
      "say it with --control-plane http://127.0.0.1:7420, or with --etcd; or add --listed if control planes have it in their --agents list",
    );
  if (flags.listed === true && flags.advertise === undefined && /^(0\.0\.0\.0|\[?::\]?)$/.test(flags.host ?? ""))
    throw new UsageError(
      `Cannot use --listed with --host ${flags.host ?? ""}: that is no address by which control planes reach it`,
      "add --advertise with the URL that stands in their list",
    );
  const dataDir = resolve(flags.data);
  const token = servingToken(io, flags);
  const { serveAgent } = await import("../../agent/serve.ts");
  const log = createStderrLog(io, flags.logLevel);
  const agent = await serveAgent({
    dataDir,
    controlPlanes,
    softwareVersion: packageVersion(),
    log,
    clock: io.clock,
    entropy: io.entropy,
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.port === undefined ? {} : { port: flags.port }),
    ...(flags.ingressPort === undefined ? {} : { ingressPort: flags.ingressPort }),
    ...(flags.advertise === undefined ? {} : { advertise: flags.advertise }),
    ...(token === undefined ? {} : { token }),
    ...(etcd === undefined ? {} : { etcd }),
    ...(flags.nodeId === undefined ? {} : { nodeId: flags.nodeId }),
    ...(flags.label === undefined ? {} : { labels: { ...flags.label } }),
    ...agentOptionsFromFlags(flags, []),
  });
  const { nodeId, url, ingressUrl } = agent;
  await io.stdout.write(
    flags.json
      ? lineText({ nodeId, agent: url, ingress: ingressUrl, dataDir })
      : `node ${nodeId}: agent at ${url}, ingress at ${ingressUrl}\ndata folder: ${dataDir}\nstop it with: Ctrl-C\n`,
  );
  // A control plane may come up later; the agent goes on trying by itself. A line of the log, as all that stderr then is.
  void agent.joined.then(() => log.info("joined a control plane", { node: nodeId }));
  await serveUntilInterrupted(io, [agent], flags);
}
