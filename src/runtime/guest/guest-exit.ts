/** How guest code is left: by `exit`, or by a trap. */
import type { Ending } from "../runtime.ts";

/** Thrown through guest code when it calls `exit`. The agent has been told before, so a guest that catches it gains nothing. */
export class GuestExit extends Error {
  override readonly name = "GuestExit";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** What an error that came out of guest code means for the guest. */
export function endingFromError(error: unknown): Ending {
  if (error instanceof GuestExit) return { kind: "exited", exitCode: error.exitCode };
  if (error instanceof WebAssembly.Exception) return { kind: "trapped", message: "an exception that nothing caught" };
  // jco puts "wasm trap: " in front.
  if (error instanceof Error) return { kind: "trapped", message: error.message.replace(/^wasm trap: /, "") };
  return { kind: "trapped", message: String(error) };
}
