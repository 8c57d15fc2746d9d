/** What `grant` and `revoke` have in common. */
import { InstanceSchema, type Assignment, type Instance } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { OutputStream } from "./cli-io.ts";
import { assignmentText } from "./instance-text.ts";
import { documentText, messageJson } from "./json-output.ts";
import type { KvGrant } from "./kv-grant-flag.ts";
import { printable } from "./printable.ts";
import { UsageError } from "./usage-error.ts";

/** How assignments are changed. */
export type ChangeOptions = {
  readonly grants: readonly KvGrant[] | undefined;
  readonly json: boolean;
  readonly stdout: OutputStream;
  /** Makes one change and answers the instance as it is then. */
  readonly change: (grant: KvGrant) => Promise<Instance>;
};

/** Makes the changes one after another and shows what the instance may do then. Stops at the first that fails. */
export async function changeAssignments(options: ChangeOptions): Promise<void> {
  const { grants = [] } = options;
  let instance: Instance | undefined;
  for (const grant of grants) instance = await options.change(grant);
  if (instance === undefined)
    throw new UsageError(
      "Cannot change what the instance may do: nothing is named",
      "say it with --allow-kv or --allow-kv=BUCKET:read,write,delete",
    );
  await options.stdout.write(
    options.json ? documentText(messageJson(InstanceSchema, instance)) : mayText(instance.id, instance.assignments),
  );
}

function mayText(id: string, assignments: readonly Assignment[]): string {
  if (assignments.length === 0) return `${id} may do nothing\n`;
  return `${id} may\n${assignments.map((assignment) => `  ${printable(assignmentText(assignment))}\n`).join("")}`;
}
