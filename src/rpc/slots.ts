/** Bounds how many of something run at once. */
import { fault, Reason } from "../fault.ts";

/** A bounded number of places. */
export interface Slots {
  /**
   * Takes a place; the function returned gives it back, once, and so does `until` when it aborts: a stream whose reader has
   * gone away is not always told so. Throws `TOO_MANY_REQUESTS` if all are taken.
   */
  take(doing: string, until?: AbortSignal): () => void;
}

/** Makes `max` places. `what` names their users in the error: `streams`. */
export function createSlots(max: number, what: string): Slots {
  let taken = 0;
  return {
    take(doing, until) {
      if (taken >= max)
        throw fault(Reason.TOO_MANY_REQUESTS, `${doing}: ${max} ${what} are open already, and that is the limit`);
      taken += 1;
      let given = false;
      const giveBack = (): void => {
        if (!given) taken -= 1;
        given = true;
      };
      until?.addEventListener("abort", giveBack, { once: true });
      return giveBack;
    },
  };
}
