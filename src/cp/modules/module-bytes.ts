/** What can be told of a module from its bytes without running or compiling anything. */
import { fault, Reason } from "../../fault.ts";
import { GuestKind } from "../../gen/wasmatrix/v1/instance_pb.ts";

/** Bytes backed by a plain buffer, as Web APIs want them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** `sha256:` and 64 hex digits. */
export async function digestOf(bytes: Bytes): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Throws `MODULE_NOT_WASM` unless the bytes begin like Wasm. `what` is how the error names them: `module "x.wasm"`. */
export function assertWasm(bytes: Uint8Array, what: string): void {
  if (WASM_MAGIC.every((byte, index) => bytes[index] === byte)) return;
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw fault(
    Reason.MODULE_NOT_WASM,
    `Cannot take ${what}: it does not begin like Wasm (00 61 73 6d) but with ${start || "nothing"}`,
  );
}

/** Throws `MODULE_DIGEST_MISMATCH` if a digest is wanted and is another. */
export function assertDigest(wanted: string, actual: string, what: string): void {
  if (wanted === "" || wanted === actual) return;
  throw fault(Reason.MODULE_DIGEST_MISMATCH, `Cannot take ${what}: its digest is ${actual}, not ${wanted}`, {
    subject: wanted,
  });
}

/** The kinds that the module may turn out to have, from its first eight bytes; empty if they tell nothing. */
export function possibleKinds(bytes: Uint8Array): readonly GuestKind[] {
  const layer = (bytes[6] ?? 0) | ((bytes[7] ?? 0) << 8);
  const version = (bytes[4] ?? 0) | ((bytes[5] ?? 0) << 8);
  if (layer === 1) return [GuestKind.HTTP, GuestKind.COMMAND, GuestKind.MESSAGING, GuestKind.FUNCTIONS];
  if (layer === 0 && version === 1) return [GuestKind.COMMAND, GuestKind.FUNCTIONS];
  return [];
}

/** One run of bytes out of many pieces. */
export function joinChunks(chunks: readonly Uint8Array[], sizeBytes: number): Bytes {
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

const WASM_MAGIC = [0x00, 0x61, 0x73, 0x6d];
