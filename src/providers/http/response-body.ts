/** The body of a response on its way from the connection to whoever reads it. */

/** What fills a body and hears of its reader. */
export type ResponseBodyDeps = {
  /** Bytes that wait beyond which `onFull` is called. */
  readonly bufferMaxBytes: number;
  /** The peer must wait. */
  readonly onFull: () => void;
  /** There is room again. */
  readonly onRoom: () => void;
  /** The reader has begun (`true`) or ceased to wait for the peer. */
  readonly onWaiting: (isWaiting: boolean) => void;
  /** The reader wants no more. Not called once the body has ended. */
  readonly onDropped: () => void;
  /** The body has ended and nothing of it waits any more; called once. */
  readonly onDrained: () => void;
};

/** See the top of the file. */
export interface ResponseBody {
  push(chunk: Uint8Array): void;
  /** Nothing more comes. After the first `end` or `fail` others have no effect. */
  end(): void;
  /** The reader gets what came until now, and then the error. */
  fail(error: Error): void;
  /** What waits is thrown away, and the reader gets `error`, also after `end` or `fail`. */
  discard(error: Error): void;
  /** For one reader. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Makes an empty body. */
export function createResponseBody(deps: ResponseBodyDeps): ResponseBody {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let isFull = false;
  let ending: { readonly error: Error | undefined } | undefined;
  let wake: (() => void) | undefined;
  let isDrained = false;

  const drained = (): void => {
    if (isDrained || ending === undefined || chunks.length > 0) return;
    isDrained = true;
    deps.onDrained();
  };

  const finish = (error: Error | undefined): void => {
    if (ending !== undefined) return;
    ending = { error };
    wake?.();
    drained();
  };

  const drop = (): void => {
    chunks.length = 0;
    const isEarly = ending === undefined;
    finish(undefined);
    drained();
    if (isEarly) deps.onDropped();
  };

  const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
    if (chunks.length === 0 && ending === undefined) {
      deps.onWaiting(true);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
      deps.onWaiting(false);
    }
    const chunk = chunks.shift();
    if (chunk === undefined && ending?.error !== undefined) throw ending.error;
    if (chunk === undefined) return { done: true, value: undefined };
    bytes -= chunk.byteLength;
    if (isFull && bytes <= deps.bufferMaxBytes / 2) {
      isFull = false;
      deps.onRoom();
    }
    drained();
    return { done: false, value: chunk };
  };

  return {
    push(chunk) {
      if (ending !== undefined || chunk.byteLength === 0) return;
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (!isFull && bytes > deps.bufferMaxBytes) {
        isFull = true;
        deps.onFull();
      }
      wake?.();
    },
    end: () => finish(undefined),
    fail: finish,
    discard(error) {
      if (isDrained) return;
      chunks.length = 0;
      ending = { error };
      wake?.();
      drained();
    },
    chunks: {
      [Symbol.asyncIterator]: () => ({
        next,
        async return() {
          drop();
          return { done: true, value: undefined };
        },
      }),
    },
  };
}
