/** Flags in front of the command. Pure. */

const WITH_VALUE: readonly string[] = ["--address", "--token", "--client-config"];

/** Moves `--address`, `--token`, `--client-config` and `--json` from in front of the command to behind it: `--json ps` is `ps --json`. */
export function withLeadingFlagsMoved(argv: readonly string[]): string[] {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    if (WITH_VALUE.includes(word)) at += 2;
    else if (word === "--json" || WITH_VALUE.some((flag) => word.startsWith(`${flag}=`))) at += 1;
    else break;
  }
  const command = argv[at];
  if (at === 0 || command === undefined || command.startsWith("-")) return [...argv];
  return [command, ...argv.slice(0, at), ...argv.slice(at + 1)];
}
