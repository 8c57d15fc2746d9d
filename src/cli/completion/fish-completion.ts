/** The completion script for fish. Pure. */
import type { CompletionCommand, CompletionFlag, CompletionValue } from "./completion-tree.ts";

/** The script, to be loaded by `wasmatrix completion fish | source`. */
export function fishCompletion(commands: readonly CompletionCommand[]): string {
  const lines = [
    "# wasmatrix completion for fish; load it with: wasmatrix completion fish | source",
    "complete -c wasmatrix -f",
  ];
  for (const { name, summary } of commands)
    lines.push(`complete -c wasmatrix -n __fish_use_subcommand -a ${quoted(name)} -d ${quoted(summary)}`);
  for (const command of commands) {
    const here = `complete -c wasmatrix -n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
    lines.push(...command.flags.map((flag) => `${here} ${flagWords(flag)}`));
    // fish does not count arguments; what may stand at any place is offered at each.
    const values = new Set(command.args.map(valueWords).filter((words) => words !== ""));
    lines.push(...[...values].map((words) => `${here} ${words}`));
  }
  return `${lines.join("\n")}\n`;
}

function flagWords({ long, short, description, value }: CompletionFlag): string {
  const names = [`-l ${long.replace(/^--/, "")}`, ...(short === "" ? [] : [`-s ${short.replace(/^-/, "")}`])];
  // -x is -r without files, which fish would otherwise offer behind every flag that takes a value.
  const values = value === undefined ? [] : [value.kind === "files" ? "-r" : "-x", valueWords(value)];
  return [...names, ...values, `-d ${quoted(description)}`].filter((word) => word !== "").join(" ");
}

function valueWords(value: CompletionValue): string {
  switch (value.kind) {
    case "words":
      return `-a ${quoted(value.words.join(" "))}`;
    case "instances":
    case "nodes":
      return `-a ${quoted(`(wasmatrix __complete ${value.kind} 2>/dev/null)`)}`;
    case "instances-or-files":
      return `-F -a ${quoted("(wasmatrix __complete instances 2>/dev/null)")}`;
    case "files":
      return "-F";
    case "folders":
      return `-a ${quoted("(__fish_complete_directories)")}`;
    case "nothing":
      return "";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
