/** Bytes that go out by messages, as many as the other end has room for. */
import type { HttpHeaders } from "../../../providers/http/http.ts";
import type { ByteSink } from "../../host/guest-line.ts";
import { windowCost } from "../protocol.ts";

/** What a sink does to its other end. */
export interface MessageSinkOptions {
  readonly windowBytes: number;
  onWrite(bytes: Uint8Array): void;
  onFinish(trailers: HttpHeaders | undefined): void;
  onAbort(message: string): void;
  /** The writer waits for room; told once until there is news. */
  onWait(): void;
}

/** A sink, and its other end. A class, because each response has one: an object with getters of its own costs the engine a hidden class. */
export class MessageSink implements ByteSink {
  readonly #options: MessageSinkOptions;
  #aheadBytes = 0;
  #isWaitTold = false;
  #isClosed = false;
  #failure: string | undefined;
  #roomMade: PromiseWithResolvers<void> | undefined;

  /** Has a whole window of room. */
  constructor(options: MessageSinkOptions) {
    this.#options = options;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  /** Whether neither `finish` nor `abort` was called and nothing has failed. */
  get isOpen(): boolean {
    return !this.#isClosed && this.#failure === undefined;
  }

  room(): number | undefined {
    return this.isOpen ? Math.max(0, this.#options.windowBytes - this.#aheadBytes) : undefined;
  }

  whenRoom(): Promise<void> {
    if (this.room() !== 0) return Promise.resolve();
    if (!this.#isWaitTold) {
      this.#isWaitTold = true;
      this.#options.onWait();
    }
    this.#roomMade ??= Promise.withResolvers();
    return this.#roomMade.promise;
  }

  write(bytes: Uint8Array): void {
    if (!this.isOpen) return;
    this.#aheadBytes += windowCost(bytes.length);
    this.#options.onWrite(bytes);
  }

  finish(trailers?: HttpHeaders): void {
    if (this.#close()) this.#options.onFinish(trailers);
  }

  abort(message: string): void {
    if (this.#close()) this.#options.onAbort(message);
  }

  /** So much has been taken, as `windowCost` counts. */
  taken(bytes: number): void {
    this.#aheadBytes -= bytes;
    this.#isWaitTold = false;
    if (this.room() !== 0) this.#settle();
  }

  /** Nobody takes any more. */
  fail(message: string): void {
    this.#failure ??= message;
    this.#settle();
  }

  #settle(): void {
    this.#roomMade?.resolve();
    this.#roomMade = undefined;
  }

  #close(): boolean {
    if (!this.isOpen) return false;
    this.#isClosed = true;
    this.#settle();
    return true;
  }
}
