/** HalfSipHash-1-3: a keyed hash in 32-bit steps, so that a guest cannot choose keys that all fall on one place. Pure. */

/** The hash, a signed 32-bit number, of the first `length` bytes, under the key (`k0`, `k1`). */
export function halfSipHash(bytes: Uint8Array, length: number, k0: number, k1: number): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = k0 ^ 0x6c796765;
  let v3 = k1 ^ 0x74656463;
  const round = (): void => {
    v0 = (v0 + v1) | 0;
    v1 = rotated(v1, 5) ^ v0;
    v0 = rotated(v0, 16);
    v2 = (v2 + v3) | 0;
    v3 = rotated(v3, 8) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = rotated(v3, 7) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = rotated(v1, 13) ^ v2;
    v2 = rotated(v2, 16);
  };
  const whole = length & ~3;
  const at = (index: number): number => bytes[index] ?? 0;
  for (let index = 0; index < whole; index += 4) {
    const word = at(index) | (at(index + 1) << 8) | (at(index + 2) << 16) | (at(index + 3) << 24);
    v3 ^= word;
    round();
    v0 ^= word;
  }
  let last = length << 24;
  for (let index = whole; index < length; index += 1) last |= at(index) << (8 * (index - whole));
  v3 ^= last;
  round();
  v0 ^= last;
  v2 ^= 0xff;
  round();
  round();
  round();
  return v1 ^ v3;
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
