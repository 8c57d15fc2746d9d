/** The interfaces of `wasi:random`; the insecure ones are secure as well. */
import type { HostInterfaces } from "../component/component-value.ts";
import type { GuestLine } from "./guest-line.ts";

const RANDOM_MAX_BYTES = 1024n * 1024n;

/** `random`, `insecure` and `insecure-seed`. More than 1 MiB at once is a trap: no function here can refuse. */
export function randomInterfaces(line: GuestLine): HostInterfaces {
  const bytes = (length: bigint): Uint8Array => {
    if (length > RANDOM_MAX_BYTES)
      throw new Error(`asked for ${length} random bytes at once (at most ${RANDOM_MAX_BYTES})`);
    const filled = new Uint8Array(Number(length));
    line.fillRandom(filled);
    return filled;
  };
  const number = (): bigint => new DataView(bytes(8n).buffer).getBigUint64(0, true);
  return {
    "wasi:random/random": { functions: { "get-random-bytes": bytes, "get-random-u64": number } },
    "wasi:random/insecure": {
      functions: { "get-insecure-random-bytes": bytes, "get-insecure-random-u64": number },
    },
    "wasi:random/insecure-seed": { functions: { "insecure-seed": () => [number(), number()] } },
  };
}
