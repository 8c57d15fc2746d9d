/** `wasmatrix ps`. */
import { InstanceState, InstanceStateSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { ListInstancesResponseSchema } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { mayColour } from "../cli-io.ts";
import { createPaint } from "../colour.ts";
import {
  addClientFlags,
  addExamples,
  parsedFlag,
  repeatedFlag,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { openSession } from "../control-plane-session.ts";
import { enumFromWord } from "../enum-word.ts";
import { agoText, digestText, idText, kindText, stateText, stateTone } from "../instance-text.ts";
import { documentText, messageJson } from "../json-output.ts";
import { withKeyValue } from "../key-value-flag.ts";
import { LISTED_INSTANCES_MAX, listInstances } from "../list-instances.ts";
import { tableText, type Column } from "../table.ts";

type PsFlags = ClientFlags & {
  readonly all?: boolean;
  readonly name?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly state?: readonly InstanceState[];
  readonly node?: string;
  /** False for --no-trunc. */
  readonly trunc: boolean;
};

/** Lists instances. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .option("-a, --all", "also those that have ended")
    .option("--name <name>", "only with this name")
    .addOption(parsedFlag("--label <key=value>", "only with this label (repeatable)", withKeyValue))
    .addOption(
      repeatedFlag("--state <state>", "only in this state, such as running or failed", (word) =>
        enumFromWord(InstanceStateSchema, InstanceState, word),
      ),
    )
    .option("--node <node>", "only on this node")
    .option("--no-trunc", "show whole ids and digests");
  addClientFlags(command).action(async (flags: PsFlags) => listAndPrint(context, flags));
  addExamples(command, [
    ["ps", "what runs"],
    ["ps -a --state failed", "what has failed"],
    ["ps --label team=web --node rack-7", "by label and node"],
    ["ps --json | jq -r '.instances[].id'", "whole ids, for a script"],
  ]);
};

async function listAndPrint(context: CommandContext, flags: PsFlags): Promise<void> {
  const { io } = context;
  const session = await openSession(context, flags);
  const list = await listInstances(session, {
    name: flags.name ?? "",
    labels: { ...flags.label },
    states: [...(flags.state ?? [])],
    nodeId: flags.node ?? "",
    // Who names a state wants those that are in it, ended or not.
    includeEnded: flags.all === true || flags.state !== undefined,
  });
  if (flags.json) {
    await io.stdout.write(documentText(messageJson(ListInstancesResponseSchema, list)));
    return;
  }
  await io.stdout.write(
    tableText(columns(io.clock.nowMs(), !flags.trunc), list.instances, createPaint(mayColour(io, io.stdout))),
  );
  if (list.rebuilding)
    await io.stderr.write(
      "note: the control plane has just started and waits for a node's first report; the list may be incomplete\n",
    );
  if (list.nextPageToken !== "")
    await io.stderr.write(
      `note: these are the first ${LISTED_INSTANCES_MAX}; narrow the list down with --name, --label, --state or --node\n`,
    );
}

function columns(nowMs: number, whole: boolean): Column<Instance>[] {
  return [
    { title: "ID", cell: (instance) => idText(instance.id, whole) },
    { title: "NAME", cell: (instance) => instance.name },
    { title: "STATE", cell: (instance) => stateText(instance, nowMs), tone: stateTone },
    { title: "KIND", cell: kindText },
    { title: "NODE", cell: (instance) => instance.nodeId },
    { title: "AGE", cell: (instance) => agoText(instance.createTime, nowMs), align: "right" },
    { title: "RESTARTS", cell: (instance) => String(instance.restartCount), align: "right" },
    { title: "MODULE", cell: (instance) => digestText(instance.moduleDigest, whole) },
  ];
}
