/** A body that flows into a guest, read piece by piece as the guest asks for it: a request's, or the response to one of its own. */
import { fault, Reason, type Fault } from "../../fault.ts";
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { BodyGiven } from "./protocol.ts";

/** Reads a body for a guest. */
export interface RequestBody {
  /** Whether a read waits for whoever sends the body. */
  readonly isAwaited: boolean;
  /** Asks for the next piece; `onAnswer` gets it, once. */
  read(): void;
  /** Ends it: a read that waits, and every later one, fails with `message`. May be called twice. */
  stop(message: string): void;
}

/** What `createRequestBody` needs. */
export type RequestBodyOptions = {
  /** What cannot be done without it, for messages: `call instance "a1"`. */
  readonly what: string;
  readonly subject: string;
  readonly source: AsyncIterable<Uint8Array> | undefined;
  /** What came after the body; asked for once the source has ended. */
  readonly trailers: (() => HttpHeaders | undefined) | undefined;
  readonly maxBytes: number;
  readonly onAnswer: (answer: BodyGiven) => void;
  /** The body is larger than it may be, or could not be read; told before the guest gets its answer. */
  readonly onFault: (why: Fault) => void;
};

/** Makes the reader; the source is not touched before the first `read`. */
export function createRequestBody(options: RequestBodyOptions): RequestBody {
  const { what, subject, source, trailers, maxBytes, onAnswer, onFault } = options;
  let iterator: AsyncIterator<Uint8Array> | undefined;
  let stopped: string | undefined;
  let isAwaited = false;
  let totalBytes = 0;

  function answer(given: BodyGiven): void {
    if (!isAwaited) return;
    isAwaited = false;
    onAnswer(given);
  }

  async function readNext(): Promise<void> {
    try {
      iterator ??= source?.[Symbol.asyncIterator]();
      const next = await iterator?.next();
      if (stopped !== undefined) return;
      if (next === undefined || next.done === true) return answer({ kind: "end", trailers: trailers?.() });
      totalBytes += next.value.length;
      // A copy: the piece may lie in a buffer that its reader uses again.
      if (totalBytes <= maxBytes) return answer({ kind: "bytes", bytes: new Uint8Array(next.value) });
      const why = `Cannot ${what}: the request body exceeds ${maxBytes} bytes (requestBodyMaxBytes)`;
      onFault(fault(Reason.BODY_TOO_LARGE, why, { subject: "requestBodyMaxBytes" }));
    } catch (cause) {
      onFault(fault(Reason.CANCELED, `Cannot ${what}: the request body could not be read`, { subject, cause }));
    }
  }

  return {
    get isAwaited() {
      return isAwaited;
    },
    read() {
      isAwaited = true;
      if (stopped === undefined) void readNext();
      else answer({ kind: "failed", message: stopped });
    },
    stop(message) {
      if (stopped !== undefined) return;
      stopped = message;
      answer({ kind: "failed", message });
      // Lost: a source that fails while it is being closed. The call has its outcome already.
      void iterator?.return?.().catch(() => undefined);
    },
  };
}
