/** Takes the bytes of an outgoing body before it is known where they go. */
import type { HttpHeaders } from "../../providers/http/http.ts";
import type { ByteSink } from "./guest-line.ts";
import type { HeldBytes } from "./held-bytes.ts";

/** Bytes that one body keeps until its message is sent. */
const WAITING_MAX_BYTES = 64 * 1024;

/** A sink that keeps what is written until it is attached to the real one, and counts it against `content-length`. */
export class BodySink implements ByteSink {
  readonly #held: HeldBytes;
  readonly #announcedBytes: number | undefined;
  /** Made when somebody waits for it. */
  #settled: PromiseWithResolvers<void> | undefined;
  #isSettled = false;
  #target: ByteSink | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #writtenBytes = 0;
  #ownFailure: string | undefined;
  #finish: { readonly trailers: HttpHeaders | undefined } | undefined;

  /** `announcedBytes`: what `content-length` says, if anything. */
  constructor(held: HeldBytes, announcedBytes: number | undefined) {
    this.#held = held;
    this.#announcedBytes = announcedBytes;
  }

  get failure(): string | undefined {
    return this.#ownFailure ?? this.#target?.failure;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Whether what was written is as long as announced. Nothing at all may be right: an answer to HEAD has a length and no body. */
  get isLengthRight(): boolean {
    return (
      this.#announcedBytes === undefined || this.#writtenBytes === 0 || this.#writtenBytes === this.#announcedBytes
    );
  }

  room(): number | undefined {
    if (this.#finish !== undefined || this.#ownFailure !== undefined) return undefined;
    if (this.#target !== undefined && this.#waiting.length === 0) return this.#target.room();
    return Math.min(WAITING_MAX_BYTES - this.#waitingBytes, this.#held.left);
  }

  whenRoom(): Promise<void> {
    // Before it is attached nothing makes room: a guest that waits for it waits for good, or until its time is over.
    if (this.#target === undefined || this.#waiting.length > 0) return this.#whenSettled();
    return this.#target.whenRoom();
  }

  write(bytes: Uint8Array): void {
    this.#writtenBytes += bytes.length;
    if (this.#announcedBytes !== undefined && this.#writtenBytes > this.#announcedBytes)
      return this.abort(`the body is longer than its content-length of ${this.#announcedBytes} bytes`);
    if (this.#target !== undefined && this.#waiting.length === 0) return this.#target.write(bytes);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#held.take(bytes.length);
  }

  /** Goes on with the real sink; resolves when everything that waited has gone there, which is at once if it has room. */
  attach(target: ByteSink): void | Promise<void> {
    this.#target = target;
    if (this.#ownFailure !== undefined) target.abort(this.#ownFailure);
    return this.#passOn(target);
  }

  finish(trailers?: HttpHeaders): void {
    if (this.#finish !== undefined || this.#ownFailure !== undefined) return;
    this.#finish = { trailers };
    if (this.#waiting.length === 0) this.#target?.finish(trailers);
  }

  abort(message: string): void {
    if (this.#finish !== undefined || this.#ownFailure !== undefined) return;
    this.#ownFailure = message;
    this.#forget();
    this.#target?.abort(message);
  }

  #passOn(target: ByteSink): void | Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const room = target.room();
      if (room === undefined) {
        this.#forget();
        break;
      }
      if (room === 0) return target.whenRoom().then(() => this.#passOn(target));
      const piece = next.subarray(0, room);
      if (piece.length === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(room);
      this.#waitingBytes -= piece.length;
      this.#held.give(piece.length);
      target.write(piece);
    }
    this.#isSettled = true;
    this.#settled?.resolve();
    if (this.#finish !== undefined) target.finish(this.#finish.trailers);
  }

  #whenSettled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return (this.#settled ??= Promise.withResolvers()).promise;
  }

  #forget(): void {
    this.#held.give(this.#waitingBytes);
    this.#waitingBytes = 0;
    this.#waiting = [];
  }
}
