/** The body of a request, read piece by piece as the guest asks for it. */
import { fault, Reason, type Fault } from "../fault.ts";
import type { ToGuest } from "./worker-protocol.ts";

/** The answer to a guest's `readBody`. */
export type BodyAnswer = Extract<ToGuest, { kind: "bodyChunk" | "bodyEnd" | "bodyFailed" }>;

/** Reads a request body for a guest. */
export interface RequestBody {
  /** Whether a read waits for the caller. */
  readonly isAwaited: boolean;
  /** Asks for the next piece; `onAnswer` gets it, once. */
  read(): void;
  /** Ends it: a read that waits, and every later one, fails with `message`. May be called twice. */
  stop(message: string): void;
}

/** What `createRequestBody` needs. */
export type RequestBodyOptions = {
  readonly id: string;
  readonly source: AsyncIterable<Uint8Array> | undefined;
  readonly maxBytes: number;
  readonly onAnswer: (answer: BodyAnswer) => void;
  /** The body is larger than it may be, or could not be read; told before the guest gets its answer. */
  readonly onFault: (why: Fault) => void;
};

/** Makes the reader; the source is not touched before the first `read`. */
export function createRequestBody({ id, source, maxBytes, onAnswer, onFault }: RequestBodyOptions): RequestBody {
  let iterator: AsyncIterator<Uint8Array> | undefined;
  let stopped: string | undefined;
  let isAwaited = false;
  let totalBytes = 0;

  function answer(given: BodyAnswer): void {
    if (!isAwaited) return;
    isAwaited = false;
    onAnswer(given);
  }

  async function readNext(): Promise<void> {
    try {
      iterator ??= source?.[Symbol.asyncIterator]();
      const next = await iterator?.next();
      if (stopped !== undefined) return;
      if (next === undefined || next.done === true) return answer({ kind: "bodyEnd" });
      totalBytes += next.value.length;
      if (totalBytes <= maxBytes) return answer({ kind: "bodyChunk", bytes: new Uint8Array(next.value) });
      onFault(
        fault(
          Reason.BODY_TOO_LARGE,
          `Cannot call instance "${id}": the request body exceeds ${maxBytes} bytes (requestBodyMaxBytes)`,
          {
            subject: "requestBodyMaxBytes",
          },
        ),
      );
    } catch (cause) {
      onFault(
        fault(Reason.CANCELED, `Cannot call instance "${id}": the request body could not be read`, {
          subject: id,
          cause,
        }),
      );
    }
  }

  return {
    get isAwaited() {
      return isAwaited;
    },
    read() {
      isAwaited = true;
      if (stopped === undefined) void readNext();
      else answer({ kind: "bodyFailed", message: stopped });
    },
    stop(message) {
      if (stopped !== undefined) return;
      stopped = message;
      answer({ kind: "bodyFailed", message });
      // Lost: a source that fails while it is being closed. The call has its outcome already.
      void iterator?.return?.().catch(() => undefined);
    },
  };
}
