/** Resource `input-stream` of `wasi:io`. */
import type { ByteSource } from "./guest-line.ts";
import type { GivingWay } from "./giving-way.ts";
import { CLOSED, IoError, type IoErrorCodesOf, type StreamError } from "./io-error.ts";
import { Readiness, whenAnyReady } from "./readiness.ts";
import { ok, whenThere, type WitResult } from "./wit-result.ts";

/** Most bytes of one read; asking for more is allowed. */
export const READ_MAX_BYTES: number = 1024 * 1024;

/** Outcome of an operation on a stream. */
export type Streamed<T> = WitResult<T, StreamError>;

/** Bytes that come in. Reading past the end gives `closed`, any number of times. */
export class InputStream {
  readonly #source: ByteSource;
  readonly #codesOf: IoErrorCodesOf | undefined;
  #readiness: Readiness | undefined;
  #isClosed = false;

  /** `readiness`: that of the source, if other streams read from it as well. */
  constructor(source: ByteSource, codesOf?: IoErrorCodesOf, readiness?: Readiness) {
    this.#source = source;
    this.#codesOf = codesOf;
    this.#readiness = readiness;
  }

  /** Made when somebody asks: most streams are read without ever being waited for. */
  get readiness(): Readiness {
    return (this.#readiness ??= new Readiness(this.#source));
  }

  /** What is there, maybe nothing. */
  read(length: bigint, giveWay: GivingWay): Streamed<Uint8Array> | Promise<Streamed<Uint8Array>> {
    if (this.#isClosed) return CLOSED;
    // Also when nothing is there: that a reader came is what sets some sources going.
    const taken = this.#take(length);
    return taken.tag === "ok" && taken.val.length === 0 && length > 0n ? giveWay(taken) : taken;
  }

  /** At least one byte, unless none is asked for. */
  blockingRead(length: bigint): Streamed<Uint8Array> | Promise<Streamed<Uint8Array>> {
    if (this.#isClosed) return CLOSED;
    const taken = this.#take(length);
    return taken.tag === "err" || taken.val.length > 0 || length === 0n ? taken : this.#whenTaken(length);
  }

  async #whenTaken(length: bigint): Promise<Streamed<Uint8Array>> {
    for (;;) {
      await whenAnyReady([this.readiness]);
      const taken = this.#take(length);
      if (taken.tag === "err" || taken.val.length > 0) return taken;
    }
  }

  #take(length: bigint): Streamed<Uint8Array> {
    const taken = this.#source.take(length > BigInt(READ_MAX_BYTES) ? READ_MAX_BYTES : Number(length));
    if (taken.kind === "bytes") return ok(taken.bytes);
    this.#isClosed = true;
    if (taken.kind === "end") return CLOSED;
    return {
      tag: "err",
      val: { tag: "last-operation-failed", val: new IoError(taken.message, this.#codesOf?.(taken.message)) },
    };
  }
}

/** The number of bytes in place of the bytes, as `skip` gives it. */
export function countOf(
  taken: Streamed<Uint8Array> | Promise<Streamed<Uint8Array>>,
): Streamed<bigint> | Promise<Streamed<bigint>> {
  return whenThere(taken, (read) => (read.tag === "ok" ? ok(BigInt(read.val.length)) : read));
}
