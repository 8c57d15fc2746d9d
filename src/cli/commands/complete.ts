/** `wasmatrix __complete`: what completion scripts ask for. Hidden. */
import { Argument } from "commander";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { openSession } from "../control-plane-session.ts";
import { documentText } from "../json-output.ts";

type Thing = "instances" | "nodes";

const THINGS: readonly Thing[] = ["instances", "nodes"];
/** Who presses Tab does not wait longer. */
const COMPLETE_TIMEOUT_MS = 1_000;
const OFFERED_MAX = 1_000;

/** Prints names and ids, one a line; nothing if the control plane does not answer in time. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description("Print what a completion script asks for, one a line.")
    .addArgument(new Argument("<thing>", "what is completed").choices(THINGS));
  addClientFlags(command).action(async (thing: Thing, flags: ClientFlags) => complete(context, thing, flags));
  addExamples(command, [["__complete instances", "names and ids of live instances"]]);
};

async function complete(context: CommandContext, thing: Thing, flags: ClientFlags): Promise<void> {
  const words = await offered(context, thing, flags).catch(() => {
    // A message in the middle of a command line helps nobody; the command itself will tell.
    return [];
  });
  await context.io.stdout.write(flags.json ? documentText(words) : words.map((word) => `${word}\n`).join(""));
}

async function offered(context: CommandContext, thing: Thing, flags: ClientFlags): Promise<string[]> {
  const session = await openSession(context, flags);
  if (thing === "nodes") {
    const { nodes } = await session.client.listNodes({}, session.call(COMPLETE_TIMEOUT_MS));
    return nodes.flatMap((node) => (node.info === undefined ? [] : [node.info.nodeId]));
  }
  const { instances } = await session.client.listInstances(
    { pageSize: OFFERED_MAX },
    session.call(COMPLETE_TIMEOUT_MS),
  );
  // A name that several share names none of them.
  const names = Map.groupBy(instances, (instance) => instance.name);
  const unique = [...names].flatMap(([name, sharing]) => (name !== "" && sharing.length === 1 ? [name] : []));
  return [...unique.toSorted(), ...instances.map((instance) => instance.id)];
}
