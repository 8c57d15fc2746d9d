/** `wasmatrix grant`. */
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
import { assignmentFromGrant } from "../kv-assignment.ts";
import { kvGrantFromText, type KvGrant } from "../kv-grant-flag.ts";

type GrantFlags = ClientFlags & { readonly allowKv?: readonly KvGrant[] };

/** Adds assignments to an instance, or replaces the one of the same bucket. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Allow an instance to do something, from its next operation on. What it was granted on the same bucket before is replaced.",
    )
    .argument("<instance>", INSTANCE_HELP)
    .addOption(
      repeatedFlag(
        "--allow-kv [bucket[:permissions]]",
        "use of a key-value bucket; default: bucket default, all of read,write,delete",
        kvGrantFromText,
      ),
    );
  addClientFlags(command).action(async (instance: string, flags: GrantFlags) => grant(context, instance, flags));
  addExamples(command, [
    ["grant hello --allow-kv", "everything on the bucket default"],
    ["grant hello --allow-kv=visits:read --allow-kv=cache:read,write", "on two buckets"],
    ["grant hello --allow-kv=cache@kv-memory", "on a bucket of another provider"],
  ]);
};

async function grant(context: CommandContext, wanted: string, flags: GrantFlags): Promise<void> {
  const session = await openSession(context, flags);
  await changeAssignments({
    grants: flags.allowKv,
    json: flags.json === true,
    stdout: context.io.stdout,
    change: async (one) =>
      answered(
        await session.client.assignCapability(
          { instance: wanted, assignment: assignmentFromGrant(one) },
          session.call(ASK_TIMEOUT_MS),
        ),
      ),
  });
}
