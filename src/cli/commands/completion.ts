/** `wasmatrix completion`. */
import { Argument, type Command } from "commander";
import { addExamples, type CommandContext, type CommandModule } from "../command-context.ts";
import { bashCompletion } from "../completion/bash-completion.ts";
import { completionTree, type CompletionCommand } from "../completion/completion-tree.ts";
import { fishCompletion } from "../completion/fish-completion.ts";
import { zshCompletion } from "../completion/zsh-completion.ts";
import { documentText } from "../json-output.ts";

type Shell = "bash" | "zsh" | "fish";

const SCRIPTS: Readonly<Record<Shell, (commands: readonly CompletionCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Prints the completion script of a shell. */
export const define: CommandModule["define"] = (command, context) => {
  command
    .description(
      "Print a completion script for a shell. It completes commands and flags by itself, and asks the control plane for instances and nodes.",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(SCRIPTS)))
    .option("--json", "print the tree of commands instead, as JSON")
    .action(async (shell: Shell, flags: { readonly json?: boolean }) => print(context, shell, flags.json === true));
  addExamples(command, [
    ["completion bash >> ~/.bashrc", "for every new bash"],
    ['completion zsh > "${fpath[1]}/_wasmatrix"', "for every new zsh"],
    ["completion fish > ~/.config/fish/completions/wasmatrix.fish", "for every new fish"],
  ]);
};

async function print(context: CommandContext, shell: Shell, json: boolean): Promise<void> {
  const tree = completionTree(await wholeProgram(context));
  await context.io.stdout.write(json ? documentText(tree) : SCRIPTS[shell](tree));
}

async function wholeProgram(context: CommandContext): Promise<Command> {
  const { createWholeProgram } = await import("../program.ts");
  return createWholeProgram(context, { writeOut: () => undefined, writeErr: () => undefined });
}
