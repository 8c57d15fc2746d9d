/** The completion script for bash. Pure. */
import type { CompletionCommand, CompletionValue } from "./completion-tree.ts";

/** The script; it works in bash 3.2, too, and needs no bash-completion package. */
export function bashCompletion(commands: readonly CompletionCommand[]): string {
  const names = commands.map((command) => command.name);
  return `# wasmatrix completion for bash; load it with: source <(wasmatrix completion bash)
_wasmatrix() {
  local cur prev command word index position IFS=$'\\n'
  cur="\${COMP_WORDS[COMP_CWORD]}"
  prev="\${COMP_WORDS[COMP_CWORD-1]}"
  command="" position=0
  for (( index = 1; index < COMP_CWORD; index++ )); do
    word="\${COMP_WORDS[index]}"
    if [[ -z "$command" ]]; then
      case "$word" in
        ${names.join("|")}) command="$word" ;;
      esac
    elif [[ "$word" != -* ]]; then
      position=$(( position + 1 ))
    fi
  done
  COMPREPLY=()
  case "$command $prev" in
${commands.flatMap(flagValueCases).join("\n")}
  esac
  if [[ "$cur" == -* ]]; then
    case "$command" in
${commands.map((command) => `      ${command.name}) COMPREPLY=( $(compgen -W ${quoted(flagWords(command).join("\n"))} -- "$cur") ) ;;`).join("\n")}
    esac
    return
  fi
  case "$command" in
    "") COMPREPLY=( $(compgen -W ${quoted(names.join("\n"))} -- "$cur") ) ;;
${commands
  .filter((command) => command.args.length > 0)
  .map(argumentCases)
  .join("\n")}
  esac
}
complete -o default -F _wasmatrix wasmatrix
`;
}

function flagValueCases(command: CompletionCommand): string[] {
  return command.flags.flatMap(({ long, short, value }) => {
    if (value === undefined) return [];
    const patterns = [long, short].filter((flag) => flag !== "").map((flag) => quoted(`${command.name} ${flag}`));
    return [`    ${patterns.join("|")}) ${reply(value)}; return ;;`];
  });
}

function argumentCases(command: CompletionCommand): string {
  const cases = command.args.map((value, index) => {
    const isLast = index === command.args.length - 1;
    return `      ${isLast && command.repeatsLast ? "*" : String(index)}) ${reply(value)} ;;`;
  });
  return `    ${command.name}) case "$position" in\n${cases.join("\n")}\n      esac ;;`;
}

function reply(value: CompletionValue): string {
  switch (value.kind) {
    case "words":
      return `COMPREPLY=( $(compgen -W ${quoted(value.words.join("\n"))} -- "$cur") )`;
    case "instances":
    case "nodes":
      return `COMPREPLY=( $(compgen -W "$(wasmatrix __complete ${value.kind} 2>/dev/null)" -- "$cur") )`;
    case "instances-or-files":
      return 'COMPREPLY=( $(compgen -W "$(wasmatrix __complete instances 2>/dev/null)" -- "$cur") $(compgen -f -- "$cur") )';
    case "files":
      return 'COMPREPLY=( $(compgen -f -- "$cur") )';
    case "folders":
      return 'COMPREPLY=( $(compgen -d -- "$cur") )';
    case "nothing":
      return "COMPREPLY=()";
  }
}

function flagWords(command: CompletionCommand): string[] {
  return command.flags.flatMap(({ long, short }) => [long, short].filter((flag) => flag !== ""));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
