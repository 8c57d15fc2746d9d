/** Exit codes by meaning, the same for every command. */

/** What the process ends with. `run --wait` of a command guest ends with the guest's own code instead. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  unavailable: 5,
  timeout: 6,
  exhausted: 7,
  interrupted: 130,
  outputClosed: 141,
  terminated: 143,
} as const;

/** The table, for `--help` and the README. */
export const EXIT_CODE_TEXT: string = [
  "Exit codes:",
  "  0    done",
  "  1    failed, for a reason that is not below",
  "  2    the request is wrong: unknown option, bad value, invalid argument",
  "  3    there is no such instance, module, function, node or provider",
  "  4    refused: not permitted, no or wrong token, or the state forbids it",
  "  5    the control plane or a node cannot be reached",
  "  6    it took too long",
  "  7    a limit is hit: no room, too large, too many at once",
  "  130  interrupted by Ctrl-C (143: by SIGTERM, 141: nobody reads the output)",
  "  run --wait of a command ends with the guest's own exit code",
].join("\n");
