/** AssignCapability, RevokeCapability and ListCapabilities. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlPlaneService } from "../../gen/wasmatrix/v1/control_plane_pb.ts";
import { ledgerValues } from "../fold/ledger.ts";
import { hasEnded } from "../instance-life.ts";
import { assertAssignable } from "../start/spec-needs.ts";
import { giveInstanceOrder, orderOptions, type ServiceDeps } from "./service-deps.ts";

type Handlers = Pick<
  ServiceImpl<typeof ControlPlaneService>,
  "assignCapability" | "revokeCapability" | "listCapabilities"
>;

/** The handlers. Which permissions there are, and whether the provider is one of the node's, the agent decides. */
export function capabilities(deps: ServiceDeps): Handlers {
  const { reader, limits } = deps;
  return {
    async assignCapability(request, context) {
      const target = reader.find(request.instance, "Cannot assign to instance");
      const order = { instanceId: target.id, ...(request.assignment ? { assignment: request.assignment } : {}) };
      const options = orderOptions(context, limits.orderTimeoutMs);
      const doing = `Cannot assign to instance "${target.id}"`;
      assertAssignable(request.assignment, deps.fleet.node(target.nodeId)?.fold.announced.info, doing);
      const answer = await giveInstanceOrder(deps, {
        target,
        doing,
        give: (agent) => agent.assignCapability(order, options),
      });
      await deps.witnesses.amend(answer.instance, options);
      return answer;
    },

    async revokeCapability(request, context) {
      const target = reader.find(request.instance, "Cannot revoke from instance");
      const order = { instanceId: target.id, ...(request.assignment ? { assignment: request.assignment } : {}) };
      const options = orderOptions(context, limits.orderTimeoutMs);
      const doing = `Cannot revoke from instance "${target.id}"`;
      const answer = await giveInstanceOrder(deps, {
        target,
        doing,
        give: (agent) => agent.revokeCapability(order, options),
      });
      // A revocation that its witness does not know would come back with the next generation.
      await deps.witnesses.amend(answer.instance, options);
      return answer;
    },

    listCapabilities(request) {
      const instances =
        request.instance === ""
          ? [...reader.instances()].filter((each) => !hasEnded(each))
          : [reader.find(request.instance, "Cannot list capabilities of instance")];
      const providers = [...deps.fleet.nodes()].flatMap((node) => [...ledgerValues(node.fold.providers)]);
      return {
        instances: instances
          .toSorted((a, b) => (a.id < b.id ? -1 : 1))
          .map(({ id, name, assignments, deniedCount, permissionUses }) => ({
            instanceId: id,
            name,
            assignments,
            deniedCount,
            permissionUses,
          })),
        providers: providers.sort((a, b) =>
          a.nodeId === b.nodeId ? (a.id < b.id ? -1 : 1) : a.nodeId < b.nodeId ? -1 : 1,
        ),
      };
    },
  };
}
