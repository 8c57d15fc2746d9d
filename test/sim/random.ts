/** Seeded randomness: the same seed gives the same numbers on every machine. */
import type { Entropy } from "../../src/clock.ts";

/** A stream of numbers that is fixed by its seed. */
export interface Random {
  /** In [0, 1). */
  fraction(): number;
  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Another stream, independent of how much this one is used later. */
  fork(name: string): Random;
}

/** xorshift128+ from a 32-bit seed and a name. */
export function createRandom(seed: number, name = ""): Random {
  const mix = mixer(seed, name);
  let [a, b, c, d] = [mix(), mix(), mix(), mix()];
  const next = (): number => {
    const t = b << 9;
    let r = b * 5;
    r = ((r << 7) | (r >>> 25)) * 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return r >>> 0;
  };
  const random: Random = {
    fraction: () => next() / 2 ** 32,
    whole: (least, most) => least + Math.floor(random.fraction() * (most - least + 1)),
    chance: (probability) => random.fraction() < probability,
    pick(items) {
      const item = items[random.whole(0, items.length - 1)];
      if (item === undefined) throw new Error("there is nothing to pick from");
      return item;
    },
    fork: (child) => createRandom(next(), child),
  };
  return random;
}

/** The production code's source of randomness, from a stream. */
export function entropyFrom(random: Random): Entropy {
  return {
    fraction: () => random.fraction(),
    hex: (bytes) => Array.from({ length: bytes }, () => random.whole(0, 255).toString(16).padStart(2, "0")).join(""),
  };
}

function mixer(seed: number, name: string): () => number {
  let state = seed >>> 0;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}
