/** Connect codes as they are written on the wire. Pure. */
import { Code } from "@connectrpc/connect";

/** The code as `resource_exhausted`; `unknown` for none. */
export function codeName(code: Code): string {
  return (Code[code] ?? "unknown").replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}
