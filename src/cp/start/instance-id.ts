/** Names instances. */

/** The id that an idempotency key stands for: 20 letters and digits, the same on every control plane. */
export async function instanceIdFromKey(idempotencyKey: string): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(idempotencyKey)));
  let number = 0n;
  for (const byte of hash) number = (number << 8n) | BigInt(byte);
  return number.toString(36).padStart(ID_LENGTH, "0").slice(-ID_LENGTH);
}

const ID_LENGTH = 20;
