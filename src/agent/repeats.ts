/** Makes few notices of many: what happens again and again to one instance is told once a second, with its number. */
import type { Clock } from "../clock.ts";

/** See the top of the file. */
export interface Repeats {
  /** Takes one occurrence, or `count` of them: the first is told at once, those of the following second together. */
  add(id: string, message: string, count?: number): void;
  /** Tells what still waits for its second to pass. */
  flush(): void;
}

/** Occurrences of one instance within this time are one notice. */
const WINDOW_MS = 1_000;

/** Counts by instance; `noun` is what several are called: "refusals". */
export function createRepeats(deps: {
  readonly clock: Clock;
  readonly noun: string;
  readonly tell: (id: string, count: number, message: string) => void;
}): Repeats {
  /** What came since the window of an instance opened and was not told yet. */
  const windows = new Map<string, { count: number; message: string }>();

  const openWindow = (id: string): void => {
    const window = { count: 0, message: "" };
    windows.set(id, window);
    deps.clock.after(WINDOW_MS, () => {
      if (windows.get(id) !== window) return;
      windows.delete(id);
      if (window.count === 0) return;
      handOver(id, window);
      openWindow(id);
    });
  };

  const handOver = (id: string, { count, message }: { readonly count: number; readonly message: string }): void => {
    deps.tell(id, count, count === 1 ? message : `${message} (and ${count - 1} more ${deps.noun})`);
  };

  return {
    add(id, message, count = 1) {
      const open = windows.get(id);
      if (open !== undefined) {
        open.count += count;
        open.message = message;
        return;
      }
      // The first is known at once, a flood of repeats costs one notice a second.
      handOver(id, { count, message });
      openWindow(id);
    },
    flush() {
      for (const [id, window] of windows) if (window.count > 0) handOver(id, window);
      windows.clear();
    },
  };
}
