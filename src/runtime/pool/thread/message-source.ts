/** Bytes that come in by messages, one piece for each time they are asked for. */
import type { ByteSource } from "../../host/guest-line.ts";
import type { BodyGiven } from "../protocol.ts";

/** A source, and its other end. */
export type MessageSource = {
  readonly source: ByteSource;
  /** Takes the answer to an `ask`, or a failure at any time. */
  give(given: BodyGiven): void;
};

/** What the source does to its other end. */
export type MessageSourceOptions = {
  /** Asks for the next piece. */
  readonly ask: () => void;
  /** Nobody wants the rest. */
  readonly onCancel: () => void;
};

/** Makes a source that asks for nothing until somebody wants something. */
export function createMessageSource({ ask, onCancel }: MessageSourceOptions): MessageSource {
  let unread: Uint8Array = new Uint8Array();
  let isAsked = false;
  let last: Exclude<BodyGiven, { kind: "bytes" }> | undefined;
  let ready: PromiseWithResolvers<void> | undefined;

  const isReady = (): boolean => unread.length > 0 || last !== undefined;

  function want(): void {
    if (isAsked || isReady()) return;
    isAsked = true;
    ask();
  }

  function settle(): void {
    ready?.resolve();
    ready = undefined;
  }

  return {
    source: {
      isReady,
      whenReady() {
        if (isReady()) return Promise.resolve();
        want();
        ready ??= Promise.withResolvers();
        return ready.promise;
      },
      take(maxBytes) {
        if (unread.length > 0) {
          const bytes = unread.subarray(0, maxBytes);
          unread = unread.subarray(bytes.length);
          return { kind: "bytes", bytes };
        }
        if (last !== undefined) return last;
        want();
        return { kind: "bytes", bytes: new Uint8Array() };
      },
      cancel() {
        unread = new Uint8Array();
        if (last === undefined) onCancel();
        last ??= { kind: "end", trailers: undefined };
        settle();
      },
    },
    give(given) {
      isAsked = false;
      if (last !== undefined) return;
      if (given.kind !== "bytes") last = given;
      else if (given.bytes.length === 0) return want();
      else unread = given.bytes;
      settle();
    },
  };
}

/** A source that gives `bytes`, then the end. */
export function fixedSource(bytes: Uint8Array): ByteSource {
  let unread = bytes;
  return {
    isReady: () => true,
    whenReady: () => Promise.resolve(),
    take(maxBytes) {
      if (unread.length === 0) return { kind: "end", trailers: undefined };
      const taken = unread.slice(0, maxBytes);
      unread = unread.subarray(taken.length);
      return { kind: "bytes", bytes: taken };
    },
    cancel() {
      unread = new Uint8Array();
    },
  };
}
