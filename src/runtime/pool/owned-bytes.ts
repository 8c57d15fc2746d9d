/** Bytes on their way to another thread. */

/** From here on moving is cheaper than copying. */
const MOVE_MIN_BYTES = 8 * 1024;

/** The same bytes in a buffer of their own: posting a view would copy all that its buffer holds. */
export function ownedBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isWhole(bytes) ? bytes : new Uint8Array(bytes);
}

/** Adds the buffers of `pieces` that are worth moving to `moved`; the sender must not use them afterwards. */
export function addMoved(moved: ArrayBuffer[], ...pieces: readonly Uint8Array[]): void {
  for (const piece of pieces) {
    if (piece.length >= MOVE_MIN_BYTES && isWhole(piece)) moved.push(piece.buffer);
  }
}

function isWhole(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength && bytes.constructor === Uint8Array;
}
