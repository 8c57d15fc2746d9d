/** Small WASI commands for tests, from text. */
import { wasmFromWat } from "../runtime/wat.ts";

const START = `(memory (export "memory") 2)`;

/** Ends with `code` at once. */
export function exitingCommand(code: number): Uint8Array {
  return wasmFromWat(`(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    ${START} (func (export "_start") (call $exit (i32.const ${String(code)}))))`);
}

/** Never ends. */
export function endlessCommand(): Uint8Array {
  return wasmFromWat(`(module ${START} (func (export "_start") (loop $again (br $again))))`);
}

/** Traps at once. */
export function trappingCommand(): Uint8Array {
  return wasmFromWat(`(module ${START} (func (export "_start") unreachable))`);
}

/** Ends at once; as long as asked for, and therefore uploaded in pieces. */
export function largeCommand(bytes: number): Uint8Array {
  const piece = "x".repeat(60_000);
  const pieces = Array.from({ length: Math.ceil(bytes / piece.length) }, () => `(data "${piece}")`).join("\n");
  return wasmFromWat(`(module ${START} (func (export "_start")) ${pieces})`);
}
