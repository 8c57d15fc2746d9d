/**
 * Takes the platform's time, timers and randomness away for the length of a simulation, also from libraries: connect's
 * deadlines run on virtual time, and a digest is there at once. Production code does not use these names itself
 * (`simulated-parts.test.ts`).
 */
import { createHash } from "node:crypto";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

const realSetImmediate = setImmediate;

/** Lets every promise that can settle without time or I/O do so. */
export function settlePromises(): Promise<void> {
  return new Promise((resolve) => void realSetImmediate(resolve));
}

/** Replaces the globals; the function returned puts them back. */
export function installVirtualGlobals(timeline: Timeline, random: Random): () => void {
  const put = (holder: object, name: string, value: unknown): (() => void) => {
    const before = Object.getOwnPropertyDescriptor(holder, name);
    Object.defineProperty(holder, name, { value, configurable: true, writable: true });
    return () => {
      if (before === undefined) Reflect.deleteProperty(holder, name);
      else Object.defineProperty(holder, name, before);
    };
  };
  /** A timer belongs to the process that sets it: it waits while that is paused, and goes with it. */
  const timer = (action: () => void, delayMs = 0): { cancel: () => void } => {
    const owner = timeline.actor;
    let isCancelled = false;
    const run = (): void => void (isCancelled || action());
    const cancel = timeline.after(delayMs, owner === undefined ? run : () => owner.deliver(run));
    return {
      cancel() {
        isCancelled = true;
        cancel();
      },
    };
  };
  const clear = (handle: unknown): void => {
    if (typeof handle === "object" && handle !== null && "cancel" in handle && typeof handle.cancel === "function")
      handle.cancel();
  };
  const refuse = (name: string) => (): never => {
    throw new Error(`${name} is not simulated`);
  };
  const RealDate = Date;
  class VirtualDate extends RealDate {
    constructor(...parts: readonly (string | number | Date)[]) {
      const [only = Math.floor(timeline.nowMs)] = parts;
      if (parts.length > 1) refuse("a date from its parts")();
      super(only);
    }
    static override now(): number {
      return Math.floor(timeline.nowMs);
    }
  }
  const undo = [
    put(globalThis, "setTimeout", timer),
    put(globalThis, "clearTimeout", clear),
    put(globalThis, "setInterval", refuse("setInterval")),
    put(globalThis, "setImmediate", refuse("setImmediate")),
    put(globalThis, "fetch", refuse("fetch")),
    put(globalThis, "Date", VirtualDate),
    put(AbortSignal, "timeout", refuse("AbortSignal.timeout")),
    put(Math, "random", () => random.fraction()),
    put(performance, "now", () => timeline.nowMs),
    put(crypto, "randomUUID", refuse("crypto.randomUUID")),
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
