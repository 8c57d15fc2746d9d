/** Nobody calls anybody in a tight loop: every layer that retries does so with backoff. */
import type { History, Watcher } from "../history.ts";
import type { Timeline } from "../timeline.ts";

/** Calls of one method from one process to one host within a second of virtual time. Reports of changes go out at once. */
const CALLS_MAX_PER_SECOND = 100;

/** Begins to watch. */
export function watchTraffic(history: History, timeline: Timeline): Watcher {
  const counts = new Map<string, { second: number; count: number }>();
  return {
    onSend(life, to, path) {
      const second = Math.floor(timeline.nowMs / 1_000);
      const key = `${life} ${to} ${path}`;
      const entry = counts.get(key);
      if (entry?.second !== second) {
        counts.set(key, { second, count: 1 });
        return;
      }
      entry.count += 1;
      if (entry.count > CALLS_MAX_PER_SECOND)
        history.fail(`${life} calls ${path} of ${to} more than ${CALLS_MAX_PER_SECOND} times within a second`);
    },
  };
}
