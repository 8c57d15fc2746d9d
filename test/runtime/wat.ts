/** Guests for tests, written as WebAssembly text. */
import wabtFactory from "wabt";

const wabt = await wabtFactory();

/** Compiles text to bytes. */
export function wasmFromWat(text: string): Uint8Array<ArrayBuffer> {
  const parsed = wabt.parseWat("guest.wat", text, { bulk_memory: true, exceptions: true });
  try {
    return new Uint8Array(parsed.toBinary({}).buffer);
  } finally {
    parsed.destroy();
  }
}
