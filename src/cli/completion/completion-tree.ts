/** The tree of commands as completion scripts need it. Pure. */
import type { Argument, Command, Option } from "commander";
import { InstanceStateSchema } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { wordsOfEnum } from "../enum-word.ts";

/** What may stand at a place: words that are known, or what the shell or the control plane knows. */
export type CompletionValue =
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" | "folders" | "instances" | "instances-or-files" | "nodes" | "nothing" };

/** A flag of a command. */
export type CompletionFlag = {
  /** `--follow`. */
  readonly long: string;
  /** `-f`, or empty. */
  readonly short: string;
  readonly description: string;
  /** What stands behind it; `undefined` if it takes no value, or takes one behind `=` only. */
  readonly value: CompletionValue | undefined;
  readonly isRepeatable: boolean;
};

/** A command. */
export type CompletionCommand = {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  /** What stands behind the command; the last one repeats if `repeatsLast`. */
  readonly args: readonly CompletionValue[];
  readonly repeatsLast: boolean;
};

/** The visible commands of a whole program, in its order. */
export function completionTree(program: Command): CompletionCommand[] {
  const help = program.createHelp();
  return help.visibleCommands(program).map((command) => {
    const args = command.registeredArguments;
    return {
      name: command.name(),
      summary: command.summary() || command.description(),
      flags: help.visibleOptions(command).map(flagOf),
      args:
        command.name() === "help"
          ? [{ kind: "words", words: help.visibleCommands(program).map((one) => one.name()) }]
          : args.map(argumentValue),
      repeatsLast: args.at(-1)?.variadic === true,
    };
  });
}

function flagOf(option: Option): CompletionFlag {
  return {
    long: option.long ?? "",
    short: option.short ?? "",
    description: option.description,
    value: option.required ? valueOf(/<([^>]*)>/.exec(option.flags)?.[1] ?? "", option.argChoices) : undefined,
    isRepeatable: option.description.includes("(repeatable)"),
  };
}

function argumentValue(argument: Argument): CompletionValue {
  return valueOf(argument.name(), argument.argChoices);
}

/** By the name of the placeholder, which is the same for the same thing in every command. */
function valueOf(placeholder: string, choices: readonly string[] | undefined): CompletionValue {
  if (choices !== undefined) return { kind: "words", words: choices };
  switch (placeholder) {
    case "instance":
      return { kind: "instances" };
    case "instance-or-file":
      return { kind: "instances-or-files" };
    case "node":
      return { kind: "nodes" };
    case "file":
    case "file-or-url":
      return { kind: "files" };
    case "folder":
      return { kind: "folders" };
    case "state":
      return { kind: "words", words: wordsOfEnum(InstanceStateSchema) };
    case "policy":
      return { kind: "words", words: ["never", "always", "on-failure"] };
    default:
      return { kind: "nothing" };
  }
}
