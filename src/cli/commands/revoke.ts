/** `wasmatrix revoke`. */
import { changeAssignments } from "../change-assignments.ts";
import { addClientFlags, addExamples, type ClientFlags, type CommandModule } from "../command-context.ts";
import { ASK_TIMEOUT_MS } from "../control-plane-session.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { assignmentsToRevoke } from "../permissions/assignment-plan.ts";
import { addPermissionFlags, type PermissionFlags } from "../permissions/permission-flags.ts";

/** Takes permissions of an instance away, and lifts denials. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Take away what an instance was allowed, or lift what it was denied, from its next operation on. The flags are those that granted or denied it; without a value they mean all of their kind.",
    )
    .argument("<instance>", INSTANCE_HELP)
    .optionsGroup("What is taken away:");
  addPermissionFlags(command, { workDir: context.io.workDir, bareFolders: true }).optionsGroup("Output:");
  addClientFlags(command).action(async (wanted: string, flags: ClientFlags & PermissionFlags) =>
    changeAssignments(context, {
      wanted,
      flags,
      plan: assignmentsToRevoke,
      send: ({ client, call }, change) => client.revokeCapability(change, call(ASK_TIMEOUT_MS)),
    }),
  );
  addExamples(command, [
    ["revoke hello --allow-kv", "everything on the bucket default"],
    ["revoke hello --allow-kv=visits:write,delete", "reading stays"],
    ["revoke hello --allow-net", "all HTTP requests"],
    ["revoke hello --deny-net=api.example.com", "the denial is lifted; what is allowed counts again"],
    ["revoke hello --allow-all", "everything"],
  ]);
};
