/** Numbers as `increment` keeps them: ASCII decimal digits within 64 bits, signed, one spelling per number. */

const NUMBER = /^(?:0|-?[1-9][0-9]{0,18})$/;
const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** The longest such number, in bytes: `-9223372036854775808`. */
export const KV_NUMBER_MAX_BYTES = 20;

/** The number that `value` spells, or `undefined` if it spells none. */
export function numberFromValue(value: Uint8Array): bigint | undefined {
  if (value.byteLength > KV_NUMBER_MAX_BYTES) return undefined;
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
  if (!NUMBER.test(text)) return undefined;
  const number = BigInt(text);
  return isKvNumber(number) ? number : undefined;
}

/** How `number` is stored. */
export function valueFromNumber(number: bigint): Uint8Array {
  return new TextEncoder().encode(number.toString());
}

/** Whether `number` lies within 64 bits, signed. */
export function isKvNumber(number: bigint): boolean {
  return number >= MIN && number <= MAX;
}
