/** How the health of a discovery store changes with each try. Pure. */
import type { DiscoveryHealth } from "./discovery-store.ts";

/** `failure` is the sentence of a try that failed; `undefined` for one that did not. */
export function healthAfter(before: DiscoveryHealth, failure: string | undefined, nowMs: number): DiscoveryHealth {
  if (failure === undefined) return { kind: "reached", atMs: nowMs };
  return { kind: "unreachable", sinceMs: before.kind === "unreachable" ? before.sinceMs : nowMs, message: failure };
}
