/** `wasmatrix inspect`. */
import { durationMs } from "@bufbuild/protobuf/wkt";
import { InstanceSchema, type Instance, type Limits } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { byteSizeText } from "../byte-size.ts";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { ASK_TIMEOUT_MS, openSession } from "../control-plane-session.ts";
import { durationText } from "../duration.ts";
import {
  agoText,
  assignmentText,
  endText,
  kindText,
  labelsText,
  restartText,
  stateText,
  timeText,
} from "../instance-text.ts";
import { documentText, messageJson } from "../json-output.ts";
import { answered } from "../answered.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { detailsText } from "../table.ts";

/** Shows all that is known of one instance. */
export const define: CommandModule["define"] = (command, context) => {
  command.argument("<instance>", INSTANCE_HELP);
  addClientFlags(command).action(async (instance: string, flags: ClientFlags) =>
    inspectInstance(context, instance, flags),
  );
  addExamples(command, [
    ["inspect hello", "by name"],
    ["inspect k3 --json", "by the first characters of its id, as JSON"],
  ]);
};

async function inspectInstance(context: CommandContext, wanted: string, flags: ClientFlags): Promise<void> {
  const { io } = context;
  const session = await openSession(context, flags);
  const instance = answered(await session.client.queryInstance({ instance: wanted }, session.call(ASK_TIMEOUT_MS)));
  const text = flags.json
    ? documentText(messageJson(InstanceSchema, instance))
    : detailsText(detailsOf(instance, io.clock.nowMs()));
  await io.stdout.write(text);
}

/** What is shown of an instance, in order; pure. */
export function detailsOf(instance: Instance, nowMs: number): (readonly [string, string | readonly string[]])[] {
  const { restartPolicy: policy, lastTermination: end } = instance;
  const since = (time: Instance["createTime"]): string =>
    time === undefined ? "-" : `${timeText(time)} (${agoText(time, nowMs)} ago)`;
  const backoff = policy?.backoff === undefined ? "" : `, first after ${durationText(durationMs(policy.backoff))}`;
  const ended =
    end === undefined ? [] : [`${endText(end)} at ${timeText(end.time)}`, ...(end.message === "" ? [] : [end.message])];
  return [
    ["id", instance.id],
    ["name", instance.name || "-"],
    ["labels", labelsText(instance.labels) || "-"],
    ["state", stateText(instance, nowMs)],
    ["kind", kindText(instance) || "-"],
    ["node", instance.nodeId],
    ["generation", String(instance.generation)],
    ["module", instance.moduleDigest],
    ["arguments", instance.args.length === 0 ? "-" : JSON.stringify(instance.args)],
    ["environment", instance.envNames.join(", ") || "-"],
    ["may", instance.assignments.map(assignmentText)],
    ["denied", `${instance.deniedCount} operation${instance.deniedCount === 1n ? "" : "s"}`],
    ["restart", `${restartText(policy)}${backoff}`],
    ["restarts", String(instance.restartCount)],
    ["limits", instance.limits === undefined ? "-" : limitTexts(instance.limits)],
    ["created", since(instance.createTime)],
    ["started", since(instance.startTime)],
    ["last end", ended],
    ["observed", since(instance.observedTime)],
  ];
}

function limitTexts(limits: Limits): string[] {
  const time = (ms: number): string => (ms === 0 ? "none" : durationText(ms));
  const size = (bytes: bigint): string => (bytes === 0n ? "none" : byteSizeText(bytes));
  return [
    `memory ${size(limits.memoryMaxBytes)}`,
    `call ${time(limits.callTimeoutMs)}, whole command ${time(limits.commandTimeoutMs)}, start ${time(limits.startTimeoutMs)}`,
    `waiting calls ${limits.queuedCallsMax}`,
    `request body ${size(limits.requestBodyMaxBytes)}, response body ${size(limits.responseBodyMaxBytes)}`,
  ];
}
