/** `wasi:io`: streams, pollables and errors, on top of whatever carries the bytes. */
import type { MessagePump } from "./message-pump.ts";

/** What can be waited for. */
export interface Waitable {
  isReady(): boolean;
  /** Sets going what makes it ready; called before each wait. */
  request(): void;
  /** When it becomes ready by itself, on the monotonic clock; `undefined` if something else must happen. */
  readonly readyAtNs: bigint | undefined;
}

/** Where an input stream's bytes come from. */
export interface ByteSource {
  /** Whether `take` would give bytes or throw. */
  isReady(): boolean;
  request(): void;
  /** At most `maxBytes`, maybe none. Throws a `StreamError` after the end or a failure. */
  take(maxBytes: number): Uint8Array;
}

/** Where an output stream's bytes go. */
export interface ByteSink {
  /** Bytes that may be written now. Throws a `StreamError` when nobody takes them any more. */
  room(): number;
  request(): void;
  write(bytes: Uint8Array): void;
}

/** The payload that `wasi:io/streams` functions fail with. */
export type StreamError = { readonly tag: "closed" } | { readonly tag: "last-operation-failed"; readonly val: IoError };

/** How the glue sees a failed stream: the payload is thrown as it is. */
export function streamFailure(message: string): StreamError {
  return { tag: "last-operation-failed", val: new IoError(message) };
}

/** The payload for a stream that has come to its end. */
export const STREAM_CLOSED: StreamError = { tag: "closed" };

const READ_MAX_BYTES = 1024 * 1024;
const ROOM_MAX_BYTES = 1024 * 1024;
const ZEROES_MAX_BYTES = 65_536;

/** Resource `error`. */
export class IoError {
  readonly #message: string;

  constructor(message: string) {
    this.#message = message;
  }

  toDebugString(): string {
    return this.#message;
  }
}

/** Resource `pollable`. */
export class Pollable {
  readonly waitable: Waitable;
  readonly #pump: MessagePump;

  constructor(waitable: Waitable, pump: MessagePump) {
    this.waitable = waitable;
    this.#pump = pump;
  }

  ready(): boolean {
    this.#pump.pumpWaiting();
    return this.waitable.isReady();
  }

  block(): void {
    waitForAny([this.waitable], this.#pump);
  }
}

/** Waits until at least one is ready and says which are, by index. */
export function waitForAny(waitables: readonly Waitable[], pump: MessagePump): Uint32Array {
  pump.pumpWaiting();
  for (;;) {
    const ready = waitables.flatMap((waitable, index) => (waitable.isReady() ? [index] : []));
    if (ready.length > 0) return Uint32Array.from(ready);
    for (const waitable of waitables) waitable.request();
    const instants = waitables.flatMap(({ readyAtNs }) => (readyAtNs === undefined ? [] : [readyAtNs]));
    pump.pump(
      instants.reduce<bigint | undefined>(
        (first, instant) => (first === undefined || instant < first ? instant : first),
        undefined,
      ),
    );
  }
}

/** Resource `input-stream`. */
export class InputStream {
  readonly #source: ByteSource;
  readonly #pump: MessagePump;

  constructor(source: ByteSource, pump: MessagePump) {
    this.#source = source;
    this.#pump = pump;
  }

  read(length: bigint): Uint8Array {
    this.#pump.pumpWaiting();
    if (!this.#source.isReady()) this.#source.request();
    return this.#source.isReady() ? this.#source.take(boundedNumber(length, READ_MAX_BYTES)) : new Uint8Array();
  }

  blockingRead(length: bigint): Uint8Array {
    if (length > 0n) waitForAny([this.#waitable()], this.#pump);
    return this.#source.take(boundedNumber(length, READ_MAX_BYTES));
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return BigInt(this.blockingRead(length).length);
  }

  subscribe(): Pollable {
    return new Pollable(this.#waitable(), this.#pump);
  }

  #waitable(): Waitable {
    const source = this.#source;
    return { isReady: () => source.isReady(), request: () => source.request(), readyAtNs: undefined };
  }
}

/** Resource `output-stream`. Bytes are handed on as they are written, so a flush has nothing to wait for. */
export class OutputStream {
  readonly #sink: ByteSink;
  readonly #pump: MessagePump;

  constructor(sink: ByteSink, pump: MessagePump) {
    this.#sink = sink;
    this.#pump = pump;
  }

  checkWrite(): bigint {
    this.#pump.pumpWaiting();
    return BigInt(Math.min(this.#sink.room(), ROOM_MAX_BYTES));
  }

  write(contents: Uint8Array): void {
    if (contents.length > this.#sink.room())
      throw new Error(`wrote ${contents.length} bytes to a stream that had room for ${this.#sink.room()}`);
    if (contents.length > 0) this.#sink.write(contents);
  }

  blockingWriteAndFlush(contents: Uint8Array): void {
    for (let offset = 0; offset < contents.length;) {
      waitForAny([this.#waitable()], this.#pump);
      const piece = contents.subarray(offset, offset + this.#sink.room());
      this.#sink.write(piece);
      offset += piece.length;
    }
  }

  flush(): void {
    this.#sink.room();
  }

  blockingFlush(): void {
    this.#sink.room();
  }

  writeZeroes(length: bigint): void {
    this.write(new Uint8Array(boundedNumber(length, ROOM_MAX_BYTES)));
  }

  blockingWriteZeroesAndFlush(length: bigint): void {
    for (let left = length; left > 0n; left -= BigInt(ZEROES_MAX_BYTES)) {
      this.blockingWriteAndFlush(new Uint8Array(boundedNumber(left, ZEROES_MAX_BYTES)));
    }
  }

  splice(source: InputStream, length: bigint): bigint {
    const room = this.checkWrite();
    const bytes = source.read(length < room ? length : room);
    this.write(bytes);
    return BigInt(bytes.length);
  }

  blockingSplice(source: InputStream, length: bigint): bigint {
    waitForAny([this.#waitable()], this.#pump);
    const room = this.checkWrite();
    const bytes = source.blockingRead(length < room ? length : room);
    this.write(bytes);
    return BigInt(bytes.length);
  }

  subscribe(): Pollable {
    return new Pollable(this.#waitable(), this.#pump);
  }

  #waitable(): Waitable {
    const sink = this.#sink;
    return { isReady: () => hasRoomOrFailed(sink), request: () => sink.request(), readyAtNs: undefined };
  }
}

/** A sink that has failed is ready: the write that follows says how. */
function hasRoomOrFailed(sink: ByteSink): boolean {
  try {
    return sink.room() > 0;
  } catch {
    // Lost: nothing, the next write throws the same.
    return true;
  }
}

function boundedNumber(value: bigint, max: number): number {
  return value > BigInt(max) ? max : Number(value);
}

/** The three interfaces by their names without version. */
export function ioInterfaces(pump: MessagePump): Record<string, Record<string, unknown>> {
  return {
    "wasi:io/error": { Error: IoError },
    "wasi:io/poll": {
      Pollable,
      poll(pollables: readonly Pollable[]) {
        if (pollables.length === 0) throw new Error("polled an empty list");
        return waitForAny(
          pollables.map(({ waitable }) => waitable),
          pump,
        );
      },
    },
    "wasi:io/streams": { InputStream, OutputStream },
  };
}
