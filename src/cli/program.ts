/** The tree of commands. A command's own file is loaded only when the command is named. */
import { Command, type Option } from "commander";
import { addExamples, type CommandContext, type CommandModule } from "./command-context.ts";
import { EXIT_CODE_TEXT } from "./exit-code.ts";
import { packageVersion } from "./package-version.ts";

type CommandEntry = {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly hidden?: boolean;
  readonly load: () => Promise<CommandModule>;
};

const RUNNING = "Running instances:";
const LOOKING = "Looking at them:";
const SERVING = "Serving:";
const OTHER = "Other:";

const COMMANDS: readonly CommandEntry[] = [
  { name: "run", group: RUNNING, summary: "start an instance of a module", load: () => import("./commands/run.ts") },
  {
    name: "init",
    group: RUNNING,
    summary: "write a manifest for wasmatrix run",
    load: () => import("./commands/init.ts"),
  },
  { name: "stop", group: RUNNING, summary: "stop instances", load: () => import("./commands/stop.ts") },
  {
    name: "invoke",
    group: RUNNING,
    summary: "call an exported function of an instance",
    load: () => import("./commands/invoke.ts"),
  },
  {
    name: "grant",
    group: RUNNING,
    summary: "allow an instance to do something",
    load: () => import("./commands/grant.ts"),
  },
  {
    name: "revoke",
    group: RUNNING,
    summary: "take a permission of an instance away",
    load: () => import("./commands/revoke.ts"),
  },
  { name: "ps", group: LOOKING, summary: "list instances", load: () => import("./commands/ps.ts") },
  {
    name: "inspect",
    group: LOOKING,
    summary: "show all that is known of an instance, or what a module is",
    load: () => import("./commands/inspect.ts"),
  },
  { name: "logs", group: LOOKING, summary: "show what an instance writes", load: () => import("./commands/logs.ts") },
  { name: "facts", group: LOOKING, summary: "show what happened", load: () => import("./commands/facts.ts") },
  {
    name: "nodes",
    group: LOOKING,
    summary: "list nodes, cordon or drain one",
    load: () => import("./commands/nodes.ts"),
  },
  {
    name: "dev",
    group: SERVING,
    summary: "start a control plane and an agent in one process",
    load: () => import("./commands/dev.ts"),
  },
  { name: "cp", group: SERVING, summary: "start a control plane", load: () => import("./commands/cp.ts") },
  { name: "agent", group: SERVING, summary: "start a node agent", load: () => import("./commands/agent.ts") },
  { name: "version", group: OTHER, summary: "print the version", load: () => import("./commands/version.ts") },
  {
    name: "completion",
    group: OTHER,
    summary: "print a completion script for a shell",
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "__complete",
    group: OTHER,
    summary: "print ids and names for completion",
    hidden: true,
    load: () => import("./commands/complete.ts"),
  },
];

/** Where commander writes help. */
export type HelpWriters = {
  readonly writeOut: (text: string) => void;
  readonly writeErr: (text: string) => void;
};

/** Builds the tree for `argv`, with the flags of the commands that `argv` names; of the others, name and summary. */
export async function createProgram(
  argv: readonly string[],
  context: CommandContext,
  writers: HelpWriters,
): Promise<Command> {
  return createProgramWith(
    COMMANDS.filter((entry) => argv.includes(entry.name)),
    context,
    writers,
  );
}

/** Builds the whole tree, for completion scripts and for tests. */
export async function createWholeProgram(context: CommandContext, writers: HelpWriters): Promise<Command> {
  return createProgramWith(COMMANDS, context, writers);
}

async function createProgramWith(
  loaded: readonly CommandEntry[],
  context: CommandContext,
  writers: HelpWriters,
): Promise<Command> {
  const program = new ProgramCommand("wasmatrix")
    .description("Runs WebAssembly on your own machines, from a control plane that has nothing to back up.")
    .exitOverride()
    .configureOutput({
      ...writers,
      getOutHelpWidth: () => context.io.stdout.columns,
      getErrHelpWidth: () => context.io.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // Errors are told once, by runCli.
      outputError: () => undefined,
    })
    .helpOption("-h, --help", "show help")
    .version(packageVersion(), "-V, --version", "print the version")
    .commandsGroup(OTHER)
    .helpCommand("help [command]", "show help for a command");
  for (const entry of COMMANDS) {
    const command = program
      .command(entry.name, { hidden: entry.hidden === true })
      .summary(entry.summary)
      .helpGroup(entry.group);
    if (!loaded.includes(entry)) continue;
    command.description(`${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}.`);
    (await entry.load()).define(command, context);
  }
  addExamples(program, [
    ["dev", "start everything that one machine needs"],
    ["run hello.wasm --name hello --allow-kv", "start an HTTP service that may use the key-value store"],
    ["ps", "see what runs"],
    ["run --help", "see the flags and examples of a command"],
  ]);
  return program.addHelpText("after", `\n${EXIT_CODE_TEXT}`);
}

/** A command whose optional flag values stand behind `=` only, so that `--allow-kv app.wasm` does not take the file for a bucket. */
class ProgramCommand extends Command {
  override createCommand(name?: string): Command {
    return new ProgramCommand(name);
  }

  override parseOptions(argv: string[]): ReturnType<Command["parseOptions"]> {
    return super.parseOptions(withEmptyValues(this, argv));
  }
}

/** Writes `--flag` as `--flag=` for flags with an optional value; the value of a flag before it is left alone. */
function withEmptyValues(command: Command, argv: readonly string[]): string[] {
  const words: string[] = [];
  let isValue = false;
  for (const [index, word] of argv.entries()) {
    if (word === "--" && !isValue) return [...words, ...argv.slice(index)];
    const option: Option | undefined = isValue
      ? undefined
      : command.options.find((one) => one.long === word || one.short === word);
    words.push(option?.optional === true && option.long === word ? `${word}=` : word);
    isValue = option?.required === true;
  }
  return words;
}
