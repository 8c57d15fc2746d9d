/** `wasmatrix invoke`. */
import { argsJsonFromText, argsJsonFromWords } from "../invoke-args.ts";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { openSession } from "../control-plane-session.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { documentText } from "../json-output.ts";
import { UsageError } from "../usage-error.ts";

type InvokeFlags = ClientFlags & { readonly jsonArgs?: string };

/** Calls an exported function and prints each result on a line. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .argument("<instance>", INSTANCE_HELP)
    .argument("<function>", "name of the exported function")
    .argument("[args...]", "each a JSON value, or else a string")
    .option("--json-args <array>", "all arguments as one JSON array instead");
  addClientFlags(command).action(async (instance: string, name: string, words: string[], flags: InvokeFlags) =>
    invoke(context, { instance, name, words }, flags),
  );
  addExamples(command, [
    ["invoke calc add 2 3", "numbers as they are"],
    ["invoke calc add -- -2 3", "behind -- nothing is taken for a flag"],
    ["invoke calc square 9007199254740993", "64-bit integers, too"],
    ["invoke calc add --json-args '[2, 3]'", "all arguments at once"],
  ]);
};

type Invocation = { readonly instance: string; readonly name: string; readonly words: readonly string[] };

async function invoke(context: CommandContext, invocation: Invocation, flags: InvokeFlags): Promise<void> {
  const { instance, name, words } = invocation;
  if (flags.jsonArgs !== undefined && words.length > 0)
    throw new UsageError("Cannot take arguments both as words and by --json-args", "use one of them");
  const argsJson = flags.jsonArgs === undefined ? argsJsonFromWords(words) : argsJsonFromText(flags.jsonArgs);
  const session = await openSession(context, flags);
  // No time of our own: the instance's call timeout bounds it.
  const answer = await session.client.invokeInstance({ instance, function: name, argsJson }, session.call());
  const results: unknown = JSON.parse(answer.resultsJson);
  const text = flags.json
    ? documentText({ results, instanceId: answer.instanceId })
    : (Array.isArray(results) ? results : [results])
        .map((result: unknown) => `${typeof result === "string" ? result : JSON.stringify(result)}\n`)
        .join("");
  await context.io.stdout.write(text);
}
