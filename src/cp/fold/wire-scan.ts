/**
 * Reads single fields of a message that stays as it came: walks over the wire form once, without taking the rest apart. Pure.
 * Knows of the wire form only what proto3 messages of ours need: varints, lengths, and what to skip.
 */

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
const VARINT_MAX_BYTES = 10;

/** A walk over the fields of one message, in the order in which they came. A class, because a million of them are walked over in one go. */
export class WireScan {
  /** Where the present field's bytes begin and end; equal for a field that is not made of bytes. */
  from = 0;
  to = 0;
  /** The present field as an unsigned number; one beyond 2^53 is rounded. */
  number = 0;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #position: number;

  /** Begins at `from`; the message ends before `to`. */
  constructor(bytes: Uint8Array, from: number = 0, to: number = bytes.length) {
    this.#bytes = bytes;
    this.#position = from;
    this.#end = to;
  }

  /** Moves on to the next field and answers its number, or 0 at the end. Throws `RangeError` for bytes that are no message. */
  next(): number {
    if (this.#position >= this.#end) return 0;
    const tag = this.#varint();
    switch (tag % 8) {
      case VARINT:
        this.number = this.#varint();
        this.from = this.to = this.#position;
        break;
      case BYTES: {
        const length = this.#varint();
        this.from = this.#position;
        this.to = this.#position += length;
        break;
      }
      case FIXED_64:
        this.from = this.to = this.#position += 8;
        break;
      case FIXED_32:
        this.from = this.to = this.#position += 4;
        break;
      default:
        throw new RangeError("bytes are no message: unknown wire type");
    }
    if (this.#position > this.#end) throw new RangeError("bytes are no message: they end within a field");
    return Math.floor(tag / 8);
  }

  /** The present field as text. */
  text(): string {
    return textOf(this.#bytes, this.from, this.to);
  }

  #varint(): number {
    const first = this.#bytes[this.#position++];
    if (first === undefined) throw new RangeError("bytes are no message: they end within a number");
    if (first < 0x80) return first;
    let result = first & 0x7f;
    let factor = 128;
    for (let count = 1; count < VARINT_MAX_BYTES; count++) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw new RangeError("bytes are no message: they end within a number");
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
      factor *= 128;
    }
    throw new RangeError("bytes are no message: a number is too long");
  }
}

/** The google.protobuf.Timestamp that lies there, in milliseconds since the Unix epoch. */
export function timeMsIn(bytes: Uint8Array, from: number, to: number): number {
  let timeMs = 0;
  const scan = new WireScan(bytes, from, to);
  for (let field = scan.next(); field !== 0; field = scan.next()) {
    if (field === 1) timeMs += scan.number * 1_000;
    else if (field === 2) timeMs += Math.floor(scan.number / 1_000_000);
  }
  return timeMs;
}

/** Enums of the contract are open: a value that is newer than this program is kept as the number that it is. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller's enum is what makes the number one
export function openEnum<E extends number>(value: number): E {
  return value as E;
}

/** Above this a decoder is faster than a look at each byte. */
const SHORT_MAX = 48;
const decoder = new TextDecoder();

function textOf(bytes: Uint8Array, from: number, to: number): string {
  if (from === to) return "";
  if (to - from > SHORT_MAX) return decoder.decode(bytes.subarray(from, to));
  const codes: number[] = [];
  for (let index = from; index < to; index++) {
    const byte = bytes[index] ?? 0;
    if (byte > 0x7f) return decoder.decode(bytes.subarray(from, to));
    codes.push(byte);
  }
  return String.fromCharCode(...codes);
}
