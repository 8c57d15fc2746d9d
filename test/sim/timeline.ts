/** Virtual time: what happens, in order. Nothing happens between two events but what the first has set going. */
import type { SimProcess } from "./sim-process.ts";

/** See the top of the file. */
export interface Timeline {
  readonly nowMs: number;
  /** Runs `action` at `nowMs + delayMs`; of two at one time, the one that was scheduled first. The function returned cancels it. */
  after(delayMs: number, action: () => void): () => void;
  /** Runs the next event and lets all promises settle; false if there is none before `untilMs`. */
  step(untilMs: number): Promise<boolean>;
  readonly steps: number;
  /** Whose event this is, if a process's: all that runs until the next event runs in that process. */
  actor: SimProcess | undefined;
}

type Event = { readonly atMs: number; readonly order: number; action: (() => void) | undefined };

/** Begins at `startMs`. `settle` returns when no promise is left to run: with the platform's own, unpatched, timers. */
export function createTimeline(startMs: number, settle: () => Promise<void>): Timeline {
  const heap: Event[] = [];
  let nowMs = startMs;
  let order = 0;
  let steps = 0;

  const timeline: Timeline = {
    actor: undefined,
    get nowMs() {
      return nowMs;
    },
    get steps() {
      return steps;
    },
    after(delayMs, action) {
      const event: Event = { atMs: nowMs + Math.max(0, delayMs), order: ++order, action };
      push(heap, event);
      return () => {
        event.action = undefined;
      };
    },
    async step(untilMs) {
      for (;;) {
        const next = heap[0];
        if (next === undefined || next.atMs > untilMs) {
          nowMs = Math.max(nowMs, untilMs);
          return false;
        }
        pop(heap);
        if (next.action === undefined) continue;
        nowMs = next.atMs;
        steps += 1;
        timeline.actor = undefined;
        next.action();
        await settle();
        return true;
      }
    },
  };
  return timeline;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    const [left, right] = [heap[child], heap[child + 1]];
    if (left === undefined) break;
    let least = left;
    if (right !== undefined && isBefore(right, left)) {
      child += 1;
      least = right;
    }
    if (!isBefore(least, last)) break;
    heap[at] = least;
    at = child;
  }
  heap[at] = last;
}
