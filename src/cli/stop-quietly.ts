/** Cleans up after Ctrl-C. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createSession, type ControlPlaneSession } from "./control-plane-session.ts";

const GRACE_MS = 1_000;
const CLEAN_UP_MAX_MS = 5_000;

/** What is cleaned up. */
export type StopQuietlyOptions = {
  readonly session: ControlPlaneSession;
  readonly ids: readonly string[];
};

/** Stops instances within 5 s and answers the ids of those that may still run. Never throws. */
export async function stopQuietly(options: StopQuietlyOptions): Promise<string[]> {
  // The command's own signal has been aborted already.
  const session = createSession({ ...options.session.origin, signal: AbortSignal.timeout(CLEAN_UP_MAX_MS) });
  const stops = options.ids.map((instance) =>
    session.client.stopInstance({ instance, grace: durationFromMs(GRACE_MS) }, session.call()),
  );
  const settled = await Promise.allSettled(stops);
  return options.ids.filter((_, index) => settled[index]?.status === "rejected");
}
