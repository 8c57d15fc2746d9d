/** The clocks and the randomness that guests read; guest threads have nothing to inject them, and guests expect the real ones. */
import { randomFillSync } from "node:crypto";
import type { GuestClocks } from "./preview1.ts";

/** The machine's clocks. */
export const guestClocks: GuestClocks = {
  wallNs: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1_000)) * 1_000n,
  monotonicNs: () => process.hrtime.bigint(),
};

/** Fills the array with random bytes, whatever its length. */
export function fillRandom(bytes: Uint8Array): void {
  randomFillSync(bytes);
}
