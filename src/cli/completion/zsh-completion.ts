/** The completion script for zsh. Pure. */
import type { CompletionCommand, CompletionFlag, CompletionValue } from "./completion-tree.ts";

/** The script; it also works from a folder of `$fpath` under the name `_wasmatrix`. */
export function zshCompletion(commands: readonly CompletionCommand[]): string {
  return `#compdef wasmatrix
# wasmatrix completion for zsh; load it with: source <(wasmatrix completion zsh)
_wasmatrix_instances() {
  local -a found
  found=(\${(f)"$(wasmatrix __complete instances 2>/dev/null)"})
  compadd -a found
}
_wasmatrix_nodes() {
  local -a found
  found=(\${(f)"$(wasmatrix __complete nodes 2>/dev/null)"})
  compadd -a found
}
_wasmatrix() {
  local curcontext="$curcontext" state line
  local -a commands
  commands=(
${commands.map((command) => `    ${quoted(`${command.name}:${command.summary}`)}`).join("\n")}
  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  case "$state" in
    command) _describe 'command' commands ;;
    argument)
      case "\${line[1]}" in
${commands.map((command) => `        ${command.name}) _arguments ${[...command.flags.flatMap(flagSpecs), ...argumentSpecs(command)].map(quoted).join(" ")} ;;`).join("\n")}
      esac ;;
  esac
}
if [[ "\${funcstack[1]}" == _wasmatrix ]]; then _wasmatrix "$@"; else compdef _wasmatrix wasmatrix; fi
`;
}

function flagSpecs(flag: CompletionFlag): string[] {
  const description = `[${flag.description.replace(/[[\]\\:]/g, "\\$&")}]`;
  const value = flag.value === undefined ? "" : `:value:${action(flag.value)}`;
  return [flag.long, flag.short]
    .filter((name) => name !== "")
    .map((name) => `${flag.isRepeatable ? "*" : ""}${name}${description}${value}`);
}

function argumentSpecs(command: CompletionCommand): string[] {
  return command.args.map((value, index) => {
    const isLast = index === command.args.length - 1;
    return `${isLast && command.repeatsLast ? "*" : String(index + 1)}:argument:${action(value)}`;
  });
}

function action(value: CompletionValue): string {
  switch (value.kind) {
    case "words":
      return `(${value.words.join(" ")})`;
    case "instances":
    case "nodes":
      return `_wasmatrix_${value.kind}`;
    case "instances-or-files":
      return "{_wasmatrix_instances; _files}";
    case "files":
      return "_files";
    case "folders":
      return "_files -/";
    case "nothing":
      return " ";
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
