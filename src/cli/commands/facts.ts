/** `wasmatrix facts`. */
import { FactKindSchema, FactSchema, type Fact } from "../../gen/wasmatrix/v1/fact_pb.ts";
import { mayColour } from "../cli-io.ts";
import { createPaint } from "../colour.ts";
import {
  addClientFlags,
  addExamples,
  type ClientFlags,
  type CommandContext,
  type CommandModule,
} from "../command-context.ts";
import { openSession } from "../control-plane-session.ts";
import { wordFromEnum } from "../enum-word.ts";
import { idText, timeText } from "../instance-text.ts";
import { lineText, messageJson } from "../json-output.ts";
import { printable } from "../printable.ts";
import type { Paint } from "../table.ts";

type FactsFlags = ClientFlags & {
  readonly follow?: boolean;
  readonly instance?: string;
  /** False for --no-trunc. */
  readonly trunc: boolean;
};

/** Shows what happened, as agents reported it. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .option("-f, --follow", "go on with new facts as they are reported")
    .option("--instance <instance>", "only of this instance: id, its first characters, or name")
    .option("--no-trunc", "show whole ids");
  addClientFlags(command).action(async (flags: FactsFlags) => showFacts(context, flags));
  addExamples(command, [
    ["facts", "what the control plane remembers, oldest first within each node"],
    ["facts -f --instance hello", "of one instance, as it happens"],
    ["facts --json | jq -r 'select(.kind == \"FACT_KIND_CAPABILITY_DENIED\").message'", "denials, for a script"],
  ]);
};

async function showFacts(context: CommandContext, flags: FactsFlags): Promise<void> {
  const { io } = context;
  const session = await openSession(context, flags);
  const paint = createPaint(mayColour(io, io.stdout));
  const request = { follow: flags.follow === true, instance: flags.instance ?? "" };
  for await (const { facts, gap } of session.client.watchFacts(request, session.call())) {
    if (gap) await io.stderr.write("note: some facts in between are no longer remembered\n");
    for (const fact of facts) {
      await io.stdout.write(
        flags.json ? lineText(messageJson(FactSchema, fact)) : `${factLine(fact, { paint, whole: !flags.trunc })}\n`,
      );
    }
  }
}

const KIND_CHARACTERS = 22;

/** One fact on one line: time, node, kind, instance, sentence; pure. */
export function factLine(fact: Fact, options: { readonly paint: Paint; readonly whole: boolean }): string {
  const { paint, whole } = options;
  const { instance, provider } = fact;
  const subject =
    instance === undefined
      ? (provider?.id ?? "")
      : [idText(instance.id, whole), instance.name].filter((part) => part !== "").join(" ");
  const parts = [
    paint("quiet", timeText(fact.time)),
    printable(fact.nodeId),
    paint("strong", wordFromEnum(FactKindSchema, fact.kind).padEnd(KIND_CHARACTERS)),
    printable(subject),
    printable(fact.message),
  ];
  return parts
    .filter((part) => part !== "")
    .join("  ")
    .trimEnd();
}
