/** What really runs: never twice, never too much, never against its policy. */
import type { InstanceRecord } from "../../../src/agent/instance-record.ts";
import type { History, Run, Watcher } from "../history.ts";
import type { Timeline } from "../timeline.ts";

/** What the check needs. */
export type RunsDeps = {
  readonly history: History;
  readonly timeline: Timeline;
  readonly instancesMax: (node: string) => number;
};

/** A run so long makes the next restart the first of a row; a little less, because clocks drift. */
const HEALTHY_MS = 58_000;

/** The runs of the world, as they are now. */
export interface Runs extends Watcher {
  /** Live runs by instance id. */
  live(id: string): readonly Run[];
}

/** Begins to watch. */
export function watchRuns({ history, timeline, instancesMax }: RunsDeps): Runs {
  const byId = new Map<string, Set<Run>>();
  const perNode = new Map<string, number>();
  /** Starts in a row of one generation on one node. */
  const rows = new Map<string, { starts: number; sinceMs: number }>();

  return {
    live: (id) => [...(byId.get(id) ?? [])],
    onRunStarted(run) {
      const { id, node, generation } = run;
      const others = byId.get(id) ?? new Set<Run>();
      byId.set(id, others);
      for (const other of others) {
        if (other.generation !== generation) continue;
        if (other.node === node) history.fail(`instance ${id} generation ${generation} runs twice on ${node}`);
        else if (!mayRunTwice(history, id))
          history.fail(`instance ${id} generation ${generation} runs on ${other.node} and on ${node}`);
      }
      others.add(run);
      const count = (perNode.get(node) ?? 0) + 1;
      perNode.set(node, count);
      if (count > instancesMax(node)) history.fail(`${node} runs ${count} instances and takes ${instancesMax(node)}`);
      countStart(run);
    },
    onRunEnded(run) {
      byId.get(run.id)?.delete(run);
      perNode.set(run.node, (perNode.get(run.node) ?? 1) - 1);
      const row = rows.get(rowOf(run));
      if (row !== undefined && timeline.nowMs - row.sinceMs >= HEALTHY_MS) row.starts = 0;
    },
    onRecord(node, record) {
      const { state, policy, retriesInRow, nextRestartMs, lastEnding } = record;
      if (policy.maxRetries > 0 && retriesInRow > policy.maxRetries)
        history.fail(`instance ${record.id} on ${node} is at restart ${retriesInRow} of ${policy.maxRetries}`);
      if (state !== "backoff" || nextRestartMs === undefined || lastEnding === undefined || isOrderlyPause(record))
        return;
      const waitMs = nextRestartMs - lastEnding.timeMs;
      const leastMs = Math.min(policy.backoffMs * 2 ** (retriesInRow - 1), policy.backoffMaxMs);
      if (waitMs < leastMs || waitMs > policy.backoffMaxMs)
        history.fail(
          `instance ${record.id} on ${node} waits ${waitMs} ms for restart ${retriesInRow}, not ${leastMs} to ${policy.backoffMaxMs}`,
        );
    },
  };

  function countStart(run: Run): void {
    const wanted = history.wanted.get(run.id);
    // A journal that forgot may start anew.
    if (wanted === undefined || history.forgetful.has(run.node)) return;
    const row = rows.get(rowOf(run)) ?? { starts: 0, sinceMs: 0 };
    rows.set(rowOf(run), row);
    row.starts += 1;
    row.sinceMs = timeline.nowMs;
    if (!wanted.restarts && row.starts > 1)
      history.fail(`instance ${run.id} is never to be restarted and was started again on ${run.node}`);
    // Coming back with an agent that left in order is no retry.
    const leavesMax = 10;
    if (wanted.maxRetries > 0 && row.starts > 1 + wanted.maxRetries + leavesMax)
      history.fail(
        `instance ${run.id} was started ${row.starts} times in a row on ${run.node}, with ${wanted.maxRetries} retries`,
      );
  }
}

/** Whether one key may have been placed twice within what is promised: its homes could not all be asked, or one has forgotten. */
export function mayRunTwice(history: History, id: string): boolean {
  return history.excused.has(id) || hasForgotten(history);
}

/** Whether any node has lost more than what it had not yet answered for. */
export function hasForgotten({ forgetful }: History): boolean {
  return [...forgetful.values()].some((disk) => disk === "wiped" || disk === "stale");
}

function rowOf({ node, id, generation }: Run): string {
  return `${node}/${id}/${generation}`;
}

function isOrderlyPause({ lastEnding }: InstanceRecord): boolean {
  return lastEnding?.message === "The agent was shut down";
}
