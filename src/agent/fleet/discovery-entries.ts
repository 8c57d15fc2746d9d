/** What an agent makes known of itself in a discovery store. */
import type { DiscoveryEntry } from "../../discovery/discovery-entry.ts";
import { CapabilityTypeSchema } from "../../gen/wasmatrix/v1/instance_pb.ts";
import { ProviderState } from "../../gen/wasmatrix/v1/node_pb.ts";
import { PROTOCOL_VERSION } from "../../protocol-version.ts";
import type { Agent } from "../agent.ts";

/** The node, and one entry for each of its providers, as they are now. */
export function discoveryEntries(
  { nodeId, providers }: Agent,
  at: { readonly address: string; readonly ingressAddress: string },
): readonly DiscoveryEntry[] {
  return [
    { kind: "node", nodeId, ...at, protocolVersion: PROTOCOL_VERSION },
    ...providers.list().map(({ id, type, backend, state }): DiscoveryEntry => ({
      kind: "provider",
      nodeId,
      providerId: id,
      type: CapabilityTypeSchema.value[type]?.localName.toLowerCase() ?? "",
      backend,
      isRunning: state === ProviderState.RUNNING,
    })),
  ];
}
