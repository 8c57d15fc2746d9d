/** A guest that does nothing wrong, and what it must be able to do while others misbehave. */
import { expect } from "vitest";
import type { Guest, Runtime } from "../../src/runtime/runtime.ts";
import { guestStart } from "./guest-starts.ts";
import { MISBEHAVING } from "./misbehaving-http.ts";
import { get } from "./probe-guest.ts";

/** Starts one, in the pool that all share. */
export function startNeighbour(runtime: Runtime): Promise<Guest> {
  return runtime.start(guestStart(MISBEHAVING, { id: "neighbour" }));
}

/**
 * Calls the neighbour again and again until `misdeed` has settled, and once more; every call must be answered. Returns
 * what the misdeed gives.
 */
export async function answersDuring<T>(neighbour: Guest, misdeed: Promise<T>): Promise<T> {
  let isOver = false;
  const over = misdeed.finally(() => {
    isOver = true;
  });
  // Looked at below; here only so that a rejection is not unhandled while the neighbour is asked.
  over.catch(() => undefined);
  while (!isOver) expect(await get(neighbour, "/ok")).toBe("ok");
  expect(await get(neighbour, "/ok")).toBe("ok");
  return over;
}
