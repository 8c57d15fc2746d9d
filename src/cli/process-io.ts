/** The outside world of a real process, for `runCli`. */
import { homedir } from "node:os";
import { addAbortSignal } from "node:stream";
import type { WriteStream } from "node:tty";
import { systemClock, systemEntropy } from "../clock.ts";
import { Interrupt, OutputClosed, type CliIo, type OutputStream } from "./cli-io.ts";
import { EXIT } from "./exit-code.ts";

/** The real streams, environment and signals. A second signal ends the process at once. */
export function createProcessIo(): CliIo {
  const controller = new AbortController();
  const interrupt = (signalName: "SIGINT" | "SIGTERM"): void => {
    if (controller.signal.aborted) process.exit(signalName === "SIGINT" ? EXIT.interrupted : EXIT.terminated);
    controller.abort(new Interrupt(signalName));
  };
  process.on("SIGINT", () => interrupt("SIGINT"));
  process.on("SIGTERM", () => interrupt("SIGTERM"));
  return {
    stdout: createOutputStream(process.stdout, () => controller.abort(new OutputClosed())),
    // Without a reader of stderr the command's work still counts.
    stderr: createOutputStream(process.stderr, () => undefined),
    // Opened only if it is read; a Ctrl-C ends the wait for it.
    get stdin() {
      return addAbortSignal(controller.signal, process.stdin);
    },
    env: process.env,
    workDir: process.cwd(),
    homeDir: homedir(),
    signal: controller.signal,
    clock: systemClock,
    entropy: systemEntropy,
  };
}

/** What is needed of a Node stream. */
export type NodeOutput = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>;

const DEFAULT_COLUMNS = 80;

/** Wraps a Node stream: a write waits for the one before it to be taken, and fails once the reader is gone, which `onClosed` hears of first. */
export function createOutputStream(stream: NodeOutput, onClosed: () => void): OutputStream {
  let isClosed = false;
  stream.on("error", () => {
    // EPIPE, or a terminal that is gone: either way nothing more can be written.
    if (isClosed) return;
    isClosed = true;
    onClosed();
  });
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? DEFAULT_COLUMNS;
    },
    write: (text) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(new OutputClosed());
        if (text === "") return resolve();
        stream.write(text, (error) => (error ? reject(new OutputClosed()) : resolve()));
      }),
  };
}
