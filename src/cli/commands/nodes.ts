/** `wasmatrix nodes`. */
import { ListNodesResponseSchema } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeState, NodeStateSchema, ProviderState, type Node } from "../../gen/wasmatrix/v1/node_pb.ts";
import { byteSizeText } from "../byte-size.ts";
import { mayColour } from "../cli-io.ts";
import { createPaint, type Tone } from "../colour.ts";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { ASK_TIMEOUT_MS, openSession } from "../control-plane-session.ts";
import { wordFromEnum } from "../enum-word.ts";
import { agoText, labelsText } from "../instance-text.ts";
import { documentText, messageJson } from "../json-output.ts";
import { tableText, type Column } from "../table.ts";

/** Lists nodes. */
export const define: CommandModule["define"] = (command, context) => {
  addClientFlags(command).action(async (flags: ClientFlags) => listNodes(context, flags));
  addExamples(command, [
    ["nodes", "nodes, their state and their room"],
    ["nodes --json | jq '.nodes[].info.nodeId'", "for a script"],
  ]);
};

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
      cell: (node) => wordFromEnum(NodeStateSchema, node.state) + (node.rebuilding ? " (rebuilding)" : ""),
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
      cell: (node) => (node.lastReportTime === undefined ? "" : `${agoText(node.lastReportTime, nowMs)} ago`),
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
  if (node.state === NodeState.AVAILABLE) return "good";
  if (node.state === NodeState.SUSPECT) return "busy";
  return node.state === NodeState.LOST ? "bad" : "quiet";
}
