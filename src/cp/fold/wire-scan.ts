/**
 * Reads single fields of a message that stays as it came: walks over the wire form once, without taking the rest apart. Pure.
 * Knows of the wire form only what proto3 messages of ours need: varints, lengths, and what to skip.
 */

/** A walk over the fields of one message, in the order in which they came. */
export interface WireScan {
  /** Moves on to the next field and answers its number, or 0 at the end. Throws `RangeError` for bytes that are no message. */
  next(): number;
  /** The present field as an unsigned number; of one beyond 2^53 the value is rounded. */
  number(): number;
  /** The present field as text. */
  text(): string;
  /** Where the present field's bytes begin and end; equal for a field that is not made of bytes. */
  readonly from: number;
  readonly to: number;
}

/** Begins at `from`; the message ends before `to`. */
export function scanWire(bytes: Uint8Array, from: number = 0, to: number = bytes.length): WireScan {
  let position = from;
  let value = 0;
  const scan = {
    from: 0,
    to: 0,
    next(): number {
      if (position >= to) return 0;
      const tag = varint();
      switch (tag % 8) {
        case VARINT:
          value = varint();
          scan.from = scan.to = position;
          break;
        case BYTES: {
          const length = varint();
          scan.from = position;
          scan.to = position += length;
          break;
        }
        case FIXED_64:
          scan.from = scan.to = position += 8;
          break;
        case FIXED_32:
          scan.from = scan.to = position += 4;
          break;
        default:
          throw new RangeError("bytes are no message: unknown wire type");
      }
      if (position > to) throw new RangeError("bytes are no message: they end within a field");
      return Math.floor(tag / 8);
    },
    number: () => value,
    text: () => textOf(bytes, scan.from, scan.to),
  };

  const varint = (): number => {
    let result = 0;
    let factor = 1;
    for (let count = 0; count < VARINT_MAX_BYTES; count++) {
      const byte = bytes[position++];
      if (byte === undefined) throw new RangeError("bytes are no message: they end within a number");
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
      factor *= 128;
    }
    throw new RangeError("bytes are no message: a number is too long");
  };

  return scan;
}

/** The google.protobuf.Timestamp that lies there, in milliseconds since the Unix epoch. */
export function timeMsIn(bytes: Uint8Array, from: number, to: number): number {
  let timeMs = 0;
  const scan = scanWire(bytes, from, to);
  for (let field = scan.next(); field !== 0; field = scan.next()) {
    if (field === 1) timeMs += scan.number() * 1_000;
    else if (field === 2) timeMs += Math.floor(scan.number() / 1_000_000);
  }
  return timeMs;
}

/** Enums of the contract are open: a value that is newer than this program is kept as the number that it is. */
export function openEnum<E extends number>(value: number): E {
  return value as E;
}

const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
const VARINT_MAX_BYTES = 10;
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
