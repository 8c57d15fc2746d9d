/** A `CliIo` whose output a test reads, with the real clock. */
import { systemClock, systemEntropy } from "../../src/clock.ts";
import { OutputClosed, type CliIo, type OutputStream } from "../../src/cli/cli-io.ts";
import { runCli } from "../../src/cli/run-cli.ts";

/** What a test chooses. */
export type CapturedIoOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
  readonly stdin?: string;
  readonly homeDir?: string;
  readonly workDir?: string;
  readonly signal?: AbortSignal;
  /** Called with all of stdout after each write; may throw `OutputClosed`. */
  readonly onStdout?: (text: string) => void;
};

/** An io and what was written to it. */
export type CapturedIo = { readonly io: CliIo; readonly stdout: () => string; readonly stderr: () => string };

/** How a run of the command line came out. */
export type CliResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Makes an io; by default no terminal, an empty environment and a home without a config file. */
export function createCapturedIo(options: CapturedIoOptions = {}): CapturedIo {
  const out: string[] = [];
  const err: string[] = [];
  const stream = (into: string[], onWrite?: (text: string) => void): OutputStream => ({
    isTerminal: options.isTerminal === true,
    columns: 80,
    write: async (text) => {
      into.push(text);
      onWrite?.(into.join(""));
    },
  });
  const io: CliIo = {
    stdout: stream(out, options.onStdout),
    stderr: stream(err),
    stdin: stdinOf(options.stdin ?? ""),
    env: options.env ?? {},
    workDir: options.workDir ?? process.cwd(),
    homeDir: options.homeDir ?? "/nonexistent-home",
    signal: options.signal ?? new AbortController().signal,
    clock: systemClock,
    entropy: systemEntropy,
  };
  return { io, stdout: () => out.join(""), stderr: () => err.join("") };
}

/** Runs the command line in this process. */
export async function runCaptured(argv: readonly string[], options: CapturedIoOptions = {}): Promise<CliResult> {
  const captured = createCapturedIo(options);
  const code = await runCli(argv, captured.io);
  return { code, stdout: captured.stdout(), stderr: captured.stderr() };
}

/** For `onStdout`: the reader goes away after the first write. */
export function closedAfterFirstWrite(): () => void {
  return () => {
    throw new OutputClosed();
  };
}

async function* stdinOf(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}
