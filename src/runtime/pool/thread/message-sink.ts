/** Bytes that go out by messages, as many as the other end has room for. */
import type { HttpHeaders } from "../../../providers/http/http.ts";
import type { ByteSink } from "../../host/guest-line.ts";
import { windowCost } from "../protocol.ts";

/** A sink, and its other end. */
export type MessageSink = {
  readonly sink: ByteSink;
  /** Whether neither `finish` nor `abort` was called and nothing has failed. */
  readonly isOpen: boolean;
  /** So much has been taken, as `windowCost` counts. */
  taken(bytes: number): void;
  /** Nobody takes any more. */
  fail(message: string): void;
};

/** What the sink does to its other end. */
export type MessageSinkOptions = {
  readonly windowBytes: number;
  readonly onWrite: (bytes: Uint8Array) => void;
  readonly onFinish: (trailers: HttpHeaders | undefined) => void;
  readonly onAbort: (message: string) => void;
  /** The writer waits for room; told once until there is news. */
  readonly onWait: () => void;
};

/** Makes a sink with a whole window of room. */
export function createMessageSink(options: MessageSinkOptions): MessageSink {
  const { windowBytes, onWrite, onFinish, onAbort, onWait } = options;
  let aheadBytes = 0;
  let isWaitTold = false;
  let isClosed = false;
  let failure: string | undefined;
  let roomMade: PromiseWithResolvers<void> | undefined;

  const room = (): number | undefined =>
    isClosed || failure !== undefined ? undefined : Math.max(0, windowBytes - aheadBytes);

  function settle(): void {
    roomMade?.resolve();
    roomMade = undefined;
  }

  function close(): boolean {
    if (isClosed || failure !== undefined) return false;
    isClosed = true;
    settle();
    return true;
  }

  return {
    sink: {
      room,
      whenRoom() {
        if (room() !== 0) return Promise.resolve();
        if (!isWaitTold) {
          isWaitTold = true;
          onWait();
        }
        roomMade ??= Promise.withResolvers();
        return roomMade.promise;
      },
      write(bytes) {
        if (isClosed || failure !== undefined) return;
        aheadBytes += windowCost(bytes.length);
        onWrite(bytes);
      },
      get failure() {
        return failure;
      },
      finish(trailers) {
        if (close()) onFinish(trailers);
      },
      abort(message) {
        if (close()) onAbort(message);
      },
    },
    get isOpen() {
      return !isClosed && failure === undefined;
    },
    taken(bytes) {
      aheadBytes -= bytes;
      isWaitTold = false;
      if (room() !== 0) settle();
    },
    fail(message) {
      failure ??= message;
      settle();
    },
  };
}
