/** A body that flows into a guest, read piece by piece as the guest asks for it: a request's, or the response to one of its own. */
import { fault, Reason, type Fault } from "../../fault.ts";
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { BodyGiven } from "./protocol.ts";

/** What a `RequestBody` is made with. */
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

/** Reads a body for a guest. The source is not touched before the first `read`. */
export class RequestBody {
  readonly #options: RequestBodyOptions;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #stopped: string | undefined;
  #isAwaited = false;
  #totalBytes = 0;

  constructor(options: RequestBodyOptions) {
    this.#options = options;
  }

  /** Whether a read waits for whoever sends the body. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Asks for the next piece; `onAnswer` gets it, once. */
  read(): void {
    this.#isAwaited = true;
    if (this.#stopped === undefined) void this.#readNext();
    else this.#answer({ kind: "failed", message: this.#stopped });
  }

  /** Ends it: a read that waits, and every later one, fails with `message`. May be called twice. */
  stop(message: string): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = message;
    this.#answer({ kind: "failed", message });
    // Lost: a source that fails while it is being closed. The call has its outcome already.
    void this.#iterator?.return?.().catch(() => undefined);
  }

  #answer(given: BodyGiven): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#options.onAnswer(given);
  }

  async #readNext(): Promise<void> {
    const { what, subject, source, trailers, maxBytes, onFault } = this.#options;
    try {
      this.#iterator ??= source?.[Symbol.asyncIterator]();
      const next = await this.#iterator?.next();
      if (this.#stopped !== undefined) return;
      if (next === undefined || next.done === true) return this.#answer({ kind: "end", trailers: trailers?.() });
      this.#totalBytes += next.value.length;
      // A copy: the piece may lie in a buffer that its reader uses again.
      if (this.#totalBytes <= maxBytes) return this.#answer({ kind: "bytes", bytes: new Uint8Array(next.value) });
      const why = `Cannot ${what}: the request body exceeds ${maxBytes} bytes (requestBodyMaxBytes)`;
      onFault(fault(Reason.BODY_TOO_LARGE, why, { subject: "requestBodyMaxBytes" }));
    } catch (cause) {
      onFault(fault(Reason.CANCELED, `Cannot ${what}: the request body could not be read`, { subject, cause }));
    }
  }
}
