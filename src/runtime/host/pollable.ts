/** Resource `pollable` of `wasi:io`. */
import type { GivingWay } from "./giving-way.ts";
import { readyAmong, whenAnyReady, type Readiness } from "./readiness.ts";

/** Something that a guest can wait for. */
export class Pollable {
  readonly readiness: Readiness;
  readonly #onDrop: (() => void) | undefined;

  /** `onDrop` is called when the guest gives the pollable up. */
  constructor(readiness: Readiness, onDrop?: () => void) {
    this.readiness = readiness;
    this.#onDrop = onDrop;
  }

  /** The guest has dropped it. */
  drop(): void {
    this.#onDrop?.();
  }
}

/** `[method]pollable.ready`. */
export function isReadyNow({ readiness }: Pollable, giveWay: GivingWay): boolean | Promise<boolean> {
  if (readiness.isReady()) return true;
  readiness.prompt();
  return giveWay(false);
}

/** `[method]pollable.block`. */
export function blockOn({ readiness }: Pollable): undefined | Promise<unknown> {
  return readiness.isReady() ? undefined : whenAnyReady([readiness]);
}

/** `poll`: indices of those that are ready, at least one. Throws, which is a trap, for an empty list, as the interface has it. */
export function pollMany(
  pollables: readonly Pollable[],
  giveWay: GivingWay,
): readonly number[] | Promise<readonly number[]> {
  if (pollables.length === 0) throw new Error("polled an empty list");
  const things = pollables.map(({ readiness }) => readiness);
  const ready = readyAmong(things);
  if (ready.length === things.length) return ready;
  if (ready.length === 0) return whenAnyReady(things);
  // Some are ready and some are not: whoever waits for one of the others is asking in a loop.
  for (const thing of things) if (!thing.isReady()) thing.prompt();
  return giveWay(ready);
}
