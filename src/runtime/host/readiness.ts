/**
 * Waiting for one of several things without leaving anything behind. `Promise.race` would: each wait adds a reaction
 * to the promises that lost, and a guest that polls its standard input together with a timer for a day would fill the heap.
 */

/** Something that becomes ready. */
export interface Awaitable {
  isReady(): boolean;
  /** Settles, never rejects, when it may have become ready. */
  whenReady(): Promise<void>;
}

/** Watches one thing for any number of waiters, with one promise at a time. */
export class Readiness {
  readonly #thing: Awaitable;
  readonly #waiting = new Set<() => void>();
  #isAsked = false;

  constructor(thing: Awaitable) {
    this.#thing = thing;
  }

  isReady(): boolean {
    return this.#thing.isReady();
  }

  /** Calls `wake` at most once, when it may be ready; what is returned calls it off. */
  watch(wake: () => void): () => void {
    this.#waiting.add(wake);
    if (!this.#isAsked) {
      this.#isAsked = true;
      void this.#thing.whenReady().then(() => this.#wakeAll());
    }
    return () => this.#waiting.delete(wake);
  }

  /** Sets going what makes it ready, for one who will ask again instead of waiting. */
  prompt(): void {
    this.watch(() => {})();
  }

  #wakeAll(): void {
    this.#isAsked = false;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }
}

/** Always ready. */
export const READY: Readiness = new Readiness({ isReady: () => true, whenReady: () => Promise.resolve() });

/** Which are ready now, by index. */
export function readyAmong(things: readonly Readiness[]): number[] {
  const ready: number[] = [];
  for (let index = 0; index < things.length; index += 1) if (things[index]?.isReady() === true) ready.push(index);
  return ready;
}

/** Waits until at least one is ready and says which are, by index. */
export async function whenAnyReady(things: readonly Readiness[]): Promise<number[]> {
  for (;;) {
    const ready = readyAmong(things);
    if (ready.length > 0) return ready;
    const { promise, resolve } = Promise.withResolvers<void>();
    const callOff = things.map((thing) => thing.watch(resolve));
    await promise;
    for (const call of callOff) call();
  }
}
