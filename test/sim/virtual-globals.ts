/**
 * Takes the platform's time, timers and randomness away for the length of a simulation, also from libraries: connect's
 * deadlines run on virtual time, and a digest is there at once. Whatever of ours still asked for the real ones would break
 * replay, which the simulator's own test would see.
 */
import { createHash } from "node:crypto";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

const nextTick = process.nextTick.bind(process);

/** Lets every promise that can settle without time or I/O do so. */
export function settlePromises(): Promise<void> {
  return new Promise((resolve) => void nextTick(resolve));
}

/** Replaces the globals; the function returned puts them back. */
export function installVirtualGlobals(timeline: Timeline, random: Random): () => void {
  const put = <Name extends string>(holder: object, name: Name, value: unknown): (() => void) => {
    const before = Object.getOwnPropertyDescriptor(holder, name);
    Object.defineProperty(holder, name, { value, configurable: true, writable: true });
    return () => {
      if (before === undefined) Reflect.deleteProperty(holder, name);
      else Object.defineProperty(holder, name, before);
    };
  };
  const timer = (action: () => void, delayMs = 0): { cancel: () => void } => ({ cancel: timeline.after(delayMs, action) });
  const clear = (handle: unknown): void => {
    if (typeof handle === "object" && handle !== null && "cancel" in handle && typeof handle.cancel === "function")
      handle.cancel();
  };
  const undo = [
    put(globalThis, "setTimeout", timer),
    put(globalThis, "clearTimeout", clear),
    put(globalThis, "setInterval", () => {
      throw new Error("setInterval is not simulated");
    }),
    put(Date, "now", () => Math.floor(timeline.nowMs)),
    put(Math, "random", () => random.fraction()),
    put(performance, "now", () => timeline.nowMs),
    put(crypto, "getRandomValues", (array: Uint8Array) => {
      const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
      for (let index = 0; index < bytes.length; index++) bytes[index] = random.whole(0, 255);
      return array;
    }),
    put(crypto.subtle, "digest", (_algorithm: unknown, data: Uint8Array) => {
      const hash = createHash("sha256").update(data).digest();
      return Promise.resolve(new Uint8Array(hash).buffer);
    }),
  ];
  return () => {
    for (const step of undo.toReversed()) step();
  };
}
