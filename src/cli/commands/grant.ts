/** `wasmatrix grant`. */
import { changeAssignments } from "../change-assignments.ts";
import { addClientFlags, addExamples, type ClientFlags, type CommandModule } from "../command-context.ts";
import { ASK_TIMEOUT_MS } from "../control-plane-session.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { allowAllText } from "../permissions/allow-all.ts";
import { assignmentsToGrant } from "../permissions/assignment-plan.ts";
import { addPermissionFlags, type PermissionFlags } from "../permissions/permission-flags.ts";

/** Adds permissions and denials to what an instance has. */
export const define: CommandModule["define"] = (command, context) => {
  const { io } = context;
  command
    .description(
      "Allow an instance to do something, or deny it, from its next operation on. It is added to what the instance may do already; a denial wins over anything allowed.",
    )
    .argument("<instance>", INSTANCE_HELP)
    .optionsGroup("What it may do:");
  addPermissionFlags(command, { workDir: io.workDir, bareFolders: false }).optionsGroup("Output:");
  addClientFlags(command).action(async (wanted: string, flags: ClientFlags & PermissionFlags) => {
    if (flags.allowAll === true) await io.stderr.write(allowAllText());
    await changeAssignments(context, {
      wanted,
      flags,
      plan: (held, given) =>
        assignmentsToGrant(
          held,
          given.flatMap((flag) => flag.rules),
        ),
      send: ({ client, call }, change) => client.assignCapability(change, call(ASK_TIMEOUT_MS)),
    });
  });
  addExamples(command, [
    ["grant hello --allow-kv", "everything on the bucket default"],
    ["grant hello --allow-kv=visits:read --allow-kv=cache@kv-memory", "on two buckets, one of another provider"],
    ["grant hello --allow-net=api.example.com,*.example.org:8443", "HTTP requests to these hosts"],
    ["grant hello --allow-read=./assets::/assets --deny-read=./assets/private", "a folder, but not all of it"],
  ]);
};
