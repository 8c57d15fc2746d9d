/** Sources and sinks in memory, driven by the test. */
import type { HttpHeaders } from "../../../src/providers/http/http.ts";
import type { ByteSink, ByteSource, SourceTaken } from "../../../src/runtime/host/guest-line.ts";

/** A source into which the test puts what comes next. */
export class MemorySource implements ByteSource {
  isCancelled = false;
  /** How often somebody began to wait. */
  waits = 0;
  #pieces: Uint8Array[] = [];
  #last: SourceTaken | undefined;
  #news = Promise.withResolvers<void>();

  constructor(...pieces: readonly (string | Uint8Array)[]) {
    for (const piece of pieces) this.put(piece);
  }

  put(piece: string | Uint8Array): this {
    this.#pieces.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
    this.#tell();
    return this;
  }

  end(trailers?: HttpHeaders): this {
    this.#last = { kind: "end", trailers };
    this.#tell();
    return this;
  }

  fail(message: string): this {
    this.#last = { kind: "failed", message };
    this.#tell();
    return this;
  }

  isReady(): boolean {
    return this.#pieces.length > 0 || this.#last !== undefined;
  }

  whenReady(): Promise<void> {
    this.waits += 1;
    return this.isReady() ? Promise.resolve() : this.#news.promise;
  }

  take(maxBytes: number): SourceTaken {
    const piece = this.#pieces.shift();
    if (piece === undefined) return this.#last ?? { kind: "bytes", bytes: new Uint8Array() };
    if (piece.length > maxBytes) this.#pieces.unshift(piece.subarray(maxBytes));
    return { kind: "bytes", bytes: piece.slice(0, maxBytes) };
  }

  cancel(): void {
    this.isCancelled = true;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** A sink with room that the test makes. */
export class MemorySink implements ByteSink {
  readonly pieces: Uint8Array[] = [];
  finished: { readonly trailers: HttpHeaders | undefined } | undefined;
  aborted: string | undefined;
  failure: string | undefined;
  #room: number;
  #news = Promise.withResolvers<void>();

  constructor(room: number = Number.MAX_SAFE_INTEGER) {
    this.#room = room;
  }

  get text(): string {
    return Buffer.concat(this.pieces).toString("latin1");
  }

  makeRoom(bytes: number): void {
    this.#room += bytes;
    this.#tell();
  }

  fail(message: string): void {
    this.failure = message;
    this.#tell();
  }

  room(): number | undefined {
    return this.failure !== undefined || this.finished !== undefined || this.aborted !== undefined
      ? undefined
      : this.#room;
  }

  whenRoom(): Promise<void> {
    return this.room() === 0 ? this.#news.promise : Promise.resolve();
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > (this.room() ?? 0)) throw new Error("wrote more than there was room for");
    this.#room -= bytes.length;
    this.pieces.push(bytes);
  }

  finish(trailers?: HttpHeaders): void {
    this.finished ??= { trailers };
  }

  abort(message: string): void {
    this.aborted ??= message;
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
