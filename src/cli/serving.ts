/** What `dev`, `cp` and `agent` have in common: log, flags of what is served, and the end by Ctrl-C. */
import { Option, type Command } from "commander";
import { createJsonLog, type Log, type LogLevel } from "../log.ts";
import { checkedToken } from "./address.ts";
import type { CliIo } from "./cli-io.ts";
import { parsedFlag, type OutputFlags } from "./command-context.ts";
import { durationMsFromText } from "./duration.ts";

/** The flags of everything that serves. */
export type ServingFlags = OutputFlags & {
  readonly host?: string;
  readonly token?: string;
  readonly logLevel: LogLevel;
  readonly grace?: number;
};

/** Something that runs until it is closed. */
export interface Closable {
  close(graceMs?: number): Promise<void>;
}

const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
const DEFAULT_GRACE_MS = 10_000;

/** Adds `ServingFlags`. */
export function addServingFlags(command: Command, logLevel: LogLevel): Command {
  return command
    .option("--host <host>", "address to listen on; others than loopback need a token (default 127.0.0.1)")
    .option("--token <token>", "bearer token that callers must show (default: $WASMATRIX_TOKEN)")
    .addOption(
      new Option("--log-level <level>", "least severe log lines on stderr").choices(LOG_LEVELS).default(logLevel),
    )
    .addOption(
      parsedFlag(
        "--grace <duration>",
        "how long calls in flight may take to finish at the end (default 10s)",
        durationMsFromText,
      ),
    )
    .option("--json", "print where it listens as one line of JSON");
}

/** The token that guards what is served: flag, then environment. The config file is for clients. */
export function servingToken(io: CliIo, flags: ServingFlags): string | undefined {
  const fromEnv = io.env["WASMATRIX_TOKEN"];
  return checkedToken(flags.token ?? (fromEnv === "" ? undefined : fromEnv));
}

/** A log of JSON lines on stderr. */
export function createStderrLog(io: CliIo, level: LogLevel): Log {
  return createJsonLog({
    level,
    clock: io.clock,
    // Nobody reads stderr: there is no other place to say so, and what is served goes on.
    write: (line) => void io.stderr.write(`${line}\n`).catch(() => undefined),
  });
}

/** Waits for Ctrl-C, SIGTERM or the end of the reader, then closes all in order, each within the grace time. A first failure is thrown after the rest is closed. */
export async function serveUntilInterrupted(io: CliIo, parts: readonly Closable[], flags: ServingFlags): Promise<void> {
  await aborted(io.signal);
  await closeAll(parts, flags.grace ?? DEFAULT_GRACE_MS);
}

/** Closes all in order; a first failure is thrown after the rest is closed. */
export async function closeAll(parts: readonly Closable[], graceMs: number): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) await part.close(graceMs).catch((error: unknown) => void failures.push(error));
  if (failures.length > 0) throw failures[0];
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
