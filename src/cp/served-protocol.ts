/** Which agents a control plane can serve. Pure. */
import { fault, Reason } from "../fault.ts";
import { OLDEST_SERVED_PROTOCOL_VERSION } from "../protocol-version.ts";

/** Throws `PROTOCOL_VERSION_UNSUPPORTED` unless an agent of `version` can be served. Newer agents are served: they keep to what an older peer knows. */
export function assertProtocolVersionServed(version: number, nodeId: string): void {
  if (version >= OLDEST_SERVED_PROTOCOL_VERSION) return;
  throw fault(
    Reason.PROTOCOL_VERSION_UNSUPPORTED,
    `Cannot serve node "${nodeId}": it speaks protocol version ${String(version)}, and this control plane serves version ${String(OLDEST_SERVED_PROTOCOL_VERSION)} and newer; update the agent`,
    { subject: nodeId },
  );
}
