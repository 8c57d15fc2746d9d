/** What was acknowledged holds: a stop, a revocation; and one generation goes to one node. */
import type { InstanceRecord } from "../../../src/agent/instance-record.ts";
import { hasEnded } from "../../../src/agent/instance-record.ts";
import type { History, Watcher } from "../history.ts";
import { hasForgotten, mayRunTwice } from "./runs.ts";

/** The permissions of a record, as callers name them. */
export function permissionsOf({ grants }: Pick<InstanceRecord, "grants">): readonly string[] {
  return grants.flatMap(({ permissions }) => permissions.map(String));
}

/** Begins to watch. */
export function watchPromises(history: History): Watcher {
  /** Where each generation after the first was placed. */
  const placed = new Map<string, string>();

  return {
    onRecord(node, record) {
      if (mayRunTwice(history, record.id)) return;
      const stop = history.stopped.get(record.id);
      // A lower generation may go on where nobody can be told; it is ended once its node is heard.
      if (stop !== undefined && record.generation >= stop.generation && !hasEnded(record))
        history.fail(`instance ${record.id} is ${record.state} on ${node} after ${stop.name} acknowledged its stop`);
      for (const permission of permissionsOf(record)) {
        const revocation = history.revoked.get(`${record.id} ${permission}`);
        if (revocation !== undefined && record.generation >= revocation.generation && !hasEnded(record))
          history.fail(
            `instance ${record.id} has ${permission} on ${node} after ${revocation.name} acknowledged that it was revoked`,
          );
      }
    },
    onWitness(witness, { instanceId, generation, nodeId }) {
      if (generation === 1n || hasForgotten(history)) return;
      const key = `${instanceId} generation ${generation}`;
      const other = placed.get(key);
      if (other !== undefined && other !== nodeId)
        history.fail(`${key} was placed on ${other} and, by ${witness}, on ${nodeId}`);
      placed.set(key, nodeId);
    },
    onRunStarted({ id, generation, node }) {
      const claimed = placed.get(`${id} generation ${generation}`);
      if (generation > 1n && claimed !== node && !hasForgotten(history))
        history.fail(
          `instance ${id} generation ${generation} runs on ${node} and was placed on ${claimed ?? "no node"}`,
        );
    },
  };
}
