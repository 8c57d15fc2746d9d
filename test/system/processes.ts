/** Real processes of the command line, for tests that kill them. */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

const main: string = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

/** A process that is still running, or was. */
export type RunningProcess = {
  readonly child: ChildProcess;
  /** All that it has written so far, both streams. */
  output(): string;
  /** Ends it and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<ProcessEnd>;
  readonly ended: Promise<ProcessEnd>;
};

/** How a process ended, and what it wrote. */
export type ProcessEnd = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Starts `wasmatrix ARGS`. The environment is this process's without WASMATRIX variables, plus `env`. */
export function startWasmatrix(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly stdin?: string } = {},
): RunningProcess {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...environment(), ...options.env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    child,
    ended,
    output: () => stdout + stderr,
    kill(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** Runs `wasmatrix ARGS` to its end. */
export function runWasmatrix(...args: readonly string[]): Promise<ProcessEnd> {
  return startWasmatrix(args).ended;
}

/** A port that nothing listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("WASMATRIX_") && name !== "NODE_V8_COVERAGE",
  );
  const coverage = process.env["WASMATRIX_PROCESS_COVERAGE"];
  return { ...Object.fromEntries(own), ...(coverage === undefined ? {} : { NODE_V8_COVERAGE: coverage }) };
}
