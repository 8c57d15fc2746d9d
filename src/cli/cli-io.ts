/** What the command line touches of the outside world, as injected things, so that a whole command runs inside a test. */
import type { Clock, Entropy } from "../clock.ts";

/** A stream that text is written to. */
export interface OutputStream {
  /** Whether a person looks at it. */
  readonly isTerminal: boolean;
  /** Its width in characters; 80 if it is no terminal. */
  readonly columns: number;
  /** Writes; resolves when more may be written. Throws `OutputClosed` once the reader is gone. */
  write(text: string): Promise<void>;
}

/** What a command is given instead of `process`. */
export interface CliIo {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Standard input, in pieces; read only by `run --stdin -`. */
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The working folder, against which the user's relative paths are meant. */
  readonly workDir: string;
  /** The user's home folder. */
  readonly homeDir: string;
  /** Aborted by Ctrl-C, by SIGTERM and when the reader of stdout is gone; the reason is an `Interrupt` or `OutputClosed`. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** Why a command was ended from outside. */
export class Interrupt extends Error {
  override readonly name = "Interrupt";
  readonly signalName: "SIGINT" | "SIGTERM";

  constructor(signalName: "SIGINT" | "SIGTERM") {
    super(`Interrupted by ${signalName}`);
    this.signalName = signalName;
  }
}

/** Nobody reads the output any longer, as after `| head`. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";

  constructor() {
    super("Cannot write: the reader of the output is gone");
  }
}

/** Whether colours may be used on a stream: only on a terminal, and not if `NO_COLOR` is set to anything. */
export function mayColour(io: CliIo, stream: OutputStream): boolean {
  return stream.isTerminal && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
}
