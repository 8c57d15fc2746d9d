/** What befalls messages between hosts: partitions, and bad days on which some are lost, cut, doubled or late. */
import type { Random } from "./random.ts";

/** What befalls one way of one message. */
export type Fate =
  | { readonly kind: "arrives"; readonly delayMs: number; /** Once more, so much later. */ readonly again?: number }
  /** It is never heard of again; whoever waits runs into a time limit. */
  | { readonly kind: "lost" }
  /** Only this share of its bytes comes, and then the connection breaks. */
  | { readonly kind: "cut"; readonly delayMs: number; readonly share: number };

/** Shares of messages, and how late one in five may be. */
export type Storm = { readonly lost: number; readonly cut: number; readonly again: number; readonly slowMs: number };

/** See the top of the file. */
export interface Weather {
  fate(from: string, to: string): Fate;
  /** Loses what `blocks` says; the function returned ends that. */
  block(blocks: (from: string, to: string) => boolean): () => void;
  /** Whether nothing can pass now. */
  isBlocked(from: string, to: string): boolean;
  storm: Storm;
  /** Ends a storm, unless another has followed it. */
  endStorm(storm: Storm): void;
  clear(): void;
}

/** No storm. */
export const CALM: Storm = { lost: 0, cut: 0, again: 0, slowMs: 0 };

/** Fair weather, to begin with. */
export function createWeather(random: Random): Weather {
  const blocks = new Set<(from: string, to: string) => boolean>();
  const isBlocked = (from: string, to: string): boolean => {
    for (const blocks_ of blocks) if (blocks_(from, to)) return true;
    return false;
  };
  const weather: Weather = {
    storm: CALM,
    isBlocked,
    fate(from, to) {
      const { storm } = weather;
      const lateMs = storm.slowMs > 0 && random.chance(0.2) ? random.fraction() * storm.slowMs : 0;
      const delayMs = 0.5 + random.fraction() * 10 + lateMs;
      if (isBlocked(from, to)) return { kind: "lost" };
      if (storm === CALM) return { kind: "arrives", delayMs };
      if (random.chance(storm.lost)) return { kind: "lost" };
      if (random.chance(storm.cut)) return { kind: "cut", delayMs, share: random.fraction() };
      return random.chance(storm.again)
        ? { kind: "arrives", delayMs, again: random.whole(1, 5_000) }
        : { kind: "arrives", delayMs };
    },
    block(isBlocking) {
      blocks.add(isBlocking);
      return () => void blocks.delete(isBlocking);
    },
    endStorm(storm) {
      if (weather.storm === storm) weather.storm = CALM;
    },
    clear() {
      blocks.clear();
      weather.storm = CALM;
    },
  };
  return weather;
}
