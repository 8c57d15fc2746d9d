/** Bytes that come in by messages, one piece for each time they are asked for. */
import type { ByteSource, SourceTaken } from "../../host/guest-line.ts";
import type { BodyGiven } from "../protocol.ts";

/** What a source does to its other end. */
export interface MessageSourceOptions {
  /** Asks for the next piece. */
  ask(): void;
  /** Nobody wants the rest. */
  onCancel(): void;
}

/** A source that asks for nothing until somebody wants something, and its other end. */
export class MessageSource implements ByteSource {
  readonly #options: MessageSourceOptions;
  #unread: Uint8Array | undefined;
  #isAsked = false;
  #last: Exclude<BodyGiven, { kind: "bytes" }> | undefined;
  #ready: PromiseWithResolvers<void> | undefined;

  constructor(options: MessageSourceOptions) {
    this.#options = options;
  }

  isReady(): boolean {
    return this.#unread !== undefined || this.#last !== undefined;
  }

  whenReady(): Promise<void> {
    if (this.isReady()) return Promise.resolve();
    this.#want();
    this.#ready ??= Promise.withResolvers();
    return this.#ready.promise;
  }

  take(maxBytes: number): SourceTaken {
    const unread = this.#unread;
    if (unread !== undefined) {
      const bytes = unread.subarray(0, maxBytes);
      this.#unread = bytes.length === unread.length ? undefined : unread.subarray(bytes.length);
      return { kind: "bytes", bytes };
    }
    if (this.#last !== undefined) return this.#last;
    this.#want();
    return { kind: "bytes", bytes: new Uint8Array() };
  }

  cancel(): void {
    this.#unread = undefined;
    if (this.#last === undefined) this.#options.onCancel();
    this.#last ??= { kind: "end", trailers: undefined };
    this.#settle();
  }

  /** Takes the answer to an `ask`, or a failure at any time. */
  give(given: BodyGiven): void {
    this.#isAsked = false;
    if (this.#last !== undefined) return;
    if (given.kind !== "bytes") this.#last = given;
    else if (given.bytes.length === 0) return this.#want();
    else this.#unread = given.bytes;
    this.#settle();
  }

  #want(): void {
    if (this.#isAsked || this.isReady()) return;
    this.#isAsked = true;
    this.#options.ask();
  }

  #settle(): void {
    this.#ready?.resolve();
    this.#ready = undefined;
  }
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
