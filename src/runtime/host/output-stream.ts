/** Resource `output-stream` of `wasi:io`. Bytes are handed on as they are written, so a flush has nothing to wait for. */
import type { ByteSink } from "./guest-line.ts";
import type { GivingWay } from "./giving-way.ts";
import type { InputStream, Streamed } from "./input-stream.ts";
import { CLOSED, IoError, type IoErrorCodesOf } from "./io-error.ts";
import { Readiness, whenAnyReady } from "./readiness.ts";
import { DONE, ok } from "./wit-result.ts";

/** Most bytes that one write is allowed. */
const ROOM_MAX_BYTES = 1024 * 1024;

/** Zeroes that are made at a time. */
const ZEROES_MAX_BYTES = 64 * 1024;

/** Where bytes go. A failure is told once, then the stream is `closed`. */
export class OutputStream {
  readonly #sink: ByteSink;
  readonly #codesOf: IoErrorCodesOf | undefined;
  #readiness: Readiness | undefined;
  #isFailureTold = false;

  /** `readiness`: that of the sink, if other streams write to it as well. */
  constructor(sink: ByteSink, codesOf?: IoErrorCodesOf, readiness?: Readiness) {
    this.#sink = sink;
    this.#codesOf = codesOf;
    this.#readiness = readiness;
  }

  /** Made when somebody asks: most streams are written without ever being waited for. */
  get readiness(): Readiness {
    return (this.#readiness ??= readinessOfSink(this.#sink));
  }

  /** Bytes that the next write may have. */
  checkWrite(giveWay: GivingWay): Streamed<bigint> | Promise<Streamed<bigint>> {
    const room = this.#sink.room();
    if (room === undefined) return this.#failed();
    if (room > 0) return ok(BigInt(Math.min(room, ROOM_MAX_BYTES)));
    this.readiness.prompt();
    return giveWay(ok(0n));
  }

  /** Throws, which is a trap, when there is no room for all of it: the guest has not asked before. */
  write(contents: Uint8Array): Streamed<undefined> {
    const room = this.#sink.room();
    if (room === undefined) return this.#failed();
    if (contents.length > room) throw new Error(`wrote ${contents.length} bytes to a stream that had room for ${room}`);
    return this.#put(contents);
  }

  /** As `write`; zeroes that there is no room for are never made. */
  writeZeroes(length: bigint): Streamed<undefined> {
    const room = this.#sink.room();
    if (room === undefined) return this.#failed();
    if (length > BigInt(room)) throw new Error(`wrote ${length} bytes to a stream that had room for ${room}`);
    return this.#put(new Uint8Array(Number(length)));
  }

  /** Writes all of it, as room comes. */
  blockingWrite(contents: Uint8Array): Streamed<undefined> | Promise<Streamed<undefined>> {
    const room = this.#sink.room();
    if (room === undefined) return this.#failed();
    return contents.length <= room ? this.#put(contents) : this.#writeAsRoomComes(contents);
  }

  async blockingWriteZeroes(length: bigint): Promise<Streamed<undefined>> {
    for (let left = length; left > 0n;) {
      const piece = new Uint8Array(left > BigInt(ZEROES_MAX_BYTES) ? ZEROES_MAX_BYTES : Number(left));
      const written = await this.blockingWrite(piece);
      if (written.tag === "err") return written;
      left -= BigInt(piece.length);
    }
    return DONE;
  }

  /** Nothing waits here: says only whether the stream still works. */
  flush(): Streamed<undefined> {
    return this.#sink.room() === undefined ? this.#failed() : DONE;
  }

  /** Moves what is there and fits, maybe nothing. */
  splice(source: InputStream, length: bigint, giveWay: GivingWay): Streamed<bigint> | Promise<Streamed<bigint>> {
    const room = this.#sink.room();
    if (room === undefined) return this.#failed();
    if (room === 0 || !source.readiness.isReady()) {
      (room === 0 ? this : source).readiness.prompt();
      return giveWay(ok(0n));
    }
    const read = source.read(smaller(length, room), (answer) => answer);
    // It was ready, so it gave something at once; a promise would mean that it has to be waited for.
    if (read instanceof Promise) throw new TypeError("a ready stream made its reader wait");
    return this.#passOn(read);
  }

  /** Moves at least one byte, unless none is asked for. */
  async blockingSplice(source: InputStream, length: bigint): Promise<Streamed<bigint>> {
    if (length === 0n) return ok(0n);
    await whenAnyReady([this.readiness]);
    const room = this.#sink.room();
    if (room === undefined) return this.#failed();
    return this.#passOn(await source.blockingRead(smaller(length, room)));
  }

  async #writeAsRoomComes(contents: Uint8Array): Promise<Streamed<undefined>> {
    for (let offset = 0; offset < contents.length;) {
      await whenAnyReady([this.readiness]);
      const room = this.#sink.room();
      if (room === undefined) return this.#failed();
      const written = this.#put(contents.subarray(offset, offset + room));
      if (written.tag === "err") return written;
      offset += room;
    }
    return DONE;
  }

  #put(contents: Uint8Array): Streamed<undefined> {
    if (contents.length === 0) return DONE;
    this.#sink.write(contents);
    return this.#sink.failure === undefined ? DONE : this.#failed();
  }

  #passOn(read: Streamed<Uint8Array>): Streamed<bigint> {
    if (read.tag === "err") return read;
    const written = this.#put(read.val);
    return written.tag === "err" ? written : ok(BigInt(read.val.length));
  }

  #failed(): Streamed<never> {
    const { failure } = this.#sink;
    if (this.#isFailureTold || failure === undefined) return CLOSED;
    this.#isFailureTold = true;
    return { tag: "err", val: { tag: "last-operation-failed", val: new IoError(failure, this.#codesOf?.(failure)) } };
  }
}

/** Ready when there is room, or will never be. */
export function readinessOfSink(sink: ByteSink): Readiness {
  return new Readiness({ isReady: () => sink.room() !== 0, whenReady: () => sink.whenRoom() });
}

function smaller(length: bigint, room: number): bigint {
  const most = BigInt(Math.min(room, ROOM_MAX_BYTES));
  return length < most ? length : most;
}
