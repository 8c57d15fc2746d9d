/** A queue of bytes with one writer and one reader; how full it may get is the writer's business. */

/** Both ends of the queue. */
export interface BytePipe {
  /** The reading end, for one reader. Ending it early calls `onReturn`. */
  readonly readable: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): void;
  /** No more bytes come; those that wait are still read. */
  end(): void;
  /** No more bytes come and the reader shall know why. */
  fail(error: Error): void;
  /** Throws away the pieces that wait and says how many bytes each had. */
  clear(): readonly number[];
}

/** What the writer wants to hear of the reader. */
export type BytePipeOptions = {
  /** `bytes` have been read. */
  readonly onTaken: (bytes: number) => void;
  /** The reader stopped before the end. */
  readonly onReturn: () => void;
};

/** Makes an empty pipe. */
export function createBytePipe({ onTaken, onReturn }: BytePipeOptions): BytePipe {
  let chunks: Uint8Array[] = [];
  let state: { readonly kind: "open" | "ended" } | { readonly kind: "failed"; readonly error: Error } = {
    kind: "open",
  };
  let waiting: (() => void) | undefined;

  function changed(): void {
    waiting?.();
    waiting = undefined;
  }

  async function next(): Promise<IteratorResult<Uint8Array, undefined>> {
    for (;;) {
      const bytes = chunks.shift();
      if (bytes !== undefined) {
        onTaken(bytes.length);
        return { done: false, value: bytes };
      }
      if (state.kind === "failed") throw state.error;
      if (state.kind === "ended") return { done: true, value: undefined };
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting = resolve;
      await promise;
    }
  }

  function settle(settled: typeof state): void {
    if (state.kind !== "open") return;
    state = settled;
    changed();
  }

  const iterator: AsyncIterator<Uint8Array, undefined> = {
    next,
    async return() {
      // `onReturn` first: it may count the bytes that are thrown away here.
      if (state.kind === "open") onReturn();
      chunks = [];
      settle({ kind: "ended" });
      return { done: true, value: undefined };
    },
  };
  return {
    readable: { [Symbol.asyncIterator]: () => iterator },
    write(bytes) {
      if (state.kind !== "open") return;
      chunks.push(bytes);
      changed();
    },
    end: () => settle({ kind: "ended" }),
    fail: (error) => settle({ kind: "failed", error }),
    clear() {
      const waitingBytes = chunks.map(({ length }) => length);
      chunks = [];
      return waitingBytes;
    },
  };
}
