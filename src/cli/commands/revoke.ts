/** `wasmatrix revoke`. */
import { answered } from "../answered.ts";
import { changeAssignments } from "../change-assignments.ts";
import {
  addClientFlags,
  addExamples,
  repeatedFlag,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { ASK_TIMEOUT_MS, openSession } from "../control-plane-session.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { assignmentToRevoke } from "../kv-assignment.ts";
import { kvGrantFromText, type KvGrant } from "../kv-grant-flag.ts";

type RevokeFlags = ClientFlags & { readonly allowKv?: readonly KvGrant[] };

/** Takes assignments of an instance, or permissions of them, away. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Take away what an instance was allowed, from its next operation on. The flags are those that granted it.",
    )
    .argument("<instance>", INSTANCE_HELP)
    .addOption(
      repeatedFlag(
        "--allow-kv [bucket[:permissions]]",
        "use of a key-value bucket; default: bucket default, all that was granted on it",
        kvGrantFromText,
      ),
    );
  addClientFlags(command).action(async (instance: string, flags: RevokeFlags) => revoke(context, instance, flags));
  addExamples(command, [
    ["revoke hello --allow-kv", "everything on the bucket default"],
    ["revoke hello --allow-kv=visits:write,delete", "reading stays"],
  ]);
};

async function revoke(context: CommandContext, wanted: string, flags: RevokeFlags): Promise<void> {
  const session = await openSession(context, flags);
  await changeAssignments({
    grants: flags.allowKv,
    json: flags.json === true,
    stdout: context.io.stdout,
    change: async (one) =>
      answered(
        await session.client.revokeCapability(
          { instance: wanted, assignment: assignmentToRevoke(one) },
          session.call(ASK_TIMEOUT_MS),
        ),
      ),
  });
}
