/** A queue of bytes with one writer and one reader; how full it may get is the writer's business. */

/** What the writer wants to hear of the reader. */
export interface BytePipeOptions {
  /** `bytes` have been read. */
  onTaken(bytes: number): void;
  /** The reader stopped before the end. */
  onReturn(): void;
}

type PipeState = { readonly kind: "open" | "ended" } | { readonly kind: "failed"; readonly error: Error };

const OPEN: PipeState = { kind: "open" };
const ENDED: PipeState = { kind: "ended" };

/** Both ends of the queue; the reading end is for one reader. A class, because many requests have one. */
export class BytePipe implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined> {
  readonly #options: BytePipeOptions;
  #chunks: Uint8Array[] = [];
  #state: PipeState = OPEN;
  #waiting: (() => void) | undefined;

  constructor(options: BytePipeOptions) {
    this.#options = options;
  }

  write(bytes: Uint8Array): void {
    if (this.#state.kind !== "open") return;
    this.#chunks.push(bytes);
    this.#changed();
  }

  /** No more bytes come; those that wait are still read. */
  end(): void {
    this.#settle(ENDED);
  }

  /** No more bytes come and the reader shall know why. */
  fail(error: Error): void {
    this.#settle({ kind: "failed", error });
  }

  /** Throws away the pieces that wait and says how many bytes each had. */
  clear(): readonly number[] {
    const waitingBytes = this.#chunks.map(({ length }) => length);
    this.#chunks = [];
    return waitingBytes;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const bytes = this.#chunks.shift();
      if (bytes !== undefined) {
        this.#options.onTaken(bytes.length);
        return { done: false, value: bytes };
      }
      if (this.#state.kind === "failed") throw this.#state.error;
      if (this.#state.kind === "ended") return { done: true, value: undefined };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting = resolve;
      await promise;
    }
  }

  /** Ending it early calls `onReturn`. */
  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    // `onReturn` first: it may count the bytes that are thrown away here.
    if (this.#state.kind === "open") this.#options.onReturn();
    this.#chunks = [];
    this.#settle(ENDED);
    return { done: true, value: undefined };
  }

  #changed(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  #settle(settled: PipeState): void {
    if (this.#state.kind !== "open") return;
    this.#state = settled;
    this.#changed();
  }
}
