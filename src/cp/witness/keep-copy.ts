/** Has a node keep a start order together with its module: without that it could not be carried out when everybody else is gone. */
import type { CallOptions } from "@connectrpc/connect";
import { isFault, Reason } from "../../fault.ts";
import type { WitnessCopy } from "../../gen/wasmatrix/v1/node_fleet_pb.ts";
import type { ModuleStore } from "../modules/module-store.ts";
import { isRefusal, type NodeAgents } from "../node-agents.ts";

/** What keeping needs. */
export type KeepCopyDeps = {
  readonly agents: NodeAgents;
  readonly modules: Pick<ModuleStore, "peers" | "deliver">;
};

/** Gives the copy, and the module if no peer of the node does. Throws what the node answers, or `MODULE_*`. */
export async function keepCopy(
  { agents, modules }: KeepCopyDeps,
  { witnessNodeId, copy }: { readonly witnessNodeId: string; readonly copy: WitnessCopy },
  call: CallOptions,
): Promise<void> {
  const digest = copy.spec?.moduleDigest ?? "";
  const modulePeers = [...modules.peers(digest, witnessNodeId)];
  const keep = (): Promise<unknown> =>
    agents.fleetOrder(witnessNodeId, `Cannot keep a copy of the order of instance "${copy.instanceId}"`, (agent) =>
      agent.keepWitness({ copy, modulePeers }, call),
    );
  try {
    await keep();
  } catch (error) {
    if (!isFault(error, Reason.MODULE_NOT_FOUND) || !isRefusal(error)) throw error;
    await modules.deliver(digest, witnessNodeId, call);
    await keep();
  }
}
