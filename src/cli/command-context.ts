/** What every command is given besides its own flags and arguments. */
import { InvalidArgumentError, Option, type Command } from "commander";
import type { AddressFlags } from "./address.ts";
import type { CliIo } from "./cli-io.ts";
import { UsageError } from "./usage-error.ts";

/** What every command is given. */
export type CommandContext = {
  readonly io: CliIo;
  /** Goes along with every request of this run of the program. */
  readonly requestId: string;
  /** Ends the process with `code` after the command, without an error message: a guest's own exit code. */
  exitWith(code: number): void;
};

/** One file of `commands/`: `define` adds flags, arguments, help and the action to a command of the tree. */
export type CommandModule = {
  readonly define: (command: Command, context: CommandContext) => void;
};

/** The flag that every command has. */
export type OutputFlags = {
  readonly json?: boolean;
};

/** The flags of every command that asks a control plane. */
export type ClientFlags = OutputFlags & AddressFlags;

/** Adds `ClientFlags`. They may also stand in front of the command. */
export function addClientFlags(command: Command): Command {
  return addOutputFlags(command)
    .optionsGroup("Connection:")
    .option("--address <url>", "control plane (default: $WASMATRIX_ADDRESS, config file, http://127.0.0.1:7420)")
    .option("--token <token>", "bearer token (default: $WASMATRIX_TOKEN, config file)")
    .option("--client-config <file>", "file with address and token (default: ~/.config/wasmatrix/config.json)");
}

/** Adds `OutputFlags`. */
export function addOutputFlags(command: Command): Command {
  return command.option("--json", "print JSON: one document, or one a line for streams");
}

/** A flag whose value `parse` reads; its `UsageError` becomes commander's message, which names the flag. */
export function parsedFlag<T>(
  flags: string,
  description: string,
  parse: (text: string, before: T | undefined) => T,
): Option {
  return new Option(flags, description).argParser((text: string, before: T | undefined): T => {
    try {
      return parse(text, before);
    } catch (error) {
      if (error instanceof UsageError)
        throw new InvalidArgumentError(error.hint === "" ? error.message : `${error.message}; ${error.hint}`);
      throw error;
    }
  });
}

/** A flag that may be repeated; its values come as a list. */
export function repeatedFlag(flags: string, description: string, parse: (text: string) => unknown): Option {
  return parsedFlag<readonly unknown[]>(flags, `${description} (repeatable)`, (text, before) => [
    ...(before ?? []),
    parse(text),
  ]);
}

/** Adds examples to a command's help; every command has some. */
export function addExamples(command: Command, examples: readonly (readonly [line: string, what: string])[]): Command {
  const lines = examples.map(([line, what]) => `  # ${what}\n  $ wasmatrix ${line}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
