/** `wasmatrix nodes`. */
import { Argument } from "commander";
import { ListNodesResponseSchema } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeState, NodeStateSchema, ProviderState, type Node } from "../../gen/wasmatrix/v1/node_pb.ts";
import { byteSizeText } from "../byte-size.ts";
import { mayColour } from "../cli-io.ts";
import { createPaint, type Tone } from "../colour.ts";
import {
  addClientFlags,
  addExamples,
  parsedFlag,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { ASK_TIMEOUT_MS, openSession } from "../control-plane-session.ts";
import { durationMsFromText } from "../duration.ts";
import { wordFromEnum } from "../enum-word.ts";
import { agoText, labelsText } from "../instance-text.ts";
import { documentText, messageJson } from "../json-output.ts";
import { drain, NODE_ACTIONS, switchCordon, type NodeAction, type NodeActionFlags } from "../node-actions.ts";
import { tableText, type Column } from "../table.ts";
import { UsageError } from "../usage-error.ts";

/** Lists nodes, and takes them out of use. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "List nodes. With cordon, a node takes no new instances until uncordon. With drain, it takes none and what may be restarted elsewhere moves away from it, each new instance ready before the old one stops; what stays is told, with why.",
    )
    .addArgument(new Argument("[action]", "what to do; default: list them").choices(NODE_ACTIONS))
    .argument("[node]", "the node to do it to")
    .addOption(parsedFlag("--timeout <duration>", "drain: after this no move begins (default 5m)", durationMsFromText));
  addClientFlags(command).action(
    async (action: NodeAction | undefined, node: string | undefined, flags: NodeActionFlags) =>
      act(context, { action, node }, flags),
  );
  addExamples(command, [
    ["nodes", "nodes, their state and their room"],
    ["nodes drain rack-7 --timeout 10m", "before the machine goes down"],
    ["nodes uncordon rack-7", "when it is back"],
    ["nodes --json | jq '.nodes[].info.nodeId'", "for a script"],
  ]);
};

async function act(
  context: CommandContext,
  { action, node }: { readonly action: NodeAction | undefined; readonly node: string | undefined },
  flags: NodeActionFlags,
): Promise<void> {
  if (flags.timeout !== undefined && action !== "drain")
    throw new UsageError("Cannot use --timeout: nothing is drained", "it belongs to: wasmatrix nodes drain NODE");
  if (action === undefined) return listNodes(context, flags);
  if (node === undefined)
    throw new UsageError(`Cannot ${action} a node: none is named`, "list nodes with: wasmatrix nodes");
  if (action === "drain") return drain(context, node, flags);
  return switchCordon(context, { nodeId: node, cordoned: action === "cordon" }, flags);
}

async function listNodes(context: CommandContext, flags: ClientFlags): Promise<void> {
  const { io } = context;
  const session = await openSession(context, flags);
  const list = await session.client.listNodes({}, session.call(ASK_TIMEOUT_MS));
  if (flags.json) {
    await io.stdout.write(documentText(messageJson(ListNodesResponseSchema, list)));
    return;
  }
  await io.stdout.write(tableText(nodeColumns(io.clock.nowMs()), list.nodes, createPaint(mayColour(io, io.stdout))));
  if (list.nodes.length === 0)
    await io.stderr.write(
      `note: no node has reported; start one with: wasmatrix agent --control-plane ${session.url}\n`,
    );
}

/** What is shown of a node; pure. */
export function nodeColumns(nowMs: number): Column<Node>[] {
  const room = (taken: string, most: string): string => `${taken} of ${most}`;
  return [
    { title: "NODE", cell: (node) => node.info?.nodeId ?? "" },
    {
      title: "STATE",
      cell: (node) => {
        const notes = [
          ...(node.info?.cordoned === true ? ["cordoned"] : []),
          ...(node.rebuilding ? ["rebuilding"] : []),
        ];
        return wordFromEnum(NodeStateSchema, node.state) + (notes.length === 0 ? "" : ` (${notes.join(", ")})`);
      },
      tone: nodeTone,
    },
    {
      title: "INSTANCES",
      cell: (node) => room(String(node.load?.instances ?? 0), String(node.info?.capacity?.instancesMax ?? 0)),
      align: "right",
    },
    {
      title: "MEMORY",
      cell: (node) =>
        room(byteSizeText(node.load?.memoryBytes ?? 0n), byteSizeText(node.info?.capacity?.memoryMaxBytes ?? 0n)),
      align: "right",
    },
    { title: "ADDRESS", cell: (node) => node.info?.address ?? "" },
    { title: "INGRESS", cell: (node) => node.info?.ingressAddress ?? "" },
    {
      title: "REPORT",
      cell: (node) => (node.lastReportTime === undefined ? "never" : `${agoText(node.lastReportTime, nowMs)} ago`),
      align: "right",
    },
    {
      title: "PROVIDERS",
      cell: (node) =>
        node.providers
          .map((provider) => provider.id + (provider.state === ProviderState.STOPPED ? " (stopped)" : ""))
          .join(", "),
    },
    { title: "LABELS", cell: (node) => labelsText(node.info?.labels ?? {}) },
    { title: "VERSION", cell: (node) => node.info?.softwareVersion ?? "" },
  ];
}

function nodeTone(node: Node): Tone {
  if (node.state === NodeState.AVAILABLE) return node.info?.cordoned === true ? "busy" : "good";
  if (node.state === NodeState.SUSPECT) return "busy";
  return node.state === NodeState.LOST ? "bad" : "quiet";
}
