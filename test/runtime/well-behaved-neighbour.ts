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
  const over = new AbortController();
  const settled = misdeed.finally(() => over.abort());
  // It is awaited below; here only so that a rejection is not unhandled while the neighbour is asked.
  settled.catch(() => undefined);
  do expect(await get(neighbour, "/ok")).toBe("ok");
  while (!over.signal.aborted);
  expect(await get(neighbour, "/ok")).toBe("ok");
  return settled;
}
