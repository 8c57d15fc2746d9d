/** Bounds waits for peers that may never do what they should. */
import type { Clock } from "../clock.ts";
import type { Fault } from "../fault.ts";

/** What `pending` answers, unless that takes longer than `maxMs`: then throws what `late` makes. The wait ends, not the work. */
export async function within<T>(clock: Clock, maxMs: number, pending: Promise<T>, late: () => Fault): Promise<T> {
  let cancel = (): void => undefined;
  const deadline = new Promise<never>((_, reject) => {
    cancel = clock.after(maxMs, () => reject(late()));
  });
  try {
    return await Promise.race([pending, deadline]);
  } finally {
    cancel();
  }
}

/** The items of a stream, unless one takes longer than `maxMs` to come. */
export async function* eachWithin<T>(
  clock: Clock,
  maxMs: number,
  items: AsyncIterable<T>,
  late: () => Fault,
): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let open = true;
  try {
    while (open) {
      const next = await within(clock, maxMs, iterator.next(), late);
      if (next.done === true) open = false;
      else yield next.value;
    }
  } finally {
    // Nobody reads on. How the source takes that concerns nobody any more either.
    if (open) void iterator.return?.().catch(() => undefined);
  }
}
