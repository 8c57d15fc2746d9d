/** The body of a request on its way from the guest to the connection. */

/** What watches over a body. */
export type RequestBodyDeps = {
  /** Bytes beyond which `onTooLarge` decides. */
  readonly maxBytes: number;
  readonly tooLarge: (bytes: number) => Error;
  /** The connection asks for the next part: from here the source is the one that is waited for. */
  readonly onAsked: () => void;
  /** A part, or the end, has been handed over: from here the peer is the one that is waited for. */
  readonly onGiven: (isEnd: boolean) => void;
  /** The source threw. */
  readonly onFailed: (error: unknown) => void;
  /** Ends the body when it aborts, also while the source is silent. */
  readonly signal: AbortSignal;
};

/** `source`, counted and ended with the request. An error of the source is thrown as it is. */
export function meteredBody(source: AsyncIterable<Uint8Array>, deps: RequestBodyDeps): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => meteredIterator(source[Symbol.asyncIterator](), deps) };
}

function meteredIterator(source: AsyncIterator<Uint8Array>, deps: RequestBodyDeps): AsyncIterator<Uint8Array> {
  const { signal } = deps;
  let bytes = 0;
  let isDone = false;

  const leave = (): void => {
    if (isDone) return;
    isDone = true;
    signal.removeEventListener("abort", leave);
    // The request has its ending already; how the source takes its own makes no difference to it.
    Promise.resolve(source.return?.()).catch(() => undefined);
  };
  signal.addEventListener("abort", leave);

  const ask = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      return await source.next();
    } catch (error) {
      deps.onFailed(error);
      throw error;
    }
  };

  return {
    async next() {
      if (isDone || signal.aborted) {
        leave();
        throw asError(signal.reason);
      }
      deps.onAsked();
      const given = await untilAborted(ask(), signal);
      deps.onGiven(given.done === true);
      if (given.done === true) {
        isDone = true;
        signal.removeEventListener("abort", leave);
        return { done: true, value: undefined };
      }
      bytes += given.value.byteLength;
      if (bytes > deps.maxBytes) {
        leave();
        throw deps.tooLarge(bytes);
      }
      return { done: false, value: given.value };
    },
    async return() {
      leave();
      return { done: true, value: undefined };
    },
  };
}

/** Rejects when the signal aborts, whatever `work` does. */
export function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(asError(signal.reason));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
