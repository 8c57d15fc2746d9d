/** One run of the command line, from its words to its exit code. */
import { CommanderError } from "commander";
import { Interrupt, mayColour, OutputClosed, type CliIo, type OutputStream } from "./cli-io.ts";
import { createPaint } from "./colour.ts";
import { EXIT } from "./exit-code.ts";
import type { Failure } from "./failure.ts";
import { withLeadingFlagsMoved } from "./leading-flags.ts";
import { printable } from "./printable.ts";
import { createProgram } from "./program.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Runs `wasmatrix` with `words` (without the program's name) and answers the exit code. Never throws; every error is
 * told on `io.stderr`.
 */
export async function runCli(words: readonly string[], io: CliIo): Promise<number> {
  const argv = withLeadingFlagsMoved(words);
  const requestId = `cli-${io.entropy.hex(8)}`;
  let exitCode: number = EXIT.ok;
  const written: Promise<void>[] = [];
  const keep = (stream: OutputStream, text: string): void => {
    // Commander cannot wait; a reader that is gone shows at the end.
    written.push(stream.write(text));
    written.at(-1)?.catch(() => undefined);
  };
  try {
    const context = { io, requestId, exitWith: (code: number) => void (exitCode = code) };
    const program = await createProgram(argv, context, {
      writeOut: (text) => keep(io.stdout, text),
      writeErr: (text) => keep(io.stderr, text),
    });
    await program.parseAsync(argv, { from: "user" });
    await Promise.all(written);
    return exitCode;
  } catch (error) {
    try {
      await Promise.all(written);
      return await tell(error, { io, requestId, json: argv.includes("--json") });
    } catch (unwritten) {
      // Nobody reads stderr either; the exit code is all that is left to say.
      return unwritten instanceof OutputClosed ? EXIT.outputClosed : EXIT.failure;
    }
  }
}

type Telling = { readonly io: CliIo; readonly requestId: string; readonly json: boolean };

/** Tells the user what went wrong and answers the exit code. */
async function tell(error: unknown, telling: Telling): Promise<number> {
  const { io } = telling;
  if (error instanceof OutputClosed) return EXIT.outputClosed;
  if (io.signal.aborted) {
    const why: unknown = io.signal.reason;
    if (why instanceof OutputClosed) return EXIT.outputClosed;
    if (why instanceof Interrupt) return why.signalName === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
  }
  if (error instanceof CommanderError) {
    // Help or the version was asked for and has been written; help instead of a missing command is a mistake.
    if (error.exitCode === 0) return EXIT.ok;
    if (error.code === "commander.help") return EXIT.usage;
  }
  const failure = await failureFrom(error, telling.requestId);
  await io.stderr.write(telling.json ? `${JSON.stringify({ error: failure })}\n` : failureText(failure, io));
  if ((io.env["WASMATRIX_DEBUG"] ?? "") !== "" && !(error instanceof CommanderError)) {
    const { causesText } = await import("../log.ts");
    await io.stderr.write(`${causesText(error)}\n`);
  }
  return failure.exitCode;
}

async function failureFrom(error: unknown, requestId: string): Promise<Failure> {
  const usage = { exitCode: EXIT.usage, reason: "INVALID_REQUEST", requestId: "" };
  if (error instanceof UsageError) return { ...usage, message: error.message, hint: error.hint };
  if (error instanceof CommanderError) {
    const [message = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
    const suggestion = rest.join(" ").replace(/^\(Did you mean (.*)\?\)$/, "did you mean $1?");
    return { ...usage, message, hint: suggestion || "see what there is with: --help" };
  }
  // Only now: the error vocabulary takes long to load.
  const { failureFromError } = await import("./failure.ts");
  return failureFromError(error, requestId);
}

function failureText(failure: Failure, io: CliIo): string {
  const paint = createPaint(mayColour(io, io.stderr));
  const lines = [`${paint("bad", "error:")} ${printable(failure.message)}`];
  if (failure.hint !== "") lines.push(`${paint("strong", "hint:")} ${printable(failure.hint)}`);
  if (failure.requestId !== "" && !failure.message.includes(failure.requestId))
    lines.push(`request id: ${printable(failure.requestId)}`);
  return `${lines.join("\n")}\n`;
}
