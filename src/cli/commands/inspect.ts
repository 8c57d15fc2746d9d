/** `wasmatrix inspect`. */
import { InstanceSchema } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { answered } from "../answered.ts";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { ASK_TIMEOUT_MS, openSession } from "../control-plane-session.ts";
import { inspectFile } from "../inspect/inspect-file.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { detailsOf } from "../instance-details.ts";
import { documentText, messageJson } from "../json-output.ts";
import { detailsText } from "../table.ts";

type InspectFlags = ClientFlags & { readonly file?: boolean };

/** Shows all that is known of one instance, or what a module is. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Show all that is known of an instance. Of a .wasm file, show what it is, imports and exports, and which permissions it would need; nothing of it is run, and no control plane is asked.",
    )
    .argument("<instance-or-file>", `${INSTANCE_HELP}; or a .wasm file (anything with a dot or a slash in it)`)
    .option("--file", "it is a file, whatever it is called");
  addClientFlags(command).action(async (wanted: string, flags: InspectFlags) =>
    // Neither ids nor names have dots or slashes.
    flags.file === true || /[./]/.test(wanted)
      ? inspectFile(context.io, wanted, { json: flags.json === true })
      : inspectInstance(context, wanted, flags),
  );
  addExamples(command, [
    ["inspect hello", "an instance, by name: what it may do, what it has used, its limits"],
    ["inspect k3 --json", "by the first characters of its id, as JSON"],
    ["inspect app.wasm", "a module: its world as WIT, and the flags that grant what it needs"],
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
