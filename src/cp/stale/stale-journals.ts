/**
 * Watches for nodes that come up with an older journal, and has them stop and revoke again what they have forgotten. This is
 * the only layer that retries these orders: at later reports, until the node's own reports show that they were carried out.
 */
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { HeldNode } from "../fleet-view.ts";
import type { Fleet } from "../fleet.ts";
import { ledgerValue } from "../fold/ledger.ts";
import { hasEnded } from "../instance-life.ts";
import type { NodeAgents } from "../node-agents.ts";
import { owedByNewerLife, type Owed } from "./older-life.ts";

/** What watching needs. */
export type StaleJournalsDeps = {
  readonly fleet: Fleet;
  readonly agents: NodeAgents;
  readonly clock: Clock;
  readonly log: Log;
  /** For one order. */
  readonly orderTimeoutMs: number;
};

/** See the top of the file. */
export interface StaleJournals {
  /** Whether a node still has to be told that this instance has ended: nothing may be concluded from what it says of it. */
  isStale(instanceId: string): boolean;
  /** May be called twice. */
  close(): void;
}

/** An order that failed is given again after this, at the next report. */
const RETRY_MS = 1_000;

type Debt = { readonly owed: Owed; isUnderWay: boolean; notBeforeMs: number };

/** Begins to watch. */
export function mendStaleJournals({ fleet, agents, clock, log, orderTimeoutMs }: StaleJournalsDeps): StaleJournals {
  /** The life that was looked at last, and what is still owed by it, by node. */
  const looked = new Map<string, { readonly epoch: string; debts: readonly Debt[] }>();
  const stale = new Map<string, number>();

  const look = (node: HeldNode): void => {
    const { nodeId, fold } = node;
    if (fold.coverage === undefined) return;
    const before = looked.get(nodeId);
    const debts =
      before?.epoch === fold.epoch
        ? before.debts.filter(({ owed }) => isOwed(owed, node))
        : debtsOf(node, clock.steadyMs());
    for (const { owed } of before?.debts ?? []) count(owed, -1);
    for (const { owed } of debts) count(owed, 1);
    looked.set(nodeId, { epoch: fold.epoch, debts });
    for (const debt of debts) settle(nodeId, debt);
  };

  const count = (owed: Owed, by: number): void => {
    if (owed.kind === "revoke") return;
    const sum = (stale.get(owed.instanceId) ?? 0) + by;
    if (sum > 0) stale.set(owed.instanceId, sum);
    else stale.delete(owed.instanceId);
  };

  const settle = (nodeId: string, debt: Debt): void => {
    if (debt.isUnderWay || clock.steadyMs() < debt.notBeforeMs) return;
    const { kind, instanceId } = debt.owed;
    log.warn("node came up with an older journal", { node: nodeId, instance: instanceId, owed: kind });
    debt.isUnderWay = true;
    void giveOrder(nodeId, debt.owed)
      .catch((error: unknown) => {
        // The next report of the node looks again.
        log.warn("order not given again", { node: nodeId, instance: instanceId, owed: kind, why: String(error) });
      })
      .finally(() => {
        debt.isUnderWay = false;
        debt.notBeforeMs = clock.steadyMs() + RETRY_MS;
      });
  };

  const giveOrder = async (nodeId: string, owed: Owed): Promise<void> => {
    const { instanceId } = owed;
    const call = { timeoutMs: orderTimeoutMs };
    switch (owed.kind) {
      case "stop":
        await agents.order(nodeId, `Cannot stop instance "${instanceId}"`, (agent) =>
          agent.stopInstance({ instanceId, grace: { seconds: 0n, nanos: 0 } }, call),
        );
        return;
      case "revoke": {
        const { assignment } = owed;
        await agents.order(nodeId, `Cannot revoke from instance "${instanceId}"`, (agent) =>
          agent.revokeCapability({ instanceId, assignment }, call),
        );
        return;
      }
      case "stop-copy": {
        const doing = `Cannot stop the copy of instance "${instanceId}"`;
        const { copy } = await agents.fleetOrder(nodeId, doing, (agent) => agent.readWitness({ instanceId }, call));
        if (copy === undefined) return;
        const stopped = { ...copy, stopped: true };
        await agents.fleetOrder(nodeId, doing, (agent) => agent.keepWitness({ copy: stopped }, call));
        return;
      }
      case "drop-copy": {
        const order = { instanceId, generation: owed.generation, instanceEnded: true };
        const doing = `Cannot drop the order of instance "${instanceId}"`;
        await agents.fleetOrder(nodeId, doing, (agent) => agent.dropWitness(order, call));
      }
    }
  };

  const unlisten = fleet.onChange(({ node }) => look(node));
  return { isStale: (instanceId) => stale.has(instanceId), close: unlisten };
}

function debtsOf(node: HeldNode, steadyMs: number): readonly Debt[] {
  const { fold } = node;
  const owed = owedByNewerLife(fold.facts, fold.epoch, {
    instance: (id) => ledgerValue(fold.instances, id)?.whole(),
    witness: (id) => ledgerValue(fold.witnesses, id),
  });
  return owed.map((each) => ({ owed: each, isUnderWay: false, notBeforeMs: steadyMs }));
}

/** Whether the node's reports still show what was to go. */
function isOwed(owed: Owed, { fold }: HeldNode): boolean {
  switch (owed.kind) {
    case "stop": {
      const instance = ledgerValue(fold.instances, owed.instanceId);
      return instance !== undefined && !hasEnded(instance);
    }
    case "revoke": {
      const { type, providerId, bucket, permissions } = owed.assignment;
      const instance = ledgerValue(fold.instances, owed.instanceId)?.whole();
      if (instance === undefined || hasEnded(instance)) return false;
      const now = instance.assignments.find(
        (each) => each.type === type && each.providerId === providerId && each.bucket === bucket,
      );
      return now?.permissions.some((permission) => permissions.includes(permission)) === true;
    }
    case "stop-copy":
    case "drop-copy": {
      const copy = ledgerValue(fold.witnesses, owed.instanceId);
      return copy !== undefined && !copy.stopped;
    }
  }
}
