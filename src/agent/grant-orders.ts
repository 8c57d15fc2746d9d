/** Orders that change what instances may do: journalled, told as facts, and answered when they are in force. */
import { FactKind } from "../gen/wasmatrix/v1/fact_pb.ts";
import type { Assignment } from "../gen/wasmatrix/v1/instance_pb.ts";
import type { CapabilityType, Grant } from "../providers/permissions.ts";
import {
  checkedGrant,
  permissionsText,
  placeOf,
  revokedGrant,
  withGrant,
  withoutGrant,
  type ProviderDirectory,
} from "./assignments.ts";
import { isLocal, type GuestRights } from "./guest-rights.ts";
import type { FactSink, InstanceLife } from "./instance-life.ts";
import type { InstanceRecord } from "./instance-record.ts";
import type { MessageDeliveries } from "./message-deliveries.ts";

/** See the top of the file. */
export interface GrantOrders {
  /** Adds or replaces an assignment. When it resolves, it is in force for every operation that begins later. */
  assign(id: string, assignment: Assignment, requestId: string): Promise<InstanceRecord>;
  /** Takes permissions away. When it resolves, that is in force for every operation that begins later. */
  revoke(id: string, assignment: Assignment, requestId: string): Promise<InstanceRecord>;
  /** A provider was started or stopped; resolves when that is in force for every instance that has an assignment on it. */
  providerSwitched(providerId: string): Promise<void>;
}

/** What the orders need. */
export type GrantOrdersDeps = {
  readonly providers: ProviderDirectory;
  readonly rights: GuestRights;
  readonly deliveries: MessageDeliveries;
  readonly facts: FactSink;
  /** Journals what `next` makes of a live record; throws if there is none, or what `next` throws, and changes nothing then. */
  readonly change: (id: string, action: string, next: (record: InstanceRecord) => InstanceRecord) => InstanceLife;
  readonly lives: () => Iterable<InstanceLife>;
};

/** The orders on the instances of a supervisor. */
export function createGrantOrders(deps: GrantOrdersDeps): GrantOrders {
  const inForce = async (life: InstanceLife, type: CapabilityType): Promise<void> => {
    if (isLocal(type)) await life.applyRights();
    if (type === "messaging") await deps.deliveries.follow(life.record, life.guest);
  };

  return {
    async assign(id, assignment, requestId) {
      const grant = checkedGrant(assignment, deps.providers);
      const life = deps.change(id, "assign a capability", (record) => {
        const next = { ...record, grants: withGrant(record.grants, grant) };
        if (isLocal(grant.type)) assertHad(deps.rights, next, grant);
        return next;
      });
      const message = `Assigned ${permissionsText(grant)} on ${placeOf(grant)}`;
      deps.facts.instance(FactKind.CAPABILITY_ASSIGNED, life.record, message, requestId);
      await inForce(life, grant.type);
      return life.record;
    },
    async revoke(id, assignment, requestId) {
      const grant = revokedGrant(assignment, deps.providers);
      const life = deps.change(id, "revoke a capability", (record) => ({
        ...record,
        grants: withoutGrant(record.grants, grant),
      }));
      const message = `Revoked ${permissionsText(grant) || "everything"} on ${placeOf(grant)}`;
      deps.facts.instance(FactKind.CAPABILITY_REVOKED, life.record, message, requestId);
      await inForce(life, grant.type);
      return life.record;
    },
    async providerSwitched(providerId) {
      const concerned = [...deps.lives()].flatMap((life) =>
        life.record.grants.filter((grant) => grant.providerId === providerId).map((grant) => inForce(life, grant.type)),
      );
      await Promise.all(concerned);
    },
  };
}

/** Throws for what the node does not share, and for folders that the guest would see as one. */
function assertHad(rights: GuestRights, record: InstanceRecord, grant: Grant): void {
  rights.of({ spec: record.spec, grants: [grant] });
  rights.left(record);
}
