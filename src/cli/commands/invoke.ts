/** `wasmatrix invoke`. */
import { Reason } from "../../fault.ts";
import { readStreamBounded } from "../bounded-read.ts";
import type { CliIo } from "../cli-io.ts";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { openSession } from "../control-plane-session.ts";
import { INSTANCE_HELP } from "../instance-argument.ts";
import { argsJsonFromText, argsJsonFromWords } from "../invoke-args.ts";
import { documentText } from "../json-output.ts";
import { UsageError } from "../usage-error.ts";

type InvokeFlags = ClientFlags & { readonly argsJson?: string };

/** As much as the contract lets through. */
const ARGS_MAX_BYTES = 1024 * 1024;

/** Calls an exported function and prints each result on a line. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      'Call an exported function of an instance and print each result as JSON on a line, texts as they are. Records are JSON objects, variants {"case": value}, options null or the value, 64-bit integers texts of digits; docs/guests.md has all of it.',
    )
    .argument("<instance>", INSTANCE_HELP)
    .argument("<function>", "the exported function; of a component interface#function, with or without the version")
    .argument("[args...]", "each a JSON value, or else a text")
    .option("--args-json <array>", "all arguments as one JSON array instead; - reads it from standard input");
  addClientFlags(command).action(async (instance: string, name: string, words: string[], flags: InvokeFlags) =>
    invoke(context, { instance, name, words }, flags),
  );
  addExamples(command, [
    ["invoke calc add 2 3", "numbers as they are"],
    ["invoke calc add -- -2 3", "behind -- nothing is taken for a flag"],
    ["invoke calc square 9007199254740993", "64-bit integers, too"],
    [
      'invoke shop \'example:shop/cart#total\' \'[{"sku": "a1", "count": 2}]\'',
      "a function of a component, with records",
    ],
    ["invoke calc add --args-json '[2, 3]'", "all arguments at once"],
    ["invoke shop 'example:shop/cart#total' --args-json - < cart.json", "from a file"],
  ]);
};

type Invocation = { readonly instance: string; readonly name: string; readonly words: readonly string[] };

async function invoke(context: CommandContext, invocation: Invocation, flags: InvokeFlags): Promise<void> {
  const { instance, name, words } = invocation;
  if (flags.argsJson !== undefined && words.length > 0)
    throw new UsageError("Cannot take arguments both as words and by --args-json", "use one of them");
  const argsJson =
    flags.argsJson === undefined
      ? argsJsonFromWords(words)
      : argsJsonFromText(flags.argsJson === "-" ? await readArgs(context.io) : flags.argsJson);
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

async function readArgs(io: CliIo): Promise<string> {
  const options = { what: "arguments", maxBytes: ARGS_MAX_BYTES, tooLarge: Reason.BODY_TOO_LARGE, signal: io.signal };
  return new TextDecoder().decode(await readStreamBounded(io.stdin, options));
}
