/** Time, ids and randomness as injected things, so that a simulator can stand in for them. */

/** Wall clock, steady clock and timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since some moment, never set back or forward: what lengths of time are measured by. */
  steadyMs(): number;
  /** Runs `action` once after `delayMs`; the function returned cancels it. Does not keep a process alive. */
  after(delayMs: number, action: () => void): () => void;
}

/** A source of numbers in [0, 1) and of fresh ids. */
export interface Entropy {
  fraction(): number;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

/** The real clock, on any platform with Web APIs. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  steadyMs: () => performance.now(),
  after(delayMs, action) {
    const timer: unknown = setTimeout(action, delayMs);
    if (isUnrefable(timer)) timer.unref();
    return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
  },
};

/** The platform's cryptographic randomness. */
export const systemEntropy: Entropy = {
  fraction: () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32,
  hex(bytes) {
    let text = "";
    for (let left = bytes; left > 0; left--) text += HEX[randomByte()];
    return text;
  },
};

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Drawn in advance: a draw costs far more than its bytes, and every request needs an id. */
let drawn = new Uint8Array(0);
let drawnUsed = 0;

function randomByte(): number {
  if (drawnUsed === drawn.length) {
    drawn = crypto.getRandomValues(new Uint8Array(1_024));
    drawnUsed = 0;
  }
  return drawn[drawnUsed++] ?? 0;
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal?.addEventListener("abort", finish);
  });
}

function isUnrefable(timer: unknown): timer is { unref(): void } {
  return typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function";
}
