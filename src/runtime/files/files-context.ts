/** What everything that one copy of a guest has open shares. */
import { HandleLimit } from "../handle-limit.ts";
import { createExactTimes, type ExactTimes } from "./exact-times.ts";
import type { HostTree } from "./host-directory.ts";

/** Something on the host that must be given back. */
type Closable = { close(): void };

/** See the top of the file. */
export interface FilesContext {
  readonly tree: HostTree;
  readonly times: ExactTimes;
  openCount(): number;
  /** To be called before one more is opened; throws `HandleLimit`. */
  assertRoom(): void;
  opened(what: Closable, isCounted: boolean): void;
  /** Calling it twice is the same as calling it once. */
  closed(what: Closable): void;
  closeAll(): void;
}

/** Makes the context of one copy. */
export function createFilesContext(tree: HostTree, openHandlesMax: number): FilesContext {
  const counted = new Set<Closable>();
  const uncounted = new Set<Closable>();
  return {
    tree,
    times: createExactTimes(),
    openCount: () => counted.size,
    assertRoom() {
      if (counted.size >= openHandlesMax) throw new HandleLimit(openHandlesMax);
    },
    opened(what, isCounted) {
      (isCounted ? counted : uncounted).add(what);
    },
    closed(what) {
      counted.delete(what);
      uncounted.delete(what);
    },
    closeAll() {
      for (const each of [...counted, ...uncounted]) each.close();
    },
  };
}
