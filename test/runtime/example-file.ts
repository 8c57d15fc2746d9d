/** The modules in `examples/`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The bytes of `examples/PATH`. */
export function exampleFile(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(join(import.meta.dirname, "..", "..", "examples", path)));
}
