/** What an error that came out of guest code means for the guest. */
import { HandleLimit } from "../handle-limit.ts";
import { GuestExit } from "../host/guest-exit.ts";
import type { Ending } from "../runtime.ts";

/** See the top of the file. */
export function endingFromError(thrown: unknown): Ending {
  const error = thrown instanceof WebAssembly.RuntimeError && thrown.cause !== undefined ? thrown.cause : thrown;
  if (error instanceof GuestExit) return { kind: "exited", exitCode: error.exitCode };
  if (error instanceof HandleLimit)
    return {
      kind: "limit",
      limit: "openHandlesMax",
      message: `held more handles than openHandlesMax allows (${error.openHandlesMax})`,
    };
  if (error instanceof WebAssembly.Exception) return { kind: "trapped", message: "an exception that nothing caught" };
  if (error instanceof Error) return { kind: "trapped", message: error.message };
  return { kind: "trapped", message: String(error) };
}
