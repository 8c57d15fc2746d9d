/** How a command is run: the exported `wasi:cli/run`. */
import { GuestExit } from "./guest-exit.ts";

/** The exported `run`. */
export type CommandRun = () => unknown;

/** Runs a command to its end and gives its exit code: 0 or 1 by what `run` returns, or what the guest gave to `exit`. Rethrows anything else (a trap). */
export async function runCommand(run: CommandRun): Promise<number> {
  try {
    const result = await run();
    return typeof result === "object" && result !== null && "tag" in result && result.tag === "err" ? 1 : 0;
  } catch (error) {
    if (error instanceof GuestExit) return error.exitCode;
    throw error;
  }
}
