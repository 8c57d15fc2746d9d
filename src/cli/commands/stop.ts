/** `wasmatrix stop`. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { InstanceSchema, type Instance } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { answered } from "../answered.ts";
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
import { INSTANCE_HELP } from "../instance-argument.ts";
import { documentText, messageJson } from "../json-output.ts";
import { throwFirst, settleEach } from "../settle-each.ts";

type StopFlags = ClientFlags & { readonly grace?: number };

const DEFAULT_GRACE_MS = 10_000;
const STOPS_AT_ONCE = 16;

/** Stops instances in order. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .argument("<instance...>", INSTANCE_HELP)
    .addOption(
      parsedFlag("--grace <duration>", "how long calls in flight may take to finish (default 10s)", durationMsFromText),
    );
  addClientFlags(command).action(async (instances: string[], flags: StopFlags) =>
    stopInstances(context, instances, flags),
  );
  addExamples(command, [
    ["stop hello", "by name; calls in flight finish first"],
    ["stop --grace 0 k3 9f", "two at once, without waiting for calls"],
  ]);
};

async function stopInstances(context: CommandContext, wanted: readonly string[], flags: StopFlags): Promise<void> {
  const { io } = context;
  const session = await openSession(context, flags);
  const graceMs = flags.grace ?? DEFAULT_GRACE_MS;
  const stop = async (instance: string): Promise<Instance> =>
    answered(
      await session.client.stopInstance(
        { instance, grace: durationFromMs(graceMs) },
        session.call(graceMs + ASK_TIMEOUT_MS),
      ),
    );
  const settled = await settleEach([...new Set(wanted)], { atOnce: STOPS_AT_ONCE, act: stop });
  const stopped = settled.flatMap((one) => (one.kind === "done" ? [one.value] : []));
  await io.stdout.write(
    flags.json
      ? documentText({ instances: stopped.map((instance) => messageJson(InstanceSchema, instance)) })
      : stopped.map(({ id }) => `${id}\n`).join(""),
  );
  // After Ctrl-C the others have not failed by themselves.
  io.signal.throwIfAborted();
  await throwFirst(settled, io.stderr);
}
