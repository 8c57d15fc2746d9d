/** Waits until what is known of the fleet says something. */
import type { Clock } from "../clock.ts";
import type { Fleet } from "./fleet.ts";

/** Resolves to true as soon as `holds` does, which is asked now and after each report, and to false after `timeoutMs`. */
export function untilFleet(
  deps: { readonly fleet: Pick<Fleet, "onChange">; readonly clock: Pick<Clock, "after"> },
  timeoutMs: number,
  holds: () => boolean,
): Promise<boolean> {
  if (holds()) return Promise.resolve(true);
  return new Promise((resolve) => {
    const finish = (held: boolean): void => {
      cancel();
      unlisten();
      resolve(held);
    };
    const cancel = deps.clock.after(timeoutMs, () => finish(false));
    const unlisten = deps.fleet.onChange(() => {
      if (holds()) finish(true);
    });
  });
}
