/** What `grant` and `revoke` have in common. */
import { InstanceSchema, type Assignment, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import { answered } from "./answered.ts";
import type { ClientFlags, CommandContext } from "./command-context.ts";
import { ASK_TIMEOUT_MS, openSession, type ControlPlaneSession } from "./control-plane-session.ts";
import { assignmentText } from "./instance-text.ts";
import { documentText, messageJson } from "./json-output.ts";
import { permissionFlagsGiven, type PermissionFlag, type PermissionFlags } from "./permissions/permission-flags.ts";
import { printable } from "./printable.ts";
import { UsageError } from "./usage-error.ts";

/** How assignments are changed. */
export type ChangeOptions = {
  /** Id, prefix or name. */
  readonly wanted: string;
  readonly flags: ClientFlags & PermissionFlags;
  /** What is sent, one after another, for the assignments that the instance holds. */
  readonly plan: (held: readonly Assignment[], flags: readonly PermissionFlag[]) => readonly Assignment[];
  /** Sends one of them and answers what the agent made of it. */
  readonly send: (
    session: ControlPlaneSession,
    change: { readonly instance: string; readonly assignment: Assignment },
  ) => Promise<{ readonly instance?: Instance | undefined }>;
};

/** Makes the changes one after another and shows what the instance may do then. Stops at the first that fails. */
export async function changeAssignments(context: CommandContext, options: ChangeOptions): Promise<void> {
  const { wanted, flags } = options;
  const given = permissionFlagsGiven(flags);
  if (given.length === 0)
    throw new UsageError(
      "Cannot change what the instance may do: nothing is named",
      "say it with flags such as --allow-net=HOST, --allow-read=DIR, --allow-kv or --deny-net=HOST",
    );
  const session = await openSession(context, flags);
  const asked = session.client.queryInstance({ instance: wanted }, session.call(ASK_TIMEOUT_MS));
  let instance = answered(await asked);
  // By its id: a name may mean another one a moment later.
  const { id } = instance;
  for (const assignment of options.plan(instance.assignments, given))
    instance = answered(await options.send(session, { instance: id, assignment }));
  await context.io.stdout.write(
    flags.json === true ? documentText(messageJson(InstanceSchema, instance)) : mayText(id, instance.assignments),
  );
}

function mayText(id: string, assignments: readonly Assignment[]): string {
  if (assignments.every(({ permissions, deniedPermissions }) => permissions.length + deniedPermissions.length === 0))
    return `${id} may do nothing\n`;
  return `${id} may\n${assignments.map((assignment) => `  ${printable(assignmentText(assignment))}\n`).join("")}`;
}
