/** The version of the protocol between agents and control planes; the rule is in `proto/README.md`. */
import { fault, Reason } from "./fault.ts";

/** What this program speaks. Grows by one when an old peer could misunderstand a new one. */
export const PROTOCOL_VERSION = 1;

/** The oldest version that this program's control plane still serves. */
export const OLDEST_SERVED_PROTOCOL_VERSION = 1;

/** Throws `PROTOCOL_VERSION_UNSUPPORTED` unless an agent of `version` can be served. Newer agents are served: they keep to what an older peer knows. */
export function assertProtocolVersionServed(version: number, nodeId: string): void {
  if (version >= OLDEST_SERVED_PROTOCOL_VERSION) return;
  throw fault(
    Reason.PROTOCOL_VERSION_UNSUPPORTED,
    `Cannot serve node "${nodeId}": it speaks protocol version ${String(version)}, and this control plane serves version ${String(OLDEST_SERVED_PROTOCOL_VERSION)} and newer; update the agent`,
    { subject: nodeId },
  );
}
