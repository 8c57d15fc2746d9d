/** Lets the starts of one batch be placed together: each waits until all have said what they need, and then all are placed in one pass. */
import type { Clock } from "../../clock.ts";
import type { PlacementItem } from "./place-many.ts";

/** The place of one start in a batch. */
export interface BatchSeat {
  /** The node for this start; `undefined` if the pass found none. Once. */
  place(item: PlacementItem): Promise<string | undefined>;
  /** This start will not ask to be placed. Does nothing after it has been, or has left before. */
  leave(): void;
}

/** How long those that are ready wait for others, whose modules may still be on their way. */
const GATHER_MS = 100;

/** The seats of a batch of `size` starts. `plan` makes one pass. */
export function createBatchSeats(
  deps: {
    readonly clock: Pick<Clock, "after">;
    readonly plan: (items: readonly PlacementItem[]) => readonly (string | undefined)[];
  },
  size: number,
): readonly BatchSeat[] {
  let awaited = size;
  let gathered: { readonly item: PlacementItem; readonly resolve: (nodeId: string | undefined) => void }[] = [];
  let cancel = (): void => {};

  const pass = (): void => {
    cancel();
    const now = gathered;
    gathered = [];
    const chosen = deps.plan(now.map(({ item }) => item));
    now.forEach(({ resolve }, index) => resolve(chosen[index]));
  };
  const seat = (): BatchSeat => {
    let isAwaited = true;
    const arrive = (): void => {
      if (!isAwaited) return;
      isAwaited = false;
      awaited -= 1;
      if (awaited === 0 && gathered.length > 0) pass();
    };
    return {
      place: (item) =>
        new Promise((resolve) => {
          if (gathered.length === 0) cancel = deps.clock.after(GATHER_MS, pass);
          gathered.push({ item, resolve });
          arrive();
        }),
      leave: arrive,
    };
  };
  return Array.from({ length: size }, seat);
}
