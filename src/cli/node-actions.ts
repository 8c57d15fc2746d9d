/** What `wasmatrix nodes cordon`, `uncordon` and `drain` do. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  DrainNodeResponseSchema,
  type DrainFinished,
  type DrainNodeResponse,
} from "../gen/wasmatrix/v1/control_plane_pb.ts";
import { NodeSchema } from "../gen/wasmatrix/v1/node_pb.ts";
import type { ClientFlags, CommandContext } from "./command-context.ts";
import { ASK_TIMEOUT_MS, openSession } from "./control-plane-session.ts";
import { EXIT } from "./exit-code.ts";
import { documentText, lineText, messageJson } from "./json-output.ts";
import { counted, printable } from "./printable.ts";

/** What can be done to a node. */
export type NodeAction = "cordon" | "uncordon" | "drain";

/** Every `NodeAction`. */
export const NODE_ACTIONS: readonly NodeAction[] = ["cordon", "uncordon", "drain"];

/** The flags of the actions. */
export type NodeActionFlags = ClientFlags & { readonly timeout?: number };

/** Makes a node take no new instances, or take them again. */
export async function switchCordon(
  context: CommandContext,
  { nodeId, cordoned }: { readonly nodeId: string; readonly cordoned: boolean },
  flags: NodeActionFlags,
): Promise<void> {
  const { io } = context;
  const { client, call } = await openSession(context, flags);
  const answer = await (cordoned ? client.cordonNode : client.uncordonNode)({ nodeId }, call(ASK_TIMEOUT_MS));
  if (flags.json && answer.node !== undefined) {
    await io.stdout.write(documentText({ node: messageJson(NodeSchema, answer.node) }));
    return;
  }
  const now = cordoned ? "takes no new instances" : "takes instances again";
  await io.stdout.write(`${printable(nodeId)} ${now}\n`);
}

/** Empties a node, telling each step as it is done; ends with exit code 1 if something stays on it. */
export async function drain(context: CommandContext, nodeId: string, flags: NodeActionFlags): Promise<void> {
  const { io } = context;
  const { client, call } = await openSession(context, flags);
  const timeout = flags.timeout === undefined ? {} : { timeout: durationFromMs(flags.timeout) };
  let finished: DrainFinished | undefined;
  for await (const message of client.drainNode({ nodeId, ...timeout }, call())) {
    if (message.step.case === undefined) continue;
    if (message.step.case === "finished") finished = message.step.value;
    if (flags.json) await io.stdout.write(lineText(messageJson(DrainNodeResponseSchema, message)));
    else await io.stdout.write(stepText(nodeId, message));
  }
  if (finished === undefined || finished.stayed === 0) return;
  await io.stderr.write(
    `error: ${counted(finished.stayed, "instance")} stayed on ${printable(nodeId)}; stop them, or drain it again\n`,
  );
  context.exitWith(EXIT.failure);
}

/** One step in words; pure. */
export function stepText(nodeId: string, { step }: DrainNodeResponse): string {
  const named = ({ instanceId, name }: { readonly instanceId: string; readonly name: string }): string =>
    name === "" ? instanceId : `${instanceId} (${name})`;
  switch (step.case) {
    case undefined:
      return "";
    case "begun": {
      const { instances, movable } = step.value;
      return `${printable(nodeId)} takes no new instances; of ${counted(instances, "instance")} on it ${movable} may move\n`;
    }
    case "moved": {
      const { generation, nodeId: to } = step.value;
      return `moved   ${named(step.value)} to ${printable(to)}, generation ${generation}\n`;
    }
    case "stayed":
      return `stayed  ${named(step.value)}: ${printable(step.value.message)}\n`;
    case "finished": {
      const { moved, stayed, witnessCopies } = step.value;
      const copies =
        witnessCopies === 0 ? "" : `; it still keeps ${counted(witnessCopies, "start order")} for instances elsewhere`;
      return `${moved} moved, ${stayed} stayed${copies}\n`;
    }
  }
}
